"""The table of runs out of runs folders: new, old, damaged, not to be written."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import mlkit
from mlkit.api.run_tables import read_run_table
from mlkit.core.record import RunRecord
from mlkit.errors import UsageError
from mlkit.testing import FakeRunner, Raises, run_fake
from mlkit.testing.running import fake_services
from mlkit.testing.sketches import Sketch, write_pipeline

MEASURE = """\
import json
from pathlib import Path
Path(out).write_text(json.dumps({"auc": rows / 1000, "n": rows, "by": {"day": rows + 0.5}}))
"""


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, list[RunRecord]]:
    """Three runs that measure something, one of them failed."""
    file = write_pipeline(
        tmp_path / "p",
        Sketch(name="load"),
        Sketch(
            name="evaluate",
            upstream=("load",),
            body=MEASURE,
            declares="rows: int = 1",
            file="m.json",
            keys={"metrics": {"auc": "out.auc", "day": "out.by.day"}},
        ),
        parameters={"rows": 100, "seed": 1},
    )
    failing = FakeRunner({"evaluate": [Raises()]})
    return file, [
        run_fake(file),
        run_fake(file, parameters={"rows": 300}),
        run_fake(file, parameters={"rows": 200}, runner=failing),
    ]


def metrics_of(file: Path) -> list[dict[str, float]]:
    """What the table says, the newest run first."""
    return [dict(row.metrics) for row in read_run_table(file).rows]


EXPECTED = [
    {},
    {"evaluate.auc": 0.3, "evaluate.day": 300.5},
    {"evaluate.auc": 0.1, "evaluate.day": 100.5},
]


def test_metrics_are_known_without_their_files(history: tuple[Path, list[RunRecord]]) -> None:
    """They were written down when the stage ended."""
    file, made = history
    for record in made:
        (file.parent / "runs" / record.run_id / "evaluate" / "m.json").unlink(missing_ok=True)
    assert metrics_of(file) == EXPECTED


def test_a_reused_stage_has_its_metrics_again(history: tuple[Path, list[RunRecord]]) -> None:
    """In record and table."""
    file, _ = history
    again = run_fake(file)
    assert again.stages["evaluate"].status is mlkit.Status.CACHED
    assert again.stages["evaluate"].metrics == {"auc": 0.1, "day": 100.5}
    assert metrics_of(file)[0] == EXPECTED[2]
    kept = json.loads((file.parent / "runs" / again.run_id / "run.json").read_text())
    assert kept["stages"]["evaluate"]["metrics"] == {"auc": 0.1, "day": 100.5}


def forget(file: Path, *, version: int) -> Path:
    """Make of a runs folder one of an mlkit that wrote no metrics down."""
    path = file.parent / "runs" / "mlkit.db"
    with sqlite3.connect(path) as database:
        for statement in (
            "DROP TABLE metrics",
            "DROP TABLE unmeasured",
            "UPDATE stages SET document = json_remove(document, '$.metrics')",
            f"PRAGMA user_version={version}",
        ):
            database.execute(statement)
    database.close()
    return path


def test_runs_of_an_older_mlkit_are_measured_by_their_files(
    history: tuple[Path, list[RunRecord]],
) -> None:
    """Looking changes nothing; the next run brings the database up to date, and then it is kept."""
    file, made = history
    database = forget(file, version=3)
    before = database.read_bytes()
    assert metrics_of(file) == EXPECTED
    assert database.read_bytes() == before
    run_fake(file, parameters={"rows": 400})
    assert metrics_of(file)[1:] == EXPECTED
    (file.parent / "runs" / made[0].run_id / "evaluate" / "m.json").unlink()
    assert metrics_of(file)[1:] == EXPECTED


def test_without_a_database_the_records_tell(history: tuple[Path, list[RunRecord]]) -> None:
    """Also in a folder that was moved."""
    file, _ = history
    shutil.move(file.parent / "runs", file.parent / "moved")
    for left in (file.parent / "moved").glob("mlkit.db*"):
        left.unlink()
    rows = read_run_table(runs_dir=file.parent / "moved").rows
    assert [dict(row.metrics) for row in rows] == EXPECTED


def test_the_newest_are_read_alone(history: tuple[Path, list[RunRecord]]) -> None:
    """How many there are is known all the same; a run without its folder is none."""
    file, made = history
    table = read_run_table(file, newest=1)
    assert ([row.run_id for row in table.rows], table.total) == ([made[2].run_id], 3)
    shutil.rmtree(file.parent / "runs" / made[2].run_id)
    table = read_run_table(file, newest=1)
    assert ([row.run_id for row in table.rows], table.total) == ([made[1].run_id], 2)


def test_a_run_whose_process_is_gone_was_killed(history: tuple[Path, list[RunRecord]]) -> None:
    """The table asks the locks, as `show` does."""
    file, made = history
    with sqlite3.connect(file.parent / "runs" / "mlkit.db") as database:
        database.execute(
            "UPDATE runs SET status = 'running', ended = NULL WHERE run_id = ?", (made[0].run_id,)
        )
    database.close()
    assert read_run_table(file).filtered("status == killed").rows[0].run_id == made[0].run_id


def test_runs_are_a_data_frame(history: tuple[Path, list[RunRecord]]) -> None:
    """Typed, filtered, ordered, with the columns asked for."""
    file, made = history
    frame = mlkit.runs_table(file)
    assert list(frame.index) == [record.run_id for record in reversed(made)]
    assert frame["rows"].tolist() == [200, 300, 100]
    assert frame["evaluate.auc"].isna().tolist() == [True, False, False]
    assert isinstance(frame["started"].dtype, pd.DatetimeTZDtype)
    best = mlkit.runs_table(
        file.parent, columns=["rows", "auc"], filter="status == succeeded", sort="-auc", limit=1
    )
    assert best.to_dict("records") == [{"rows": 300, "evaluate.auc": 0.3}]
    assert best.index.name == "run"
    assert mlkit.runs_table(runs_dir=file.parent / "none").empty
    with pytest.raises(UsageError, match="no column 'auk'"):
        mlkit.runs_table(file, sort="auk")


def test_names_and_notes_are_columns(history: tuple[Path, list[RunRecord]]) -> None:
    """A run is found by its name; without any name the column is not there."""
    file, made = history
    assert "NAMES" not in read_run_table(file).to_text(100)
    mlkit.run(file, name="best", note="as handed over", services=fake_services())
    table = read_run_table(file)
    assert "NAMES" in table.to_text(100).splitlines()[0]
    assert [row.note for row in table.filtered("'best' in labels").rows] == ["as handed over"]
    assert len(table.filtered("labels is missing").rows) == len(made)


@pytest.mark.parametrize("without_database", [False, True])
def test_what_one_stage_was_given_is_a_column(tmp_path: Path, *, without_database: bool) -> None:
    """Runs that differ in it alone differ in the table; it can be filtered and asked for."""
    day = "day: datetime.date | None = None\nrows: int = 1"
    file = write_pipeline(tmp_path, Sketch(name="a", declares=day), parameters={"rows": 1})
    for number in (3, 5):
        run_fake(file, parameters={"a.rows": number, "a.day": date(2013, 1, number)})
    if without_database:
        for left in (tmp_path / "runs").glob("mlkit.db*"):
            left.unlink()
    assert [dict(row.parameters) for row in read_run_table(file).rows] == [
        {"rows": 1, "a.rows": given, "a.day": date(2013, 1, given)} for given in (5, 3)
    ]
    few = mlkit.runs_table(file, filter="a.rows > 3", columns=["rows", "a.rows"])
    assert few.to_dict("records") == [{"rows": 1, "a.rows": 5}]
