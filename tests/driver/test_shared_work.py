"""Runs at once on one runs folder: what several of them need is computed once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit import api
from mlkit.core.record import RunRecord
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest
from mlkit.testing import FakeRunner, Raises, RecordingObserver, Returns, Sketch, write_pipeline
from mlkit.testing.recording import RecordingNotifier


def _services(runner: FakeRunner, **more: Any) -> Services:
    """Without kernels, but with threads and a clock that goes."""
    return Services(
        notifier=RecordingNotifier(),
        runner=runner,
        executor=lambda workers: ThreadPoolExecutor(workers),
        environ={},
        **more,
    )


def _run(file: Path, runner: FakeRunner, workers: int = 2, **more: Any) -> RunRecord:
    force = more.pop("force", False)
    return api.run(
        file,
        layers=Layers(),
        options=RunOptions(workers=workers, force=force),
        services=_services(runner, **more),
    )


def _together(*calls: Callable[[], RunRecord]) -> list[RunRecord]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


class _Gate:
    """A stage that has begun, and goes on when it is told to."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, request: ExecutionRequest) -> None:
        self.begun.set()
        assert self.open.wait(30)


@st.composite
def _graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    size = draw(st.integers(1, 5))
    return [
        tuple(sorted(draw(st.sets(st.integers(0, n - 1), max_size=2)))) if n else ()
        for n in range(size)
    ]


@given(_graphs(), st.lists(st.integers(1, 3), min_size=2, max_size=4))
@settings(max_examples=10, deadline=None)
def test_of_runs_at_once_each_stage_is_computed_by_one(
    tmp_path_factory: pytest.TempPathFactory,
    graph: Sequence[tuple[int, ...]],
    workers: Sequence[int],
) -> None:
    """Whatever the graph and however many workers each has; the others reuse it."""
    stages = [
        Sketch(name=f"s{n}", upstream=tuple(f"s{u}" for u in up)) for n, up in enumerate(graph)
    ]
    file = write_pipeline(tmp_path_factory.mktemp("p"), *stages)
    runner = FakeRunner()
    made = _together(*(lambda w=w: _run(file, runner, w) for w in workers))
    assert sorted(runner.stages) == sorted(stage.name for stage in stages)
    assert all(record.ok for record in made)
    statuses = [item.status.value for record in made for item in record.stages.values()]
    assert statuses.count("succeeded") == len(graph)
    assert statuses.count("cached") == len(graph) * (len(made) - 1)
    assert list((file.parent / "runs" / ".claims").iterdir()) == []


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b", upstream=("a",)))


def _both(
    file: Path, first: FakeRunner, gate: _Gate, second: Callable[[], RunRecord]
) -> list[RunRecord]:
    """The second begins when the first computes, which goes on when the second waits."""
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(_run, file, first)
        assert gate.begun.wait(30)
        two = pool.submit(second)
        return [two.result(), one.result()]


def test_a_run_that_waits_says_for_which(file: Path) -> None:
    """Then it reuses what that one has made."""
    gate, seen = _Gate(), RecordingObserver()
    first, second = FakeRunner({"a": [gate]}), FakeRunner()

    def observer(event: Any) -> None:
        seen(event)
        if event.kind == "stage_waiting":
            gate.open.set()

    two, one = _both(file, first, gate, lambda: _run(file, second, observers=[observer]))
    waited = seen.of("stage_waiting")[0]  # for `a`; it may catch up with the other once more
    assert waited.data["for"] == f"run {one.run_id}, which computes the same"
    assert "a" not in second.stages
    assert two.stages["a"].source_run == one.run_id


def test_who_waits_takes_over_where_the_first_one_fails(file: Path) -> None:
    """A failure is nobody's result."""
    gate = _Gate()

    def breaks(request: ExecutionRequest) -> Any:
        gate(request)
        return Raises()(request)

    def observer(event: Any) -> None:
        if event.kind == "stage_waiting":
            gate.open.set()

    second = FakeRunner({"a": [Returns()]})
    two, one = _both(
        file, FakeRunner({"a": [breaks]}), gate, lambda: _run(file, second, observers=[observer])
    )
    assert (one.ok, two.ok) == (False, True)
    assert second.stages == ["a", "b"]


def test_one_that_is_forced_waits_for_nobody(file: Path) -> None:
    """It computes beside the other."""
    gate, seen = _Gate(), RecordingObserver()
    second = FakeRunner()

    def forced() -> RunRecord:
        try:
            return _run(file, second, force=True, observers=[seen])
        finally:
            gate.open.set()

    two, one = _both(file, FakeRunner({"a": [gate]}), gate, forced)
    assert (one.ok, two.ok, second.stages) == (True, True, ["a", "b"])
    assert not seen.of("stage_waiting")


def test_who_waits_can_be_stopped(file: Path) -> None:
    """It ends at once, while the other goes on."""
    gate, stop = _Gate(), Cancellation()

    def observer(event: Any) -> None:
        if event.kind == "stage_waiting":
            stop.request()

    def waiting() -> RunRecord:
        began = time.monotonic()
        try:
            return _run(file, FakeRunner(), observers=[observer], cancellation=stop)
        finally:
            assert time.monotonic() - began < 20
            gate.open.set()

    two, one = _both(file, FakeRunner({"a": [gate]}), gate, waiting)
    assert (two.status.value, one.status.value) == ("cancelled", "succeeded")
    assert {item.status.value for item in two.stages.values()} == {"cancelled"}
