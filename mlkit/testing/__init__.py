"""Fakes and shape fixtures, for mlkit's own tests and for people who test their pipelines.

Nothing here starts a kernel or waits: `run_fake` runs a pipeline in this process, on a clock that
jumps. See docs/testing.md.
"""

from mlkit.testing.clock import FakeClock, InlineExecutor
from mlkit.testing.recording import RecordingNotifier, RecordingObserver
from mlkit.testing.runner import FakeRunner, Raises, Returns, Skips
from mlkit.testing.running import run_fake
from mlkit.testing.shapes import (
    branching,
    chain,
    diamond,
    dynamic_map,
    fan_out,
    fan_out_fan_in,
    mapped,
)
from mlkit.testing.sketches import Sketch, write_notebook, write_pipeline

__all__ = [
    "FakeClock",
    "FakeRunner",
    "InlineExecutor",
    "Raises",
    "RecordingNotifier",
    "RecordingObserver",
    "Returns",
    "Sketch",
    "Skips",
    "branching",
    "chain",
    "diamond",
    "dynamic_map",
    "fan_out",
    "fan_out_fan_in",
    "mapped",
    "run_fake",
    "write_notebook",
    "write_pipeline",
]
