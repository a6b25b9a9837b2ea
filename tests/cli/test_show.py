"""`mlkit show RUN STAGE`: a stage of a run, and what its result depends on; as text, as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlkit.cli.main import app
from mlkit.errors import UsageError
from mlkit.reports.trace_listing import trace_text
from mlkit.testing import FakeRunner, Raises, Returns, branching, chain, mapped, run_fake
from tests.documents import check_document


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A pipeline whose first stage has imported a helper."""
    (tmp_path / "own.py").write_text("x = 1\n")
    file = chain(tmp_path, 1)
    told = Returns(modules={"own": str(tmp_path / "own.py")}, imported=("own", "numpy", "nowhere"))
    run_fake(file, runner=FakeRunner({"s1": [told]}))
    return file


def shown(*words: str) -> tuple[int, str]:
    """Exit code and output of `mlkit show`."""
    result = CliRunner().invoke(app, ["show", *words])
    return result.exit_code, result.output


def test_a_trace_is_listed(file: Path) -> None:
    """Files with their modules, packages, what was looked for in vain, and the boundary."""
    code, text = shown("latest", "s1", str(file), "--trace")
    assert code == 0
    assert "own.py" in text
    assert "(module own)" in text
    assert "numpy" in text
    assert text.index("looked for in vain") < text.index("nowhere")
    assert "Not seen:" in text


def test_a_trace_as_json_is_the_recorded_one(file: Path) -> None:
    """One document."""
    code, text = shown("latest", "s1", str(file), "--trace", "--json")
    assert code == 0
    check_document("show", json.loads(text))
    assert list(json.loads(text)["files"]) == ["notebook:own.py"]


def test_what_the_code_asked_of_a_file_is_listed(file: Path) -> None:
    """Its dates, its mode, and what may be done with it; in words."""
    _, text = shown("latest", "s1", str(file), "--trace", "--json")
    asked = {"st_mtime_ns": 10**18, "st_mode": 0o100640}
    listing = trace_text(
        "s1",
        {
            **json.loads(text),
            "status": {"notebook:own.py": asked, "notebook:other": {}},
            "may": {"notebook:tool": {"1": True}},
        },
    )
    assert (
        "Dates and modes\n  own.py  written 2001-09-09 01:46:40+00:00, mode -rw-r-----" in listing
    )
    assert "What may be done with\n  tool" in listing


@pytest.mark.parametrize(
    "words", [("--trace",), ("s1", "{file}", "extra"), ("s1", "{file}", "--trace", "--value")]
)
def test_a_trace_needs_a_stage(file: Path, words: tuple[str, ...]) -> None:
    """Of one stage at a time, and not its value as well."""
    code, _ = shown("latest", *(word.format(file=file) for word in words))
    assert code != 0


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A chain whose second stage fails at its only attempt, with a long message."""
    file = chain(tmp_path, 2)
    runner = FakeRunner(
        {"s2": [Raises(type="ValueError", message="long " * 200 + "end\nsecond line")]}
    )
    assert run_fake(file, runner=runner).status == "failed"
    return file


def test_a_stage_is_shown_with_its_error_whole(failed: Path, tmp_path: Path) -> None:
    """Summaries cut long messages; here every word stands, beside what the stage was given."""
    (run,) = [path.name for path in (tmp_path / "runs").glob("2*")]
    code, text = shown(run, "s2", str(failed))
    assert code == 0
    assert text.startswith("s2: ✗ failed")
    assert text.split().count("long") == 200
    assert "second line" in text
    assert "s1/" in text[text.index("Inputs") :]
    code, text = shown(run, "s1", str(failed))
    assert "Error" not in text
    assert "Outputs" in text


def test_a_stage_as_json_is_its_part_of_the_record(failed: Path, tmp_path: Path) -> None:
    """The same values, and nothing of other stages."""
    (run,) = [path.name for path in (tmp_path / "runs").glob("2*")]
    _, text = shown(run, "s2", str(failed), "--json")
    part = json.loads(text)
    check_document("show", part)
    whole = json.loads(shown(run, str(failed), "--json")[1])
    assert part == {"run_id": run, "stages": {"s2": whole["stages"]["s2"]}}


def test_a_mapped_stage_is_shown_one_instance_after_the_other(tmp_path: Path) -> None:
    """Or the one that was asked for; a name that is none is answered with the next."""
    file = mapped(tmp_path, ["a", "b"])
    run_fake(file)
    every = shown("latest", "each", str(file))[1]
    heads = [line.split(":")[0] for line in every.splitlines() if ": ✓" in line]
    assert heads == ["each[a]", "each[b]"]
    assert shown("latest", "each[b]", str(file))[1] in every
    result = CliRunner().invoke(app, ["show", "latest", "eachx", str(file)])
    assert isinstance(result.exception, UsageError)
    assert "Did you mean" in str(result.exception.remedy)


def test_a_value_is_read_out_of_an_artifact(tmp_path: Path) -> None:
    """As JSON; what was not made is told apart from a value that is nothing."""
    file = branching(tmp_path)
    run_fake(file)
    assert shown("latest", "decide.out", str(file), "--value") == (0, '"yes"\n')
    for reference, told in (
        ("decide.out", {"made": True, "value": "yes"}),
        ("no.out", {"made": False, "value": None}),
        ("never.such", {"made": False, "value": None}),
    ):
        code, text = shown("latest", reference, str(file), "--value", "--json")
        check_document("show", json.loads(text))
        assert (code, json.loads(text)) == (0, told)
    assert shown("latest", "no.out", str(file), "--value")[0] != 0
    assert shown("latest", "yes.out", str(file), "--value")[0] != 0, "it is no JSON"


def test_an_artifact_that_is_not_there_is_told_by_those_that_are(tmp_path: Path) -> None:
    """Each value of a mapped stage has its own; a misspelled name is guessed."""
    file = mapped(tmp_path, ["a", "b"])
    run_fake(file)
    for reference, remedy in (
        ("each.out", "Each value has its own: mlkit show latest 'each[a].out' --value"),
        ("each[a].uot", "Did you mean 'each[a].out'?"),
        ("x.y", "Known: each[a].out, each[b].out, all.out"),
    ):
        result = CliRunner().invoke(app, ["show", "latest", reference, str(file), "--value"])
        assert isinstance(result.exception, UsageError)
        assert result.exception.remedy == remedy
