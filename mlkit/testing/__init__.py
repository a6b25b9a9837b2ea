"""Fakes and shape fixtures, for mlkit's own tests and for people who test their pipelines.

Nothing here starts a kernel or waits: `run_fake` runs a pipeline in this process, on a clock that
jumps. `flaky_server` is the one real thing: an HTTP server on loopback that misbehaves as told. See
docs/testing.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlkit.testing.clock import FakeClock as FakeClock
    from mlkit.testing.clock import InlineExecutor as InlineExecutor
    from mlkit.testing.flakiness import Flakiness as Flakiness
    from mlkit.testing.flakiness import RateLimit as RateLimit
    from mlkit.testing.flaky import flaky_server as flaky_server
    from mlkit.testing.recording import RecordingNotifier as RecordingNotifier
    from mlkit.testing.recording import RecordingObserver as RecordingObserver
    from mlkit.testing.runner import FakeRunner as FakeRunner
    from mlkit.testing.runner import Raises as Raises
    from mlkit.testing.runner import Returns as Returns
    from mlkit.testing.runner import Skips as Skips
    from mlkit.testing.running import run_fake as run_fake
    from mlkit.testing.shapes import branching as branching
    from mlkit.testing.shapes import chain as chain
    from mlkit.testing.shapes import chained_map as chained_map
    from mlkit.testing.shapes import diamond as diamond
    from mlkit.testing.shapes import dynamic_map as dynamic_map
    from mlkit.testing.shapes import fan_out as fan_out
    from mlkit.testing.shapes import fan_out_fan_in as fan_out_fan_in
    from mlkit.testing.shapes import mapped as mapped
    from mlkit.testing.shapes import product as product
    from mlkit.testing.sketches import Sketch as Sketch
    from mlkit.testing.sketches import write_notebook as write_notebook
    from mlkit.testing.sketches import write_pipeline as write_pipeline

_HOMES = {
    "FakeClock": "clock",
    "FakeRunner": "runner",
    "Flakiness": "flakiness",
    "InlineExecutor": "clock",
    "Raises": "runner",
    "RateLimit": "flakiness",
    "RecordingNotifier": "recording",
    "RecordingObserver": "recording",
    "Returns": "runner",
    "Sketch": "sketches",
    "Skips": "runner",
    "branching": "shapes",
    "chain": "shapes",
    "chained_map": "shapes",
    "diamond": "shapes",
    "dynamic_map": "shapes",
    "fan_out": "shapes",
    "fan_out_fan_in": "shapes",
    "flaky_server": "flaky",
    "mapped": "shapes",
    "product": "shapes",
    "run_fake": "running",
    "write_notebook": "sketches",
    "write_pipeline": "sketches",
}
"""The module in which each exported name stands."""

__all__ = [*sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Import an exported name on its first use: who wants the server need not load the driver."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mlkit.testing' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mlkit.testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The exported names."""
    return sorted([*globals(), *_HOMES])
