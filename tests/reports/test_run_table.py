"""The table of runs: which columns it shows, what names mean, how it is ordered and written."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from mlkit.api.run_tables import measured_by, row_of
from mlkit.core.record import RunRecord
from mlkit.core.run_row import RunRow
from mlkit.core.states import RunStatus
from mlkit.errors import UsageError
from mlkit.observe.layout import cell_width
from mlkit.reports.run_table import RunTable, run_json
from mlkit.reports.run_table_page import run_table_page


def row(number: int, metrics: Mapping[str, float] | None = None, **parameters: Any) -> RunRow:
    """A run of a second's length."""
    return RunRow(
        run_id=f"20260101-0000{number:02}-000-abcd",
        pipeline="p",
        status=RunStatus.SUCCEEDED,
        started=1_767_225_600.0 + number,
        ended=1_767_225_601.0 + number,
        parameters=parameters,
        metrics=metrics or {},
        counts={"succeeded": 2},
    )


def sweep() -> RunTable:
    """Four runs of two parameters, one of which is always the same, and two stages' metrics."""
    return RunTable(
        [
            row(n, {"evaluate.roc_auc": 0.6 + n / 100, "evaluate.n": 100.0}, rows=n * 100, seed=1)
            for n in (4, 3, 2, 1)
        ]
    )


def titles(text: str) -> list[str]:
    """The words above the columns."""
    return text.splitlines()[0].split()


def test_what_differs_and_what_was_measured_is_shown() -> None:
    """A parameter that is the same everywhere is not; a metric is."""
    text = sweep().to_text(80)
    assert titles(text) == ["RUN", "STATE", "TOOK", "STAGES", "rows", "roc_auc", "n"]
    assert text.splitlines()[1].split()[-3:] == ["400", "0.64", "100"]


def test_without_any_there_is_the_old_list(green: RunRecord, red: RunRecord) -> None:
    """Start, duration, and how many stages ended otherwise than well."""
    rows = [row_of(replace(record, parameters={}), {}) for record in (red, green)]
    heading, first, second = RunTable(rows).to_text(120).splitlines()
    assert heading.split() == ["RUN", "STATE", "STARTED", "(UTC)", "TOOK", "STAGES"]
    assert first.startswith(f"{red.run_id}  ✗ failed")
    assert "6 upstream failed" in first
    assert second.endswith("32.5 s  18, 1 cached, 1 skipped")


def test_no_run_says_how_to_start_one() -> None:
    """Instead of an empty table; a filter that nothing passes says so."""
    assert RunTable([]).to_text(80) == "No run yet. Start one with: mlkit run"
    assert sweep().filtered("rows > 9000").to_text(80) == "No run passes the filter."


def test_columns_that_do_not_fit_are_counted_and_named() -> None:
    """Those that differ come first."""
    numbers = {f"evaluate.metric_number_{n}": 1.0 for n in range(12)}
    table = RunTable(
        [row(n, {**numbers, "evaluate.last": float(n)}, rows=n, wide="x" * 30) for n in (2, 1)]
    )
    text = table.to_text(80)
    assert all(cell_width(line) <= 80 for line in text.splitlines())
    assert titles(text)[:4] == ["RUN", "STATE", "TOOK", "rows"]
    assert "last" in titles(text)
    assert "columns left out (--columns NAME,…): metric_number_" in text.splitlines()[3]
    assert "and 5 more" in " ".join(text.splitlines()[3:])


def test_a_narrow_terminal_has_parameters_and_metrics_too() -> None:
    """Where a run is told in lines, no column takes another's room."""
    many = {f"evaluate.m{n}": n / 7 for n in range(9)}
    text = RunTable([row(n, many, rows=n, seed=1) for n in (2, 1)]).to_text(30)
    assert "rows: 2\n" in text
    assert "m0: 0\n" in text
    assert "4 columns left out" in text


def test_names_are_shown_where_there_are_any() -> None:
    """Also where all runs have the same ones: somebody has given them to find the runs again."""
    one = row(1, {}, rows=1)
    assert "NAMES" not in titles(RunTable([one]).to_text(120))
    named = RunTable([replace(one, labels=("best", "first"))]).to_text(120)
    assert "NAMES" in titles(named)
    assert "best, first" in named


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_nothing_is_wider_than_the_terminal(width: int, green: RunRecord, red: RunRecord) -> None:
    """Whatever the runs measured."""
    rows = [row_of(record, measured_by(record)) for record in (red, green)]
    for line in RunTable(rows).to_text(width).splitlines():
        assert cell_width(line) <= max(width, len(green.run_id)), line


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("rows", ["rows"]),
        ("state", ["status"]),
        ("roc_auc", ["evaluate.roc_auc", "baseline.roc_auc"]),
        ("evaluate.roc_auc", ["evaluate.roc_auc"]),
        ("auc", ["train[tree].auc", "train[a.b].auc"]),
        ("auc[tree]", ["train[tree].auc"]),
        ("train.auc", ["train[tree].auc", "train[a.b].auc"]),
        ("train[a.b].auc", ["train[a.b].auc"]),
        ("metrics.evaluate.rows", ["metrics.evaluate.rows"]),
        ("parameters.evaluate.rows", ["evaluate.rows"]),
        ("parameters.status", ["parameters.status"]),
        ("nothing", []),
    ],
)
def test_a_name_means_its_columns(name: str, keys: list[str]) -> None:
    """A metric's own name means those of every stage and instance; a key is one of its own."""
    metrics = ("evaluate.roc_auc", "baseline.roc_auc", "evaluate.rows")
    instances = ("train[tree].auc", "train[a.b].auc")
    given = {"rows": 1, "evaluate.rows": 2, "status": "mine"}
    table = RunTable([row(1, dict.fromkeys((*metrics, *instances), 0.5), **given)])
    assert [column.key for column in table.resolve(name)] == keys


def test_a_name_of_two_columns_orders_nothing() -> None:
    """Which of them is meant has to be said."""
    table = RunTable([row(1, {"a.auc": 1.0, "b.auc": 2.0})])
    with pytest.raises(UsageError, match="'auc' is the name of 2 columns") as caught:
        table.sorted_by(["auc"])
    assert caught.value.remedy == "Name one of them: a.auc, b.auc"
    with pytest.raises(UsageError, match="2 columns"):
        table.filtered("auc > 1")
    with pytest.raises(UsageError, match="there is no column 'aucc'") as caught:
        table.chosen(["aucc"])
    assert caught.value.remedy == "Did you mean 'auc'?"


def test_order_is_that_of_the_values_with_missing_ones_last() -> None:
    """In both directions; equal ones stay in the order in which they were."""
    values: list[Any] = [3, None, 1, "b", 2.5, "a", 1]
    table = RunTable([row(n, x=value) for n, value in enumerate(values)])

    def order(*names: str) -> list[Any]:
        return [found.parameters["x"] for found in table.sorted_by(names).rows]

    assert order("x") == [1, 1, 2.5, 3, "a", "b", None]
    assert order("-x") == ["b", "a", 3, 2.5, 1, 1, None]
    ids = [found.run_id for found in table.sorted_by(["x", "-started"]).rows]
    assert ids[:2] == [table.rows[6].run_id, table.rows[2].run_id]


def test_order_agrees_with_pythons() -> None:
    """Of numbers, over random tables."""
    chance = random.Random(7)
    for _ in range(30):
        rows = [row(n % 60, {"s.m": chance.choice([0.1, 0.2, 0.3])}) for n in range(20)]
        found = RunTable(rows).sorted_by(["-m"]).rows
        assert found == sorted(rows, key=lambda r: r.metrics["s.m"], reverse=True)


def test_what_chose_the_runs_is_shown_first() -> None:
    """A column that one sorts by is wanted."""
    metrics = {f"s.m{n}": float(n) for n in range(9)}
    rows = [row(n, {**metrics, "s.m8": n / 10}, rows=n, seed=n, depth=n) for n in (2, 1)]
    assert "m7" not in titles(RunTable(rows).to_text(80))
    assert "m7" in titles(RunTable(rows).sorted_by(["-m7"]).to_text(80))


def test_a_file_holds_every_column_by_its_key() -> None:
    """Whole numbers, empty where one is missing, lists as JSON, true as true."""
    rows = [
        row(2, {"e.auc": 1 / 3}, months=[1, 2], fast=True, at=PurePosixPath("/a,b")),
        row(1, {}, months=[1], fast=False, at=None),
    ]
    first, second = csv.DictReader(io.StringIO(RunTable(rows).to_csv()))
    assert float(first["e.auc"]) == 1 / 3
    assert second["e.auc"] == ""
    assert json.loads(first["months"]) == [1, 2]
    assert (first["fast"], second["fast"]) == ("true", "false")
    assert (first["at"], second["at"]) == ("/a,b", "")
    assert first["started"] == "2026-01-01T00:00:02Z"
    assert RunTable(rows).to_csv(["auc", "run"]).splitlines()[0] == "e.auc,run"


def test_the_document_of_a_run_is_short_and_plain(green: RunRecord) -> None:
    """Without its stages, but with their counts and what they measured."""
    document = run_json(row_of(green, measured_by(green)))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert "stages" not in document
    assert document["counts"] == {"succeeded": 16, "cached": 1, "skipped": 1}
    assert document["metrics"]["train[xgboost].roc_auc"] == 0.697


def test_the_page_has_spark_lines_and_no_markup_of_others() -> None:
    """One for each metric that differs; what stands in a parameter is a text."""
    rows = [row(n, {"e.auc": n / 10, "e.same": 1.0}, name=f"<b>{n}</b>") for n in range(5)]
    page = run_table_page(RunTable(rows))
    assert page.count("<polyline") == 1
    assert "e.auc over 5 runs, the oldest first: 0 to 0.4, last 0.4" in page
    assert "<b>" not in page
    assert "<script" not in page
