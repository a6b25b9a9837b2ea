"""Bad input ends the run with one sentence that names the stage, the value and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlkit.ml.serving import free_port
from tests.notebooks.conftest import Outcome, copy_flights, run

pytestmark = pytest.mark.kernel

HEADER = "year,month,day,sched_dep_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest"


def _missing_column(folder: Path) -> str:
    (folder / "f.csv").write_text(f"{HEADER}\n2013,1,1,515,819,11,UA,1545,N14228,EWR,IAH\n")
    return f"source={folder / 'f.csv'}"


def _empty(folder: Path) -> str:
    (folder / "empty.csv").touch()
    return f"source={folder / 'empty.csv'}"


def _csv_as_parquet(folder: Path) -> str:
    (folder / "f.parquet").write_text(f"{HEADER}\n2013,1,1,515,819,11,UA,1545,N14228,EWR,IAH\n")
    return f"source={folder / 'f.parquet'}"


CASES: dict[str, tuple[Callable[[Path], str], str, str]] = {
    "month 13": (lambda _: "months=[1, 13]", "DataError", "month 13 is not one of 1…12"),
    "rows=-1": (
        lambda _: "rows=-1",
        "DataError",
        "rows=-1 is not a number of rows",
    ),
    "a missing column": (
        _missing_column,
        "DataError",
        "the table 'flights' lacks the columns 'distance', 'time_hour'",
    ),
    "an empty file": (_empty, "DataError", "'empty.csv' is empty; give a file with a header"),
    "a CSV in place of Parquet": (
        _csv_as_parquet,
        "DataError",
        "'f.parquet' is named as parquet but holds csv data; rename it",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder in which nothing ever succeeds."""
    return copy_flights(tmp_path_factory.mktemp("bad") / "flights")


@pytest.mark.parametrize("case", CASES)
def test_collect_names_what_is_wrong(case: str, folder: Path, tmp_path: Path) -> None:
    """Exit 1, the value in the message, one attempt, no traceback, nothing written."""
    make, kind, message = CASES[case]
    outcome = run(folder, make(tmp_path), "--until", "collect")
    collect = outcome.stages["collect"]
    assert outcome.exit_code == 1
    assert collect["error"]["type"] == kind
    assert collect["error"]["message"].startswith(message)
    assert "collect" in outcome.text
    assert message in outcome.text
    assert "Traceback" not in outcome.text
    assert (collect["attempts"], collect["outputs"]) == (1, {})
    assert list(folder.rglob("flights.parquet")) == []


def test_a_source_that_cannot_be_reached_is_tried_again_and_named(folder: Path) -> None:
    """Two retries, as pipeline.yaml says of a ConnectionError."""
    address = f"http://127.0.0.1:{free_port()}/flights.csv"
    outcome = run(folder, f"source={address}", "--until", "collect")
    error = outcome.stages["collect"]["error"]
    assert outcome.exit_code == 1
    assert error["type"] == "SourceUnreachableError"
    assert error["message"].startswith(f"the source '{address}' cannot be reached")
    assert outcome.stages["collect"]["attempts"] == 3


@pytest.mark.parametrize(
    ("parameter", "stage", "kind", "message"),
    [
        (
            "tune.base_model=xgbost",
            "tune",
            "ModelError",
            "model 'xgbost' cannot be tuned; choose one of",
        ),
        (
            "features.extra_columns=[dep_delay]",
            "features",
            "LeakageError",
            "'dep_delay' is known only when it left",
        ),
        ("rows=300", "validate", "ValidationFailedError", "1 of 74 rules are broken: flights:"),
        ("split.train_share=0.9", "split", "DataError", "train_share=0.9 and validation_share=0.2"),
    ],
)
def test_later_stages_name_what_is_wrong(
    first: Outcome, flights: Path, parameter: str, stage: str, kind: str, message: str
) -> None:
    """Only the stage in question fails; what was done before is reused."""
    assert first.exit_code == 0
    outcome = run(flights, parameter, "--until", stage)
    assert outcome.exit_code == 1
    assert outcome.stages[stage]["error"]["type"] == kind
    assert outcome.stages[stage]["error"]["message"].startswith(message)
    assert "Traceback" not in outcome.text


def test_an_unknown_model_in_the_pipeline_file_is_named(first: Outcome, flights: Path) -> None:
    """The instance fails under its own name; the others are trained."""
    assert first.exit_code == 0
    file = flights / "pipeline.yaml"
    text = file.read_text()
    file.write_text(text.replace("xgboost, lightgbm]", "xgbost, lightgbm]"))
    try:
        outcome = run(flights, "--until", "train")
    finally:
        file.write_text(text)
    assert outcome.exit_code == 1
    error = outcome.stages["train[xgbost]"]["error"]
    assert error["type"] == "ModelError"
    assert error["message"] == "unknown model 'xgbost'; did you mean 'xgboost'?"
    assert outcome.statuses("train[lightgbm]") == ["cached"]
