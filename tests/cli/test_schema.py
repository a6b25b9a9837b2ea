"""`mlkit schema`, and what runs write and commands print: it keeps to what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mlkit.core.events import EventKind
from mlkit.core.schemas import SCHEMAS, schema_of
from mlkit.testing import FakeRunner, Raises, Sketch, run_fake, write_pipeline
from tests.cli.conftest import Call


def test_a_schema_is_printed_or_written(call: Call, tmp_path: Path) -> None:
    """The same document; a name that does not exist is answered with those that do."""
    printed = call("schema").json()
    assert printed["title"] == "pipeline.yaml of mlkit"
    file = tmp_path / "pipeline.schema.json"
    assert call("schema", "pipeline", "--to", file, "--json").json()["file"] == str(file)
    assert json.loads(file.read_text("utf-8")) == printed
    wrong = call("schema", "pipline")
    assert (wrong.code, "Did you mean 'pipeline'?" in wrong.err) == (2, True)
    assert call("schema", "pipeline", "--to", tmp_path).code == 1


def test_every_schema_is_named_in_the_help(call: Call) -> None:
    """One that is added is found by those who look for it."""
    told = call("schema", "--help").out
    assert [name for name in SCHEMAS if name not in told] == []


def check(name: str, document: object) -> None:
    """Validate a document."""
    Draft202012Validator(schema_of(name)).validate(document)


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A stage that is tried twice, one that is mapped, one that fails, one that cannot run."""
    return write_pipeline(
        tmp_path / "p",
        Sketch(name="first", keys={"retry": {"max_retries": 1, "delay": 0}}),
        Sketch(name="each", upstream=("first",), keys={"foreach": {"which": ["a", "b"]}},
               declares='which: str = "a"'),
        Sketch(name="broken", upstream=("first",)),
        Sketch(name="last", upstream=("broken",)),
    )  # fmt: skip


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one(name: str) -> None:
    """With a title; an empty document is refused by each."""
    Draft202012Validator.check_schema(schema_of(name))
    assert schema_of(name)["title"]
    assert list(Draft202012Validator(schema_of(name)).iter_errors({}))


def test_a_run_of_every_kind_of_stage_keeps_to_them(
    call: Call, pipeline: Path, tmp_path: Path
) -> None:
    """Its record, its events, and what the commands print of it."""
    runner = FakeRunner(
        {
            "first": [Raises(type="ConnectionError")],
            "broken": [Raises(type="ValueError", message="no")],
        }
    )
    runs = tmp_path / "runs"
    for _ in range(2):
        record = run_fake(pipeline, runner=runner, runs_dir=runs)
    folder = runs / record.run_id
    check("record", json.loads((folder / "run.json").read_text("utf-8")))
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    for line in lines:
        check("event", line)
    kinds = {line["event"] for line in lines}
    assert {"run_started", "stage_finished", "attempt_finished", "run_finished"} <= kinds
    check("run", record.to_json())
    check("runs", call("runs", pipeline, "--runs-dir", runs, "--json").json())
    check("plan", call("plan", pipeline, "--runs-dir", runs, "--json").json())
    check("error", call("plan", tmp_path / "nowhere", "--json").json())
    check("error", call("plan", "--no-such-option", "--json").json())


def test_every_kind_of_event_has_its_fields() -> None:
    """A kind that is added stands in the schema, too: without its fields it is refused."""
    validator = Draft202012Validator(schema_of("event"))
    for kind in EventKind:
        bare = {"event": kind.value, "time": 1.0, "run_id": "r"}
        assert list(validator.iter_errors(bare)), kind
