"""What a run's end means, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlkit.core.record import ArtifactRecord, RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.observe.notes import plain_markdown
from mlkit.observe.run_summary import command, failures, judge_run, summary
from mlkit.observe.signs import RUN_SIGNS, SIGNS

Maker = Callable[..., RunRecord]
HOME = Path("/project")


def test_success_is_counted(make_record: Maker) -> None:
    """By state."""
    record = make_record(RunStatus.SUCCEEDED, a=Status.SUCCEEDED, b=Status.CACHED, c=Status.SKIPPED)
    verdict = judge_run(record, HOME)
    assert verdict.sentence == (
        "Run R1 of pipeline demo succeeded in 3.0 s: 1 stage succeeded, 1 cached, 1 skipped."
    )
    assert verdict.steps == ()


def test_failure_names_the_stage_the_error_and_what_it_stopped(make_record: Maker) -> None:
    """And the commands that help, debug first."""
    record = make_record(RunStatus.FAILED, a=Status.FAILED, b=Status.UPSTREAM_FAILED)
    verdict = judge_run(record, HOME)
    assert verdict.sentence == (
        "Run R1 of pipeline demo failed after 3.0 s: a raised ValueError: bad value."
        " Because of that 1 stage could not run."
    )
    assert [step.command for step in verdict.steps] == ["mlkit debug R1 a", "mlkit resume R1"]


def test_a_failure_that_is_not_critical_is_said(make_record: Maker) -> None:
    """The run succeeded all the same."""
    record = make_record(RunStatus.SUCCEEDED, a=Status.FAILED, b=Status.SUCCEEDED)
    record = replace(
        record, stages={**record.stages, "a": replace(record.stages["a"], critical=False)}
    )
    assert "Not critical, but failed: a." in judge_run(record, HOME).sentence
    assert "(not critical, cell 5 of its notebook)" in summary(record, folder=HOME)


def test_critical_failures_come_first(make_record: Maker) -> None:
    """Whatever their order in the pipeline."""
    record = make_record(RunStatus.FAILED, a=Status.FAILED, b=Status.FAILED)
    record = replace(
        record, stages={**record.stages, "a": replace(record.stages["a"], critical=False)}
    )
    assert [item.id for item in failures(record)] == ["b", "a"]


@pytest.mark.parametrize("status", [RunStatus.CANCELLED, RunStatus.RUNNING])
def test_an_unfinished_run_can_be_resumed(make_record: Maker, status: RunStatus) -> None:
    """Whether it was cancelled or killed."""
    verdict = judge_run(make_record(status, a=Status.CANCELLED), HOME)
    assert [step.command for step in verdict.steps] == ["mlkit resume R1"]


def test_commands_work_where_they_are_typed(make_record: Maker) -> None:
    """Pipeline and runs folder are named only where the defaults would miss them; all quoted."""
    record = make_record(RunStatus.FAILED)
    assert command(record, "resume", "R1", folder=HOME) == "mlkit resume R1"
    assert command(record, "show", "R1", folder=Path("/")) == "mlkit show R1 project"
    assert command(record, "show", "R1", folder=Path("/else")) == "mlkit show R1 /project"
    assert command(record, "debug", "R1", "t[a b]", folder=HOME) == "mlkit debug R1 't[a b]'"
    other = replace(record, runs_dir="/data/runs")
    assert command(other, "show", "R1", folder=HOME) == "mlkit show R1 --runs-dir /data/runs"
    flights = replace(
        record, file="/w/notebooks/flights/pipeline.yaml", runs_dir="/w/notebooks/flights/runs"
    )
    assert command(flights, "show", "R1", folder=Path("/w")) == "mlkit show R1"


def test_the_summary_tells_failures_first_and_places_last(make_record: Maker) -> None:
    """With the log, the outputs' place and the report."""
    record = replace(make_record(RunStatus.FAILED, a=Status.FAILED), warnings=("mended",))
    assert summary(record, folder=HOME, report=HOME / "runs/R1/report.html").splitlines() == [
        "✗ a raised ValueError: bad value (cell 5 of its notebook)",
        "  log: runs/R1/a/attempts/1/log.txt",
        "warning: mended",
        "✗ Run R1 of pipeline demo failed after 3.0 s: 1 stage failed.",
        "  mlkit debug R1 a  open a in JupyterLab as it was when it failed",
        "  mlkit resume R1   finish this run; what is done is not done again",
        "  outputs: runs/R1",
        "  report:  runs/R1/report.html",
    ]


def test_a_stage_that_failed_before_its_notebook_ran_has_no_log(make_record: Maker) -> None:
    """As with a list of values that is none."""
    record = make_record(RunStatus.FAILED, a=Status.FAILED)
    stage = replace(record.stages["a"], history=())
    lines = summary(replace(record, stages={"a": stage}), folder=HOME).splitlines()
    assert not [line for line in lines if "log:" in line]


def test_what_latest_shows_stands_below_the_places(make_record: Maker) -> None:
    """In line with them, and its further lines below its first word."""
    record = make_record(RunStatus.SUCCEEDED, a=Status.SUCCEEDED)
    text = summary(record, folder=HOME, latest="stays " * 15)
    *_, place, first, second = text.splitlines()
    assert [line[:11] for line in (place, first, second)] == [
        "  outputs: ",
        "  latest:  ",
        " " * 11,
    ]


def test_what_a_stage_summed_up_is_told(make_record: Maker, tmp_path: Path) -> None:
    """From its summary.md; a file that is gone costs its lines only."""
    path = tmp_path / "summary.md"
    path.write_text("# In short\n\n| what | n |\n|---|--:|\n| long name | 1 |\n| b | 2 |\n")
    record = make_record(RunStatus.SUCCEEDED, a=Status.SUCCEEDED)
    artifact = ArtifactRecord(path=str(path), digest="0" * 64, size_bytes=80)
    stage = replace(record.stages["a"], artifacts={"summary": artifact})
    told = replace(record, stages={"a": stage})
    lines = summary(told, folder=HOME).splitlines()
    assert lines[:3] == ["In short", "  long name  1", "  b          2"]
    path.unlink()
    assert summary(told, folder=HOME) == summary(record, folder=HOME)


def test_markdown_becomes_plain_lines() -> None:
    """Tables without a ruled heading keep all rows; terminal codes are dropped."""
    assert list(plain_markdown("| a | b |\n\nx\x1b[31my\n\n## T")) == ["  a  b", "x[31my", "T"]


def test_every_state_has_a_sign_of_its_own() -> None:
    """Colour is never the only sign."""
    assert set(SIGNS) == set(Status)
    assert set(RUN_SIGNS) == set(RunStatus)
    assert len({sign.glyph for sign in SIGNS.values()}) == len(Status)
    assert len({sign.word for sign in SIGNS.values()}) == len(Status)


def test_what_latest_is_stands_below_the_other_places(make_record: Maker) -> None:
    """Its lines begin where the paths do."""
    record = make_record(RunStatus.SUCCEEDED, a=Status.SUCCEEDED)
    told = summary(record, folder=HOME, latest="stays at R0, which " + "began later " * 9)
    first, *others = told[told.index("  latest:") :].splitlines()
    assert first.startswith("  latest:  stays at R0, which")
    assert others
    assert all(len(line) - len(line.lstrip()) == len("  latest:  ") for line in others)
