"""The fakes behave as what they stand in for."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import nbformat
import pytest

from mlkit import load_pipeline
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    InlineExecutor,
    Sketch,
    branching,
    chain,
    diamond,
    dynamic_map,
    fan_out,
    fan_out_fan_in,
    mapped,
    run_fake,
    write_pipeline,
)


def test_a_clock_jumps_to_what_is_due() -> None:
    """And refuses to wait for ever."""
    clock, inbox = FakeClock(100.0), queue.SimpleQueue[Any]()
    assert clock.wait(inbox, 5.0) is None
    assert (clock.now(), clock.monotonic(), clock.waits) == (105.0, 105.0, [5.0])
    inbox.put("x")
    assert clock.wait(inbox, 5.0) == "x"
    assert clock.now() == 105.0
    with pytest.raises(RuntimeError, match="nothing is running and nothing is due"):
        clock.wait(inbox, None)


def test_inline_work_is_done_at_once() -> None:
    """Results and exceptions are in the future."""
    assert InlineExecutor().submit(lambda: 7).result() == 7
    assert isinstance(InlineExecutor().submit(int, "x").exception(), ValueError)


@pytest.mark.parametrize(
    "shape", [chain, diamond, fan_out, fan_out_fan_in, branching, mapped, dynamic_map]
)
def test_every_shape_loads_and_succeeds(tmp_path: Path, shape: Any) -> None:
    """In folders that do not exist yet."""
    file = shape(tmp_path / "deep" / "er")
    assert load_pipeline(file).name == "sketched"
    assert run_fake(file).status == "succeeded"


def test_an_executed_notebook_is_valid_and_holds_the_injected_cell(tmp_path: Path) -> None:
    """As a real one."""
    record = run_fake(diamond(tmp_path))
    path = tmp_path / "runs" / record.run_id / "bottom" / "notebook.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # untyped
    nbformat.validate(notebook)
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    assert tags == [["parameters"], ["injected-parameters"], []]


def test_what_a_notebook_raises_is_recorded_with_its_bases(tmp_path: Path) -> None:
    """Also a class of its own."""
    body = "class Own(ConnectionError): pass\nraise Own('text')"
    error = run_fake(write_pipeline(tmp_path, Sketch(name="a", body=body))).stages["a"].error
    assert error is not None
    assert (error.type, error.message) == ("Own", "text")
    assert "builtins.OSError" in error.bases


def test_a_runner_counts_what_it_executes(tmp_path: Path) -> None:
    """Stage and attempt, in order."""
    runner = FakeRunner()
    run_fake(chain(tmp_path, 2), runner=runner)
    assert runner.executed == [("s1", 1), ("s2", 1)]
    assert [request.metadata["stage"] for request in runner.requests] == ["s1", "s2"]
