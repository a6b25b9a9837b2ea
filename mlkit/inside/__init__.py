"""What a stage's notebook itself calls; cheap to import."""

from mlkit.inside.checking import check
from mlkit.inside.secret import Secret
from mlkit.inside.skipping import StageSkipped, skip

__all__ = ["Secret", "StageSkipped", "check", "skip"]
