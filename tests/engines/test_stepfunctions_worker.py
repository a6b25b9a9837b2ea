"""The worker that an export carries, without AWS."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.instances import written
from mlkit.engines.stepfunctions.states import word
from tests.engines.carried import loaded, speaking_mlkit


class Client:
    """Notes what a worker answers."""

    def __init__(self, *executions: str) -> None:
        self.answers: list[Any] = []
        self.executions = executions

    def send_task_success(self, **words: str) -> None:
        """It is done."""
        self.answers.append(json.loads(words["output"]))

    def send_task_failure(self, **words: str) -> None:
        """It has failed."""
        self.answers.append((words["error"], words["cause"]))

    def get_paginator(self, name: str) -> Client:
        """Of the executions that go on."""
        assert name == "list_executions"
        return self

    def paginate(self, **words: str) -> list[Any]:
        """One page; the earliest is told last."""
        assert words == {"stateMachineArn": "arn:machine", "statusFilter": "RUNNING"}
        going = [
            {"startDate": place, "executionArn": name} for place, name in enumerate(self.executions)
        ]
        return [{"executions": going[::-1]}]


RUN = {
    "given": {"run_id": "", "parameters": {"n": 1, "t": 'a "b"'}, "scheduled_at": "2026-01-02T02"},
    "execution": "arn:aws:states:r:0:execution:flights:0a1b2c3d-4e5f-6789",
    "started": "2026-01-02T02:00:01.234Z",
}
RUN_ID = "20260102-020001-2c3d4e5f6789"


def answered(program: Path, do: str, client: Client | None = None, **message: Any) -> Any:
    """What a worker answers to a task."""
    worker = loaded("stepfunctions", "mlkit_worker")
    facts = {"machine": "flights", "definition": "f", "activity": "a", "options": ["--verify"]}
    places = {"mlkit": str(program), "file": "/data/pipeline.yaml", "runs_dir": "/data/runs"}
    pipeline = worker.Pipeline(**facts, **places)
    client = client or Client()
    task = {"do": do, "task": "a state", "run": RUN, **message}
    worker.Task(client, pipeline, "token", task).answer()
    (answer,) = client.answers
    return answer


def _ended(status: str, **more: Any) -> str:
    stage = {"status": status, "error": None, "outputs": {}, "stage": "s", **more}
    return json.dumps({"stages": {"s[a]": stage}, "status": status})


def _error(*, retryable: bool) -> dict[str, Any]:
    return {"error": {"type": "ConnectionError", "message": "no answer", "retryable": retryable}}


CAUSE = "s[a]: ConnectionError: no answer"


@pytest.mark.parametrize(
    ("code", "document", "expected"),
    [
        (0, _ended("succeeded"), {"status": "succeeded", "values": {}}),
        (99, _ended("skipped"), {"status": "skipped", "values": {}}),
        (1, _ended("failed", **_error(retryable=True)), ("ConnectionError", CAUSE)),
        (1, _ended("failed", **_error(retryable=False)), ("mlkit.Failed", CAUSE)),
        (
            1,
            _ended("upstream_failed"),
            ("mlkit.UpstreamFailed", "s[a]: something upstream has failed"),
        ),
        (2, json.dumps({"error": {"message": "no file"}}), ("mlkit.NotRun", "s[a]: no file")),
        (130, "", ("mlkit.Failed", "s[a]: mlkit ended with 130")),
    ],
)
def test_a_task_ends_as_mlkit_says(tmp_path: Path, code: int, document: str, expected: Any) -> None:
    """By the names that its `Retry` knows; mlkit is told who calls, and never what it knows."""
    program = speaking_mlkit(tmp_path, code, document)
    assert answered(program, "run", stage="s", value="a", on=["ConnectionError"]) == expected
    called = json.loads((tmp_path / "called.json").read_text())
    assert called["words"] == [
        *("run", "-p", "n:=1", "-p", 't:="a \\"b\\""', "--verify"),
        *("--run-id", RUN_ID, "--only", "s[a]", "/data/pipeline.yaml"),
        *("--runs-dir", "/data/runs", "--json"),
    ]
    assert called["environ"]["MLKIT_ENGINE_SCHEDULED"] == "2026-01-02T02"
    assert called["environ"]["MLKIT_ENGINE_RUN_ID"] == RUN["execution"]


def test_a_class_that_no_policy_names(tmp_path: Path) -> None:
    """May be one of whose bases a policy names; mlkit knows."""
    for retryable, error in ((True, "mlkit.Retryable"), (False, "OSError")):
        raised = {"type": "OSError", "message": "m", "retryable": retryable}
        program = speaking_mlkit(tmp_path, 1, _ended("failed", error=raised))
        assert answered(program, "run", stage="s", value="a")[0] == error


@pytest.mark.parametrize("value", ["yes", 1, 1.0, True, None, {"b": 1, "a": [2]}, "ü", ""])
def test_a_word_is_written_as_the_choice_compares_it(tmp_path: Path, value: Any) -> None:
    """Of what was not made, an empty text."""
    made = tmp_path / "made.json"
    made.write_text(json.dumps(value))
    program = speaking_mlkit(tmp_path, 0, _ended("succeeded", outputs={"out": str(made)}))
    wanted = {"out": "out", "other": "not_there"}
    found = answered(program, "run", stage="s", value="a", values=wanted)
    assert found["values"] == {"out": word(value), "other": ""}


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (["a b", "c,d", 1, True, None], "", ["a b", '"c,d"', "1", "true", "null"]),
        ([1, 2.5], "float", ["1.0", "2.5"]),
        (["2026-01-02"], "date", ["2026-01-02"]),
        ([], "", [None]),
        ({"no": "list"}, "float", [None]),
        (None, "", [None]),
        (list(range(3001)), "", ("mlkit.ListTooLong", "3001 values; 3000 are the most")),
        (["x" * 300_000], "", ("mlkit.TooLarge", "the answer has more than 262144 bytes")),
    ],
)
def test_a_list_is_read_as_mlkit_writes_ids(
    tmp_path: Path, value: Any, kind: str, expected: Any
) -> None:
    """What is no list, or empty, is one turn without a value."""
    program = speaking_mlkit(tmp_path, 0, json.dumps({"made": value is not None, "value": value}))
    message: dict[str, Any] = {"as": kind} if kind else {}
    assert answered(program, "values", list="top.out", **message) == expected


@pytest.mark.parametrize("value", ["a", " b", "c,d", '"e', "[f]", 1, 0.5, 1e20, True, None, "ä"])
def test_labels_are_those_of_the_core(value: Any) -> None:
    """A value in brackets is the same text here and there."""
    assert loaded("stepfunctions", "mlkit_worker")._label(value) == written(value)


def test_a_file_is_looked_for_once(tmp_path: Path) -> None:
    """`Retry` looks again; for a stage that is not to run there is nothing to wait for."""
    program = speaking_mlkit(tmp_path, 0, _ended("skipped"))
    message: dict[str, Any] = {"stage": "s", "path": f"{tmp_path}/*.csv"}
    found = answered(program, "look", behind=False, **message)
    assert found == ("mlkit.NoFileYet", f"nothing matches {tmp_path}/*.csv")
    assert answered(program, "look", behind=True, **message) == {"found": False}
    (tmp_path / "a.csv").symlink_to(tmp_path / "nowhere")
    assert answered(program, "look", behind=False, **message) == found
    (tmp_path / "b.csv").touch()
    assert answered(program, "look", behind=False, **message) == {"found": True}


@pytest.mark.parametrize(
    ("executions", "expected"),
    [
        ((RUN["execution"], "later"), "alone"),
        (("earlier", RUN["execution"]), ("mlkit.Busy", "earlier has not ended")),
    ],
)
def test_an_execution_waits_for_earlier_ones(
    tmp_path: Path, executions: tuple[str, ...], expected: Any
) -> None:
    """Of two that go on, the one that was started first."""
    program = speaking_mlkit(tmp_path, 0, "{}")
    client = Client(*executions)
    assert answered(program, "alone", client, machine="arn:machine") == expected


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_the_execution_ends_as_the_run(tmp_path: Path, status: str) -> None:
    """What failed has been caught before."""
    program = speaking_mlkit(tmp_path, 0, _ended(status))
    failed = ("mlkit.RunFailed", f"the run {RUN_ID} is failed")
    assert answered(program, "verdict") == ("succeeded" if status == "succeeded" else failed)


HERE = "http://127.0.0.1:4566"
AWS = "https://states.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("service", "url", "environ", "address", "signs"),
    [
        ("stepfunctions", HERE, {"AWS_ENDPOINT_URL": "http://store:9000"}, HERE, True),
        ("stepfunctions", None, {"AWS_ENDPOINT_URL_SFN": HERE}, HERE, True),
        ("stepfunctions", None, {"AWS_ENDPOINT_URL": "http://cloud"}, "http://cloud", False),
        ("stepfunctions", AWS, {}, AWS, False),
        ("scheduler", HERE, {}, HERE, True),
        ("scheduler", AWS, {}, None, False),
        ("scheduler", None, {"AWS_ENDPOINT_URL_SCHEDULER": HERE}, HERE, True),
        ("scheduler", None, {}, None, False),
    ],
)
def test_keys_are_made_up_for_a_server_on_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    url: str | None,
    environ: Mapping[str, str],
    address: str | None,
    signs: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """They are the client's: the environment, and with it the stages' own store, stays as it is."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SFN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    worker = loaded("stepfunctions", "mlkit_worker")
    pipeline = worker.Pipeline(
        machine="m", definition="d", activity="arn:aws:states:us-east-1:0:a", **PLACES
    )
    worker.boto3.Session.return_value.region_name = None
    before = dict(os.environ)
    worker.new_client(pipeline, service, url)
    told = worker.boto3.client.call_args.kwargs
    assert (told["endpoint_url"], "aws_access_key_id" in told) == (address, signs)
    assert told["region_name"] == ("eu-central-1" if url == AWS else "us-east-1")
    assert dict(os.environ) == before


PLACES = {"mlkit": "mlkit", "file": "pipeline.yaml", "runs_dir": "runs"}
