"""`--profile` and `--env-file`: on command lines, in records, in the files of engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlkit.api.exports import export
from mlkit.api.resuming import resume
from mlkit.cli.main import main
from mlkit.core.states import Status
from mlkit.driver.options import RunOptions
from mlkit.driver.surroundings import kernel_environment
from mlkit.errors import UsageError
from mlkit.load.pipeline_file import load_pipeline
from mlkit.testing import FakeRunner, Raises, run_fake
from mlkit.testing.running import fake_services
from mlkit.testing.sketches import write_notebook

TEXT = """\
name: p
schedule: "0 2 * * *"
parameters: {rows: 1, place: "${PLACE}"}
profiles:
  prod: {parameters: {rows: 5000}, env: {MODE: prod}}
  test: {parameters: {rows: 3}}
stages:
  one:
    notebook: one.ipynb
    outputs: {out: out.txt}
"""
LINE = TEXT.splitlines().index("  prod: {parameters: {rows: 5000}, env: {MODE: prod}}") + 1


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline with two profiles; what commands set in this process is taken back."""
    for name in ("MLKIT_PROFILE", "MLKIT_PARAM_ROWS", "PLACE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    write_notebook(
        tmp_path / "one.ipynb",
        'open(out, "w").write(str(rows) + place)',
        parameters='rows: int = 2\nplace: str = ""\nout: str = ""',
    )
    path = tmp_path / "pipeline.yaml"
    path.write_text(TEXT)
    return path


def _plan(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["plan", *map(str, arguments)])
    assert not ended.value.code
    return capsys.readouterr().out


def test_plan_says_which_values_the_profile_gives(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the text and in the document, with the line; also of the variables."""
    monkeypatch.setenv("PLACE", "here")
    told = json.loads(_plan(capsys, file, "--profile", "prod", "--json"))
    origin = f"pipeline.yaml:{LINE}, profile 'prod'"
    assert told["profile"] == "prod"
    assert told["parameters"]["rows"] == {"value": 5000, "origin": origin}
    variable = {"value": "prod", "origin": f"pipeline.yaml:{LINE}"}
    assert told["env"] == {"one": {"MODE": variable}}
    text = _plan(capsys, file, "--profile", "prod")
    assert "p (profile prod)" in text
    assert origin in text
    assert "MODE" in text
    assert json.loads(_plan(capsys, file, "--json"))["profile"] is None


def test_a_file_of_variables_gives_values_and_chooses_the_profile(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`${NAME}` and `MLKIT_…`; the environment and the command line win over it."""
    variables = file.with_name("prod.env")
    variables.write_text("PLACE=there\nMLKIT_PROFILE=prod\n")
    told = json.loads(_plan(capsys, file, "--env-file", variables, "--json"))
    assert (told["profile"], told["parameters"]["place"]["value"]) == ("prod", "there")
    monkeypatch.setenv("PLACE", "here")
    arguments = [file, "--env-file", variables, "--profile", "test", "--json"]
    told = json.loads(_plan(capsys, *arguments))
    assert (told["profile"], told["parameters"]["place"]["value"]) == ("test", "here")


def test_no_kernel_sees_the_file_of_variables(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands in it is for pipeline.yaml; a notebook finds what `env` sets."""
    import os

    variables = file.with_name("prod.env")
    variables.write_text("PLACE=there\nMLKIT_PARAM_ROWS=4\n")
    told = json.loads(_plan(capsys, file, "--env-file", variables, "--json"))
    assert told["parameters"]["rows"]["value"] == 4
    assert not {"PLACE", "MLKIT_PARAM_ROWS"} & kernel_environment(os.environ).keys()


def test_a_mistake_in_such_a_file_ends_with_2(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its line, before anything runs."""
    variables = file.with_name("prod.env")
    variables.write_text("PLACE=there\nwhat is this\n")
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(file), "--env-file", str(variables)])
    assert ended.value.code == 2
    assert f"{variables}:2: this line sets no variable" in capsys.readouterr().err


def test_a_resumed_run_takes_its_own_profile(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the values that it began with, whatever profile the day prefers."""
    environ = {"PLACE": "x"}
    broken = FakeRunner({"one": [Raises()]})
    first = run_fake(file, runner=broken, environ=environ, profile="prod")
    assert first.stages["one"].status is Status.FAILED
    assert first.options["profile"] == "prod"
    file.write_text(TEXT.replace("rows: 5000", "rows: 6000"))
    monkeypatch.setenv("MLKIT_PROFILE", "test")
    runner = FakeRunner()
    ended = resume(first.run_id, file, services=fake_services(runner=runner), environ=environ)
    assert ended.ok
    assert ended.options["profile"] == "prod"
    assert Path(ended.stages["one"].outputs["out"]).read_text() == "5000x"
    assert runner.requests[0].env["MODE"] == "prod"


def test_a_pipeline_that_is_loaded_has_its_profile(file: Path) -> None:
    """The run records it; another one that is asked for beside it is refused."""
    pipeline = load_pipeline(file, profile="prod")
    assert run_fake(pipeline, environ={"PLACE": "x"}).options["profile"] == "prod"
    with pytest.raises(UsageError, match="loaded with the profile 'prod'"):
        run_fake(pipeline, environ={"PLACE": "x"}, profile="test")


@pytest.mark.parametrize("engine", ["airflow", "dagster", "kubeflow", "prefect", "stepfunctions"])
def test_tasks_of_an_engine_call_with_the_same_profile(file: Path, engine: str) -> None:
    """By its name, not by its values; and `${PLACE}` needs no value yet."""
    made = export(file, engine, options=RunOptions(profile="prod"))
    text = "\n".join(made.files.values())
    assert "--profile" in text
    assert "rows=5000" not in text  # a form may show it; a task is told what was changed there
