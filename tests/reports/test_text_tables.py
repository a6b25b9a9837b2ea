"""Runs and stages as tables of text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mlkit.core.record import ArtifactRecord, RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.observe.layout import cell_width
from mlkit.reports.comparison import compare_runs
from mlkit.reports.text_tables import show_text


@pytest.mark.parametrize("width", [40, 80, 132])
def test_nothing_is_wider_than_the_terminal(green: RunRecord, red: RunRecord, width: int) -> None:
    """A run and a comparison; only a command or a path is not broken."""
    said = [
        show_text(green, folder=Path("/project"), width=width),
        show_text(red, folder=Path("/project"), width=width, instances=True),
        compare_runs(red, green).to_text(width),
    ]
    for line in "\n".join(said).splitlines():
        unbroken = "mlkit " in line or "/" in line
        assert cell_width(line) <= width or unbroken, line


def test_instances_of_which_the_same_is_said_share_a_line(green: RunRecord) -> None:
    """`--instances` takes them apart."""
    together = show_text(green, folder=Path("/project"), width=200)
    apart = show_text(green, folder=Path("/project"), width=200, instances=True)
    stages, _, metrics = together.partition("\nMetrics\n")
    assert "train[xgboost]" not in stages
    assert re.search(r"^  train\[xgboost\] +roc_auc=0.697, ", metrics, re.MULTILINE)
    assert re.search(r"^train \((\d) of \1\) +✓ succeeded", together, re.MULTILINE)
    assert "train[xgboost]" in apart


def test_an_instance_that_failed_stands_by_itself(red: RunRecord) -> None:
    """With its own error."""
    text = show_text(red, folder=Path("/project"), width=200)
    line = next(row for row in text.splitlines() if row.startswith("train[xgboost]"))
    assert line.split()[1:4] == ["✗", "failed", "2"]
    assert "ValueError: Input X contains NaN." in line


def test_a_run_is_shown_with_the_verdict_first_and_the_outputs_last(red: RunRecord) -> None:
    """Paths are those below the run's own folder."""
    text = show_text(red, folder=Path("/project"))
    assert text.startswith(f"✗ Run {red.run_id} of pipeline flights failed")
    assert "mlkit resume" in text
    assert "  rows    500" in text
    assert "metrics.json" in text.splitlines()[-1]
    assert "/project" not in text.splitlines()[-1]


def test_a_run_names_its_profile(green: RunRecord) -> None:
    """Other values may be the profile's; without one nothing is said."""
    options = {**green.options, "profile": "prod"}
    said = show_text(replace(green, options=options), folder=Path("/project"))
    assert "\nprofile: prod\n" in said
    assert "\nprofile:" not in show_text(green, folder=Path("/project"))


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ((), ["each[…]/out.json  6 B  3 files"]),
        ("a", ["each[…]/out.json   4 B  2 files", "each[a]: no 'out'       optional"]),
        ("ab", ["each[c]/out.json   2 B  00000", "each[…]: no 'out'       optional, missing in 2"]),
        ("abc", ["each[…]: no 'out'  optional, missing in 3"]),
    ],
)
def test_what_instances_left_out_is_not_counted_among_the_files(
    tmp_path: Path, missing: str, told: list[str]
) -> None:
    """Neither as a file nor as the name of all."""
    home = tmp_path / "runs" / "R1"
    stages = {
        f"each[{value}]": StageRecord(
            id=f"each[{value}]",
            stage="each",
            status=Status.SUCCEEDED,
            reason="never run",
            artifacts={}
            if value in missing
            else {
                "out": ArtifactRecord(
                    path=f"{home}/each[{value}]/out.json", digest="00000", size_bytes=2
                )
            },
            absent=("out",) if value in missing else (),
        )
        for value in "abc"
    }
    record = RunRecord(
        run_id="R1",
        pipeline="p",
        file="f",
        runs_dir=str(tmp_path / "runs"),
        status=RunStatus.SUCCEEDED,
        started=0.0,
        stages=stages,
    )
    _, _, outputs = show_text(record, folder=tmp_path).partition("Outputs, in runs/R1\n")
    assert [line.strip() for line in outputs.splitlines()] == told


def test_what_was_measured_stands_below_the_stages(tmp_path: Path) -> None:
    """Of each stage; of many instances the spans, unless each one is asked for."""
    stages = [
        StageRecord(
            id=f"each[{n}]", stage="each", status=Status.SUCCEEDED, metrics={"loss": n / 8, "n": 2}
        )
        for n in range(13)
    ]
    stages.append(
        StageRecord(id="late", stage="late", status=Status.FAILED, metrics={"auc": 0.69731})
    )
    record = RunRecord(
        run_id="R1",
        pipeline="p",
        file="f",
        runs_dir=str(tmp_path),
        status=RunStatus.FAILED,
        started=0.0,
        stages={item.id: item for item in stages},
    )
    told = "Metrics\n  each (13 instances)  loss=0…1.5, n=2\n  late                 auc=0.6973"
    assert told in show_text(record, folder=tmp_path)
    apart = show_text(record, folder=tmp_path, instances=True)
    assert "\n  each[3]   loss=0.375, n=2\n" in apart
    bare = replace(record, stages={"late": replace(stages[-1], metrics=None)})
    assert "Metrics" not in show_text(bare, folder=tmp_path)
