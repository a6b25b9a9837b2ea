"""From pipeline.yaml and its notebooks to a checked `Pipeline` with its parameters."""

from mlkit.load.parameters import Layers, configure
from mlkit.load.pipeline_file import load_pipeline

__all__ = ["Layers", "configure", "load_pipeline"]
