"""The values of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlkit.cli.sweep import _table, _values
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing import Sketch, write_pipeline


@pytest.fixture(name="pipeline")
def _pipeline(tmp_path: Path) -> Pipeline:
    declares = 'text: str = ""\nrows: int = 1\nboth: str | None = None\nitems: list = []'
    return load_pipeline(write_pipeline(tmp_path, Sketch(name="a", declares=declares)))


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("rows=1,2", [1, 2]),
        ("text=run #1, b ,01,no", ["run #1", " b ", "01", "no"]),
        ("text=", [""]),
        ("text:='a,b',c", ["a,b", "c"]),
        ("both=null,x #1", [None, "x #1"]),
        ("items=[1],[2, 3]", [[1], [2, 3]]),
        ("a.text=[x],{", ["[x]", "{"]),
    ],
)
def test_texts_are_cut_at_commas_and_other_values_are_yaml(
    pipeline: Pipeline, given: str, values: list[Any]
) -> None:
    """`NAME:=` is YAML in any case."""
    name = given.partition("=")[0].rstrip(":")
    assert _values(pipeline, given) == (name, values)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_shows_what_fits_and_names_the_rest(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run's id stays whole; metrics that find no room can be asked for."""
    monkeypatch.setenv("COLUMNS", str(width))
    record = RunRecord(
        run_id="20260101-000000-000-abcd",
        pipeline="p",
        file="f",
        runs_dir="r",
        status=RunStatus.SUCCEEDED,
        started=0.0,
    )
    metrics = {f"a_metric_of_{index}": 0.5 for index in range(9)}
    rows = [({"rows": n}, record, {k: v * n for k, v in metrics.items()}) for n in (1, 2)]
    text = _table(rows, None)
    assert max(map(len, text.splitlines())) <= width
    assert sum(line.startswith(record.run_id) for line in text.splitlines()) == 2
    assert "Also measured (--metric NAME): a_metric_of_" in text
    assert "Also measured" not in _table(rows, ["a_metric_of_1"])
