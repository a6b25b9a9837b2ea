"""mlkit: pipelines of notebooks, to learn on, to build with and to run."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "check": "mlkit.inside.checking",
    "MlkitError": "mlkit.errors",
    "Secret": "mlkit.inside.secret",
    "skip": "mlkit.inside.skipping",
}

__all__ = [*sorted(_HOMES)]

if TYPE_CHECKING:
    from mlkit.errors import MlkitError as MlkitError
    from mlkit.inside.checking import check as check
    from mlkit.inside.secret import Secret as Secret
    from mlkit.inside.skipping import skip as skip


def __getattr__(name: str) -> Any:
    """Import an exported name on its first use, so that `import mlkit` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mlkit' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The exported names."""
    return sorted([*globals(), *_HOMES])
