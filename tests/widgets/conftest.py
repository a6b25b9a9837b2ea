"""A small pipeline with a parameter of each type, and a view of it that starts no kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.events import Event
from mlkit.driver.services import Services
from mlkit.testing import FakeRunner, InlineExecutor, RecordingNotifier, Sketch, write_pipeline
from mlkit.testing.runner import Behaviour
from mlkit.widgets.views.pipeline_view import PipelineView

TYPED = """import datetime
from typing import Literal
import mlkit
rows: int = 5
share: float = 0.5
deep: bool = False
kind: Literal["a", "b"] = "a"
title: str = "x"
months: list[int] = [1]
options: dict[str, int] = {}
day: datetime.date = datetime.date(2013, 1, 1)
top: int | None = None
token: mlkit.Secret = ""
"""
VALUES = """rows: 7
share: 0.25
deep: true
kind: b
title: late?
months: [1, 2]
options: {a: 1}
day: 2013-02-03
top: null
token: ${TYPED_TOKEN}
"""

Behaviours = Mapping[str, Sequence[Behaviour]] | None
MakeView = Callable[..., PipelineView]


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    """`first → second`, with parameters of many types."""
    return write_typed(tmp_path / "typed")


def write_typed(folder: Path) -> Path:
    """Write it."""
    from ruamel.yaml import YAML

    values = YAML(typ="safe", pure=True).load(VALUES)
    first = Sketch(name="first", declares=TYPED)
    second = Sketch(
        name="second",
        upstream=("first",),
        declares="limit: float = 1.0",
        keys={"parameters": {"limit": 2}},
    )
    return write_pipeline(folder, first, second, name="typed", parameters=values)


def services(
    behaviours: Behaviours = None,
    observer: Callable[[Event], None] | None = None,
) -> Services:
    """The driver's surroundings without kernels."""
    return Services(
        runner=FakeRunner(behaviours or {}),
        notifier=RecordingNotifier(),
        executor=lambda workers: InlineExecutor(),
        observers=[observer] if observer is not None else [],
        environ={"TYPED_TOKEN": "a-long-secret"},
    )


@pytest.fixture
def make_view(typed: Path) -> MakeView:
    """Give a view of the pipeline above, on its own runs folder."""

    def make(
        behaviours: Behaviours = None,
        observer: Callable[[Event], None] | None = None,
        **options: Any,
    ) -> PipelineView:
        return PipelineView(typed, services=services(behaviours, observer), **options)

    return make
