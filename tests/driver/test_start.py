"""A run as a whole: its name, what it warns of, and two of them at once."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Sketch,
    chain,
    diamond,
    run_fake,
    write_pipeline,
)


def test_a_run_is_named_by_the_clock_that_dates_it(tmp_path: Path) -> None:
    """Its id and the start in its record tell the same moment."""
    record = run_fake(chain(tmp_path, 1), clock=FakeClock(1_700_000_000.25))
    assert record.started == 1_700_000_000.25
    assert record.run_id.startswith("20231114-221320-250-")


def test_two_runs_at_once_on_one_runs_folder_both_end_right(tmp_path: Path) -> None:
    """From an empty folder on: both make the database, and want the same stages."""
    file = diamond(tmp_path)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_whole_run, args=(str(file),)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    runs = [p for p in (tmp_path / "runs").iterdir() if (p / "run.json").is_file()]
    assert len(runs) == 4  # with `latest`
    for folder in runs:
        assert (folder / "bottom" / "bottom.txt").read_text() == "bottom(left(top()),right(top()))"
    runner = FakeRunner()
    run_fake(file, runner=runner)
    assert runner.stages == []


def test_a_parameter_that_no_stage_declares_is_said(tmp_path: Path) -> None:
    """A mistyped name would otherwise change nothing, and nobody would notice."""
    file = write_pipeline(tmp_path, Sketch(name="a"))
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "\nparameters: {rosw: 5}\n", encoding="utf-8")
    assert run_fake(file, runner=FakeRunner()).warnings == (
        "no stage declares the parameter 'rosw', so it changes nothing",
    )


def _whole_run(file: str) -> None:
    assert run_fake(file).status == "succeeded"
