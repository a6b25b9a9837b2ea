"""`mlkit schema`, and what runs write and commands print: it keeps to what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from mlkit.cli.reference_pages import usage_of
from mlkit.core.events import EventKind
from mlkit.core.schemas import SCHEMAS, name_of, schema_of
from mlkit.testing import FakeRunner, Raises, Sketch, run_fake, write_pipeline
from mlkit.testing.sample_class import write_sample
from tests.cli.conftest import Call
from tests.documents import check_document

TESTS = Path(__file__).resolve().parents[1]


def test_a_schema_is_printed_or_written(call: Call, tmp_path: Path) -> None:
    """The same document; a name that does not exist is answered with those that do."""
    printed = call("schema").json()
    assert printed["title"] == "pipeline.yaml of mlkit"
    file = tmp_path / "pipeline.schema.json"
    assert call("schema", "pipeline", "--to", file, "--json").json()["file"] == str(file)
    assert json.loads(file.read_text("utf-8")) == printed
    wrong = call("schema", "pipline")
    assert (wrong.code, "Did you mean 'pipeline'?" in wrong.err) == (2, True)
    assert call("schema", "pipeline", "--to", tmp_path).code == 2


def test_every_schema_is_named_in_the_help(call: Call) -> None:
    """What is of no command is named; a command's goes by its words, in either form."""
    told = call("schema", "--help").out
    commands = {name_of(words) for words, _ in usage_of()}
    assert [name for name in SCHEMAS if name not in commands and name not in told] == []
    assert call("schema", "class stats").json() == call("schema", "class-stats").json()


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
    check_document("record", json.loads((folder / "run.json").read_text("utf-8")))
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    for line in lines:
        check_document("event", line)
    kinds = {line["event"] for line in lines}
    assert {"run_started", "stage_finished", "attempt_finished", "run_finished"} <= kinds
    check_document("run", record.to_json())
    assert "error" in call("plan", tmp_path / "nowhere", "--json").json()
    assert "error" in call("plan", "--no-such-option", "--json").json()


def test_every_kind_of_event_has_its_fields() -> None:
    """A kind that is added stands in the schema, too: without its fields it is refused."""
    validator = Draft202012Validator(schema_of("event"))
    for kind in EventKind:
        bare = {"event": kind.value, "time": 1.0, "run_id": "r"}
        assert list(validator.iter_errors(bare)), kind


CALLS = """\
init {new}
add more {copy} --in first.out
run {p} --runs-dir {runs}
plan {p} --runs-dir {runs}
resume latest {p} --runs-dir {runs}
runs {p} --runs-dir {runs}
show latest {p} --runs-dir {runs}
show latest first {p} --runs-dir {runs} --trace
label latest best {p} --runs-dir {runs}
unlabel best {p} --runs-dir {runs}
promote latest {p} --runs-dir {runs}
compare latest latest {p} --runs-dir {runs}
compare latest latest latest {p} --runs-dir {runs}
graph {p}
report latest {p} --runs-dir {runs}
debug latest first {p} --runs-dir {runs} --no-open
sweep {p} -p size=1 --runs-dir {runs}
backfill {p} --from 2026-01-01 --to 2026-01-03 --dry-run --runs-dir {runs}
export airflow {p} --to {new}/dags
notify latest first {p} --runs-dir {runs}
clean {p} --runs-dir {runs} --keep 0 --dry-run
learn {new}/lessons
exercise new mean --solutions {new}/solutions
exercise release --solutions {new}/solutions --to {new}/handout
class collect {class}/download.zip --timezone UTC --to {new}/collected
class quiz 5 --form moodle --to {new}/quiz
kernels
explain E205
explain
schema
schema --to {new}/pipeline.schema.json
completion bash
""".splitlines()
"""Calls that need no kernel: what would be computed is there already."""

ELSEWHERE = {
    "convert": 'converting/test_converting.py: check_document("convert"',
    "edit": 'cli/test_edit.py: check_document("edit"',
    "serve": 'cli/test_serve.py: check_document("serve"',
    "render": 'rendering/test_building.py: check_document("render"',
    "doctor": 'cli/test_doctor.py: spoken.json()["checks"]',
    "check": 'cli/test_exercise.py: call("check", "--json").json()',
    "exercises": 'grading/test_commands.py: check_document("exercises"',
    "exercise check": 'cli/test_exercise.py: call("exercise", "check", "--json")',
    "grade": 'grading/test_commands.py: check_document("grade"',
    "class return": 'grading/classroom/test_week.py: check_document("class return"',
    "class written": 'grading/classroom/test_in_words.py: check_document("class written"',
    "class stats": 'grading/classroom/test_week.py: check_document("class stats"',
}
"""Commands that need more, each with the test that holds what they print against its schema."""


def test_every_command_s_document_is_held_against_its_schema() -> None:
    """A command that is added needs a schema, and a call whose document keeps to it."""
    commands = [words for words, _ in usage_of()]
    assert [words for words in commands if name_of(words) not in SCHEMAS] == []
    called = {words for words in commands for line in CALLS if f"{line} ".startswith(f"{words} ")}
    assert called | set(ELSEWHERE) == set(commands)
    for words, place in ELSEWHERE.items():
        file, _, text = place.partition(": ")
        assert text in (TESTS / file).read_text("utf-8"), words


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A pipeline that has run, a copy of it, its runs folder, a class, and a new folder."""
    stages = [
        Sketch(name="first", declares="size: int = 1"),
        Sketch(name="last", upstream=("first",)),
    ]
    made = {
        name: write_pipeline(tmp_path / name, *stages, schedule="@daily", parameters={"size": 1})
        for name in ("p", "copy")
    }
    run_fake(made["p"], runs_dir=tmp_path / "runs")
    write_sample(tmp_path / "class")
    (tmp_path / "new").mkdir()
    folders = {name: tmp_path / name for name in ("runs", "class", "new")}
    return {**made, **folders}


def test_commands_print_what_their_schemas_say(call: Call, places: dict[str, Path]) -> None:
    """And no field that the schema does not name."""
    for line in CALLS:
        printed = call(*(word.format(**places) for word in line.split()), "--json")
        assert (printed.code, "error" in printed.json()) == (0, False), (line, printed.err)


def test_a_field_that_no_schema_names_is_found() -> None:
    """The check itself can fail: for a field too many, too few, and of another kind."""
    right: dict[str, object] = {"run_id": "r", "format": "html", "file": "f"}
    check_document("report", right)
    for wrong in ({**right, "more": 1}, {"run_id": "r"}, {**right, "format": "doc"}):
        with pytest.raises(ValidationError):
            check_document("report", wrong)
