"""A pipeline in a folder of any name goes through every command: a path is no language."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.cli.main import main
from mlkit.testing import Sketch, run_fake, write_pipeline

NAMES = (
    "proj [v1]",
    "{x} {{y}} ${HOME} $(id) `id`",
    "100% %41 %s %(a)s",
    "#a ?b=c&d ;e",
    "'single' \"double\"",
    "-rf",
    "a\nb",
    "ü ñ 漢字 \u202e",
    "<b>bold</b> &amp;",
    "back\\slash [/red] [bold]",
    "*",
    " leading and trailing ",
    "~",
    "file:x",
    "x" * 200,
)
"""One for each language that a path comes near: globs, templates, URLs, shells, markup."""

letters = st.characters(codec="utf-8", exclude_characters="/\0")
folder_names = st.text(letters, min_size=1, max_size=30).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 100
)


def _call(*words: str) -> tuple[int, str, str]:
    """Call the command in this process; its exit code, what it printed, and what it said."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as end:
            return int(end.code or 0), out.getvalue(), err.getvalue()
    raise AssertionError("the command did not end")


def _right(*words: str) -> str:
    code, out, err = _call(*words)
    assert code == 0, (words, out, err)
    assert "Traceback" not in err
    return out


def _project(folder: Path) -> Path:
    """Two stages, an input from outside, a sensor."""
    table = 'table: str = ""'
    body = "open(out, 'w').write(open(table).read())"
    keys = {
        "inputs": {"table": "file:in [1].csv"},
        "wait_for": {"path": "in*.csv", "timeout": "1s", "every": "1s"},
    }
    file = write_pipeline(
        folder,
        Sketch(name="a", declares=table, body=body, keys=keys),
        Sketch(name="b", upstream=("a",)),
    )
    (folder / "in [1].csv").write_text("x")
    return file


def _goes_through(folder: Path, out: Path) -> None:
    file = str(_project(folder))
    assert json.loads(_right("plan", file, "--json"))["stages"]["a"]["action"] == "run"
    record = run_fake(file)
    assert record.status == "succeeded", record.stages
    assert Path(record.stages["b"].outputs["out"]).read_text() == "b(x)"
    assert run_fake(file).stages["a"].status == "cached"
    _right("show", "latest", file)
    shown = json.loads(_right("show", record.run_id, file, "--json"))
    assert shown["stages"]["b"]["outputs"]["out"] == record.stages["b"].outputs["out"]
    assert len(json.loads(_right("runs", file, "--json"))["runs"]) == 2
    _right("runs", file)
    _right("plan", file)
    _right("compare", record.run_id, "latest", file)
    for form in ("text", "mermaid", "svg"):
        assert _right("graph", file, "--to", form)
    page = out / "report.html"
    _right("report", record.run_id, file, "-o", str(page))
    assert "<b>bold</b>" not in page.read_text()
    _right("debug", record.run_id, "b", file, "--no-open")
    _right("clean", file, "--keep", "1", "--yes")
    assert len(json.loads(_right("runs", file, "--json"))["runs"]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_this_name(tmp_path: Path, name: str) -> None:
    """Plan, run, reuse, show, compare, graph, report, debug, clean."""
    _goes_through(tmp_path / name, tmp_path)


@pytest.mark.long
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(folder_names)
def test_a_folder_of_any_name(name: str) -> None:
    """Made up of any letters that a file system takes."""
    with tempfile.TemporaryDirectory(prefix="mlkit-names-") as place:
        _goes_through(Path(place) / name, Path(place))


@pytest.mark.parametrize("engine", ["airflow", "dagster", "kubeflow", "prefect", "stepfunctions"])
@pytest.mark.parametrize("name", NAMES[:9])
def test_an_export_is_python_whatever_the_name(tmp_path: Path, engine: str, name: str) -> None:
    """Each file that is Python can be read as such, and names the folder as it is."""
    import ast

    file = _project(tmp_path / name)
    code, _, err = _call("export", engine, str(file), "--to", str(tmp_path / "to"))
    assert "Traceback" not in err
    assert "inside mlkit" not in err
    if code != 0:
        pytest.fail(f"{engine} refuses: {err}")
    for path in (tmp_path / "to").rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        ("plan", LONG),
        ("run", f"{LONG}/pipeline.yaml"),
        ("plan", "{file}", "--runs-dir", LONG),
        ("run", "{file}", "--runs-dir", LONG),
        ("runs", "{file}", "--runs-dir", LONG),
        ("show", LONG, "{file}"),
        ("plan", "{file}", "-f", LONG),
        ("report", "latest", "{file}", "--out", LONG),
        ("graph", "{round}"),
        ("plan", "{round}/pipeline.yaml"),
        ("run", "{file}", "--runs-dir", "{round}"),
        ("clean", "{file}", "--runs-dir", "{round}"),
        ("export", "prefect", "{file}", "--to", LONG),
    ],
)
def test_what_the_system_refuses_is_a_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A name that is too long, and links that lead in a circle, wherever a path is given."""
    (tmp_path / "round").symlink_to("round")
    file = _project(tmp_path / "p")
    run_fake(file)
    places = {"file": str(file), "round": str(tmp_path / "round")}
    code, _, err = _call(*(word.format(**places) for word in words))
    assert code in (0, 1, 2)
    assert "inside mlkit" not in err
    assert "Traceback" not in err
    if code:
        assert err.startswith("mlkit: ")


def test_a_plan_says_what_cannot_be_read(tmp_path: Path) -> None:
    """As a run does; the other stages are planned all the same."""
    from mlkit.api.forecasting import plan
    from mlkit.load.pipeline_file import load_pipeline

    file = _project(tmp_path / "p")
    pipeline = load_pipeline(file)
    table = file.parent / "in [1].csv"
    table.unlink()
    table.symlink_to("/proc/self/mem")  # a file as any other, until somebody reads its first byte
    found = plan(pipeline)
    assert found["b"].reasons == ("would not start: a would fail",)
    assert found["a"].reasons == (f"would fail: an input cannot be read: {os.strerror(errno.EIO)}",)


@pytest.mark.parametrize(
    "words",
    [
        *("run X", "plan X", "graph X", "show latest X", "compare latest latest ./X", "serve X"),
        *("plan {p} --runs-dir X", "runs {p} --runs-dir X", "run {p} -f X", "graph {p} -o X"),
        *("convert {n} --to X", "convert X --to {f}", "init X", "export airflow {p} --to X"),
    ],
)
def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path: Path, words: str) -> None:
    """It was named on the command line: what the system refuses is a mistake, and nothing broke."""
    file = _project(tmp_path / "p")
    known = {"p": file, "n": file.parent / "a.ipynb", "f": tmp_path / "new"}
    called = [word.format(**known).replace("X", "x" * 300) for word in words.split()]
    code, out, _ = _call(*called, "--json")
    error = json.loads(out)["error"]
    assert "File name too long" in error["message"]
    assert not error["code"].startswith("E9")
    assert code == (1 if "--runs-dir" in called else 2)


@pytest.mark.parametrize(
    "words", ["plan X", "run X", "compare latest latest X/p", "show latest X/p"]
)
def test_the_home_of_a_user_who_is_not_there_is_no_pipeline(words: str) -> None:
    """`~NAME` of a shell that has not filled it in."""
    called = words.replace("X", "~no-such-user").split()
    code, out, _ = _call(*called, "--json")
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (2, "E212")
