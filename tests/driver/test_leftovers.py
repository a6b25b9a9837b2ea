"""What vanishes with a stage's working folder is told, and what it looked for there in vain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkit.core.outputs import Output
from mlkit.core.record import ErrorRecord
from mlkit.driver.leftovers import dropped, explained, sentence
from mlkit.notebook.notebook_runner import ExecutionRequest
from mlkit.testing import FakeRunner, Sketch, run_fake, write_pipeline


def _write(*names: str) -> Callable[[ExecutionRequest], None]:
    """A notebook that writes into its working folder, and then goes on."""

    def act(request: ExecutionRequest) -> None:
        for name in names:
            path = request.cwd / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")

    return act


def _log(file: Path, stage: str) -> str:
    return next((file.parent / "runs").glob(f"20*/{stage}/attempts/1/log.txt")).read_text()


def test_a_file_that_no_output_declares_is_named(tmp_path: Path) -> None:
    """In the log, in the record, and to observers; the stage has succeeded all the same."""
    file = write_pipeline(tmp_path, Sketch(name="a"))
    record = run_fake(file, runner=FakeRunner({"a": [_write("roc.png", "plots/1.png")]}))
    assert record.status == "succeeded"
    told = "wrote roc.png, plots/1.png, which no output declares: dropped"
    assert record.warnings == (f"stage 'a' {told}",)
    written = json.loads((tmp_path / "runs" / record.run_id / "run.json").read_text())
    assert written["warnings"] == [f"stage 'a' {told}"]


@pytest.mark.kernel
def test_a_real_notebook_is_told_in_its_log(tmp_path: Path) -> None:
    """And one that writes its outputs only is told nothing."""
    body = "open('roc.png', 'w').write('x')\nopen(out, 'w').write('x')"
    file = write_pipeline(tmp_path, Sketch(name="a", body=body), Sketch(name="b"))
    from mlkit import run

    record = run(file)
    assert record.warnings == ("stage 'a' wrote roc.png, which no output declares: dropped",)
    assert "mlkit: the notebook wrote roc.png, which no output declares" in _log(file, "a")
    assert "dropped" not in _log(file, "b")


def test_a_missing_output_names_what_was_written_instead(tmp_path: Path) -> None:
    """Probably the file stands in the wrong place."""
    sketch = Sketch(name="a", body="")
    file = write_pipeline(tmp_path, sketch)
    error = run_fake(file, runner=FakeRunner({"a": [_write("a.txt")]})).stages["a"].error
    assert error is not None
    assert error.type == "MissingOutput"
    assert error.message.endswith(
        "was not written; the notebook wrote a.txt, which no output declares: dropped"
    )


def test_names_are_gathered_by_folder(tmp_path: Path) -> None:
    """What libraries write for themselves and hidden files are not worth a word."""
    cwd, out = tmp_path / "cwd", tmp_path / "out"
    for name in ("cwd/deep/a", "cwd/deep/b", "cwd/one/x", "cwd/.hidden/x", "cwd/.x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("cwd/__pycache__/m.pyc", "cwd/catboost_info/t.tsv", "out/sub/made", "out/more"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert dropped(cwd, out, {"made": Output.of("sub/made")}) == (
        "deep/ (2 files)",
        "one/x",
        "more",
    )
    assert (
        dropped(tmp_path / "gone", out, {"a": Output.of("sub/made"), "b": Output.of("more")}) == ()
    )


def test_what_is_written_above_the_working_folder_is_named(tmp_path: Path) -> None:
    """Notebooks write to `../models`; nothing of it stays, neither in the run nor beside it."""
    names = ("../models/a", "../models/b", "../loose", "../../reports/x", "roc.png")
    file = write_pipeline(tmp_path, Sketch(name="a"))
    record = run_fake(file, runner=FakeRunner({"a": [_write(*names)]}))
    (told,) = record.warnings
    for name in ("../models/ (2 files)", "../loose", "../../reports/x", "roc.png"):
        assert name in told
    assert told.endswith("which no output declares: dropped")
    left = {path.name for path in (tmp_path / "runs").rglob("*")}
    assert not left & {"models", "loose", "reports", "roc.png"}


def test_a_long_list_is_cut() -> None:
    """The log is not the place for a thousand names."""
    names = tuple(f"{number}.txt" for number in range(7))
    assert sentence(names) == (
        "wrote 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more, which no output declares: dropped"
    )


IN_VAIN = {
    "open('data/x.csv')": "data/x.csv",
    "raise Exception(\"File `'tool.py'` not found.\")": "tool.py",
    "raise Exception(\"File `'tool'` not found.\")": "tool",
    "raise OSError('data/x.csv does not exist: \"data/x.csv\"')": "data/x.csv",
}


@pytest.mark.parametrize("code", IN_VAIN)
def test_a_file_beside_the_notebook_is_pointed_out(tmp_path: Path, code: str) -> None:
    """The error says where the stage works, and what to write."""
    file = write_pipeline(tmp_path, Sketch(name="a", body=code))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").touch()
    (tmp_path / "tool.py").touch()
    error = run_fake(file).stages["a"].error
    assert error is not None
    name = IN_VAIN[code]
    assert f"{name} stands beside the notebook" in error.message
    assert f"'file:{name}" in error.message


IN_NO_FOLDER = {
    "open('data/new.csv', 'w')": "if the notebook writes it, declare it as an output",
    "open('../data/new.csv', 'w')": "where there is no ../data",
    "import os; os.listdir('data')": "'file:data/'",
    "raise OSError(\"Cannot save file into a non-existent directory: 'data'\")": "as an output",
}


@pytest.mark.parametrize("code", IN_NO_FOLDER)
def test_a_folder_that_only_stands_beside_the_notebook_is_pointed_out(
    tmp_path: Path, code: str
) -> None:
    """Most notebooks write their tables and pictures into one."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    file = write_pipeline(notebooks, Sketch(name="a", body=code))
    for folder in (tmp_path, notebooks):
        (folder / "data").mkdir()
    error = run_fake(file).stages["a"].error
    assert error is not None
    assert IN_NO_FOLDER[code] in error.message
    assert "works in a folder of its own" in error.message


@pytest.mark.parametrize(
    "code",
    [
        "open('nowhere/other.csv')",
        "{}['data/x.csv']",
        "{}['data']",
        "open('/data/x.csv')",
        "open('a\\0b')",
    ],
)
def test_other_errors_stay_as_they_are(tmp_path: Path, code: str) -> None:
    """A file that is nowhere, a key that looks like one, an absolute path."""
    file = write_pipeline(tmp_path, Sketch(name="a", body=code))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").touch()
    error = run_fake(file).stages["a"].error
    assert error is not None
    assert "beside the notebook" not in error.message


def test_the_path_is_relative_to_the_pipeline(tmp_path: Path) -> None:
    """As `file:` takes it, wherever the notebook stands."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "x.csv").touch()
    error = ErrorRecord(
        type="FileNotFoundError",
        message="[Errno 2] No such file or directory: 'x.csv'",
        bases=("builtins.FileNotFoundError", "builtins.OSError"),
    )
    found = explained(error, (), notebooks, tmp_path, {})
    assert found is not None
    assert "'file:notebooks/x.csv'" in found.message


def test_the_remedy_names_the_parameter_that_held_the_path(tmp_path: Path) -> None:
    """Whoever comes from Papermill has it in the parameters cell, and only wires it."""
    cell = "table = 'data/x.csv'\nmade = 'data/new.csv'"
    for name, body in (("reads", "open(table)"), ("writes", "open(made, 'w')")):
        file = write_pipeline(tmp_path, Sketch(name=name, body=body, declares=cell))
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "x.csv").touch()
        error = run_fake(file).stages[name].error
        assert error is not None
        expected = {
            "reads": "(declare it in pipeline.yaml, inputs: {table: 'file:data/x.csv'}: a stage",
            "writes": "declare it as an output, outputs: {made: 'new.csv'}: a stage works in",
        }[name]
        assert expected in error.message
