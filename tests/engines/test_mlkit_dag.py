"""The functions that a DAG file carries, without Airflow."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engines.carried import loaded, speaking_mlkit


def context(**more: Any) -> dict[str, Any]:
    """What Airflow tells a task of itself."""
    day = dt.datetime(2013, 1, 2, 2, tzinfo=dt.UTC)
    run = SimpleNamespace(conf={}, run_id="scheduled__2013", run_after=day, run_type="scheduled")
    told: dict[str, str] = {}
    ti = SimpleNamespace(task_id="each", map_index=1, run_id="scheduled__2013", told=told)
    ti.xcom_push = lambda key, value: told.update({key: value})
    known = {"dag_run": run, "ti": ti, "params": {}, "data_interval_start": day}
    return {**known, **more}


def called(folder: Path) -> Any:
    """How mlkit was called."""
    return json.loads((folder / "called.json").read_text())


@pytest.mark.parametrize(
    ("code", "document", "raises"),
    [
        (0, {"stages": {}}, None),
        (99, {"stages": {}}, "AirflowSkipException: s was skipped"),
        (
            1,
            {"stages": {"s": {"error": {"type": "E", "message": "m", "retryable": False}}}},
            "AirflowFailException: s: E: m",
        ),
        (
            1,
            {"stages": {"s": {"error": {"type": "E", "message": "m", "retryable": True}}}},
            "RuntimeError: s: E: m",
        ),
        (2, {"error": {"message": "no such file"}}, "AirflowFailException: s: mlkit: no such file"),
    ],
)
def test_a_task_ends_as_mlkit_says(
    tmp_path: Path, code: int, document: Any, raises: str | None
) -> None:
    """Done, skipped, failed for good, or to be tried again."""
    program = speaking_mlkit(tmp_path, code, json.dumps(document))
    dag = loaded("airflow", "mlkit_dag", MLKIT=str(program), RUNS=str(tmp_path / "runs"))
    dag.get_current_context.return_value = context()
    if raises is None:
        dag.run_stage("s")
        return
    with pytest.raises(Exception, match=raises.partition(": ")[2]) as caught:
        dag.run_stage("s")
    assert type(caught.value).__name__ == raises.partition(": ")[0]


def test_a_task_tells_where_notebook_log_and_report_are(tmp_path: Path) -> None:
    """As XCom, which a stock Airflow shows beside the task; a failed one and the verdict, too."""
    places = {"notebook": "/runs/r/s/notebook.ipynb", "log": "/runs/r/s/log.txt"}
    document = {"status": "failed", "stages": {"s": {"error": None, **places}}}
    program = speaking_mlkit(tmp_path, 1, json.dumps(document))
    runs, run = tmp_path / "my runs", "20130102-020000-scheduled__2013"
    dag = loaded("airflow", "mlkit_dag", MLKIT=str(program), RUNS=str(runs), PIPELINE="/p.yaml")
    dag.get_current_context.return_value = known = context()
    with pytest.raises(Exception, match="s: mlkit: 1"):
        dag.run_stage("s")
    made_by = f"{program} report {run} /p.yaml --runs-dir '{runs}'"
    assert known["ti"].told == {**places, "report": made_by}
    page = runs / run / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    dag.get_current_context.return_value = known = context()
    with pytest.raises(Exception, match="the run is failed"):
        dag.ask_for_verdict()
    assert known["ti"].told == {"report": str(page)}


def test_a_call_says_everything(tmp_path: Path) -> None:
    """Run, interval, what was changed in Airflow's form, and who calls."""
    program = speaking_mlkit(tmp_path, 0, "{}")
    facts = {"MLKIT": str(program), "PIPELINE": "/p.yaml", "RUNS": "/runs", "DATED": True}
    facts |= {"PARAMETERS": {"rows": 1, "text": "a"}, "OPTIONS": ["-p", "rows:=1"]}
    dag = loaded("airflow", "mlkit_dag", **facts)
    dag.call_for_stage(context(params={"rows": 7, "text": "a", "other": 1}), "each[b]")
    told = called(tmp_path)
    assert told["words"] == [
        *("run", "/p.yaml", "--only", "each[b]", "--run-id", "20130102-020000-scheduled__2013"),
        *("-p", "rows:=1", "-p", "rows:=7"),
        *("--runs-dir", "/runs", "--json"),
    ]
    assert told["environ"]["MLKIT_ENGINE_TASK_ID"] == "each[1]"
    assert told["environ"]["MLKIT_ENGINE_ROUND"] == "1"
    assert told["environ"]["MLKIT_ENGINE_INTERVAL"] == "2013-01-02T02:00:00+00:00"


@pytest.mark.parametrize(("max_tries", "retries", "first"), [(2, 2, 1), (3, 2, 2), (1, 0, 2)])
def test_a_cleared_task_begins_a_new_round(max_tries: int, retries: int, first: int) -> None:
    """Airflow adds the tries that there were to those that there may be; a retry does not."""
    dag = loaded("airflow", "mlkit_dag")
    ti = SimpleNamespace(max_tries=max_tries)
    assert dag.first_try_of({"ti": ti, "task": SimpleNamespace(retries=retries)}) == first


def test_a_run_that_mlkit_started_has_its_id() -> None:
    """Otherwise the id is made from Airflow's, as a folder's name allows it."""
    dag = loaded("airflow", "mlkit_dag")
    run = SimpleNamespace(conf={"run_id": "r1"}, run_id="manual__a:b")
    assert dag.run_id_of({"dag_run": run}) == "r1"


def test_values_are_compared_strictly() -> None:
    """As mlkit compares them."""
    dag = loaded("airflow", "mlkit_dag")
    assert [dag.is_one_of(found, [1, "yes"]) for found in (1, True, 1.0, "yes", None)] == [
        *(True, False, False, True, False)
    ]


def test_an_artifact_that_was_not_made_holds_nothing(tmp_path: Path) -> None:
    """It is read from the run's folder."""
    dag = loaded("airflow", "mlkit_dag", RUNS=str(tmp_path))
    dag.get_current_context.return_value = context()
    place = tmp_path / "20130102-020000-scheduled__2013" / "a"
    place.mkdir(parents=True)
    (place / "out.json").write_text("[1]")
    assert (dag.read_artifact("a", "out.json"), dag.read_artifact("b", "x")) == ([1], None)


def test_labels_are_taken_literally() -> None:
    """Airflow's templates read what stands in double braces."""
    dag = loaded("airflow", "mlkit_dag")
    assert [dag.literally(dag.label(item)) for item in (True, 1.5, "a", "{{ b }}")] == [
        *("true", "1.5", "a", "{{ '{' }}{ b }}")
    ]


@pytest.mark.parametrize("found", [None, "a", 7, {"a": 1}, [["a"]], ["no number"]])
def test_where_there_is_no_list_the_stage_is_called_as_a_whole(tmp_path: Path, found: Any) -> None:
    """One task is mapped, over what stands for no value."""
    program = speaking_mlkit(tmp_path, 0, json.dumps({"stages": {}}))
    dag = loaded("airflow", "mlkit_dag", MLKIT=str(program), RUNS=str(tmp_path / "runs"))
    (text,) = dag.labels(found, float)
    assert dag.label(text) != text
    dag.get_current_context.return_value = context()
    dag.run_stage(f"s[{text}]")
    assert called(tmp_path)["words"][2:4] == ["--only", "s"]
    assert dag.labels([1, "2"], float) == ["1.0", "2.0"]
    assert dag.labels([]) == []
