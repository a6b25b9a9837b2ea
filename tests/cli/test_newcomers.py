"""What somebody types who does not know mlkit yet: a fact, a way out, exit code 2."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.cli.main import COMMANDS, main
from tests.cli.conftest import Call, Spoken
from tests.cli.test_main import BELOW

MISTAKES = {
    "no pipeline here": (("run",), "pipeline.yaml: there is no such pipeline", "mlkit init DIR"),
    "a folder without one": (("run", "empty"), "there is no such pipeline", "mlkit init DIR"),
    "a notebook": (("run", "p/write.ipynb"), "looks like a notebook", "mlkit convert NOTEBOOK"),
    "a folder of its name": (("run", "odd"), "odd/pipeline.yaml: this is not a file", "Move it"),
    "that folder": (("plan", "odd/pipeline.yaml"), "pipeline.yaml: this is not a file", "Move it"),
    "no number": (("run", "p", "--workers", "x"), "'x' is not a whole number", "mlkit run --help"),
    "no stage": (("show", "latest", "--trace"), "goes with a stage", "latest train --trace"),
    "a file for a folder": (
        ("export", "airflow", "p", "--to", "p/pipeline.yaml"),
        "pipeline.yaml/words.py: the file cannot be written",
        "another folder with --to",
    ),
    "a pipeline in Latin-1": (
        ("plan", "latin"),
        "pipeline.yaml: the file cannot be read: byte 9 of it is not UTF-8 text",
        "Save it as UTF-8",
    ),
    "a notebook in Latin-1": (
        ("plan", "latin/of-notebook.yaml"),
        "latin.ipynb: the notebook cannot be read: byte 3 of it is not UTF-8 text",
        "Save it as UTF-8",
    ),
    "values in Latin-1": (
        ("plan", "p", "-f", "latin/pipeline.yaml"),
        "the file cannot be read: byte 9 of it is not UTF-8 text",
        "Save it as UTF-8",
    ),
    "nothing to grade": (("grade", "nowhere"), "there is no such file", "Name notebooks"),
    **{
        f"{words[0]} before a run": ((*words, "p"), "run", "Run 'mlkit run' first")
        for words in (
            *(("show", "latest"), ("report", "latest"), ("resume", "latest")),
            *(("label", "latest", "best"), ("unlabel", "latest", "best"), ("promote", "latest")),
            *(("compare", "latest", "latest"), ("notify", "latest", "write")),
            ("debug", "latest", "write", "--no-open"),
        )
    },
}


@pytest.fixture
def here(tmp_path: Path, words: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Their folder: a pipeline that has not run, empty, odd and badly encoded folders."""
    shutil.copytree(words, tmp_path / "p", ignore=shutil.ignore_patterns("runs"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd" / "pipeline.yaml").mkdir(parents=True)
    latin = tmp_path / "latin"
    latin.mkdir()
    (latin / "pipeline.yaml").write_bytes("name: fl\xfcge\n".encode("latin-1"))
    (latin / "latin.ipynb").write_bytes('{"\xfc": 1}'.encode("latin-1"))
    of_notebook = "name: p\nstages:\n  a: {notebook: latin.ipynb}\n"
    (latin / "of-notebook.yaml").write_text(of_notebook)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.usefixtures("here")
def test_a_newcomers_mistake_has_a_way_out(name: str, call: Call) -> None:
    """Not one that something is broken, nor that all keys of a notebook are unknown."""
    words, fact, remedy = MISTAKES[name]
    said = call(*words)
    assert said.code == 2
    assert said.out == ""
    assert fact in said.err
    assert remedy in said.err
    assert said.err.count("mlkit: ") == 1


def test_a_folder_that_is_gone_is_said_before_anything_runs(here: Path, words: Path) -> None:
    """A run that needs no path of that folder would succeed, and then not find its own words."""
    code = "import os, sys; os.rmdir(os.getcwd()); from mlkit.cli.main import main; main()"
    for asked in ([], [str(words)]):
        (here / "gone").mkdir()
        done = subprocess.run(
            [sys.executable, "-c", code, "plan", *asked],
            cwd=here / "gone",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 2
        assert "the folder that you are in has been removed" in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize("words", [(), ("class",), ("exercise",)])
def test_a_word_that_wants_another_prints_its_help(words: tuple[str, ...], call: Call) -> None:
    """As --help does, without a mistake around it."""
    alone, asked = call(*words), call(*words, "--help")
    assert (alone.code, asked.code) == (2, 0)
    assert alone.err == asked.out
    assert alone.out == ""


@pytest.mark.parametrize("name", [*COMMANDS, *BELOW])
def test_help_names_what_to_give_as_one_types_it(name: str, call: Call) -> None:
    """No braces, no types of Python, each argument of the usage line explained below."""
    said = call(*name.split(), "--help").out
    usage, _, rest = said.partition("\n\n")
    assert re.findall(r"range>|<text>|<path>|<int", said) == []
    assert re.findall(r"[{}]", usage) == []
    if "COMMAND [ARGS]" in usage:  # words with commands below them list these
        return
    for word in re.findall(r"[A-Za-z]+", usage.partition("[OPTIONS]")[2]):
        assert word.isupper() or word == "stop", usage
        assert word in rest


@given(name=st.sampled_from([each for each in COMMANDS if len(each) > 3]), data=st.data())
def test_a_slip_in_a_commands_name_is_answered_with_the_name(
    name: str, data: st.DataObject
) -> None:
    """Two letters change places, one is left out, or one comes twice."""
    at = data.draw(st.integers(0, len(name) - 2))
    kind = data.draw(st.sampled_from(["turned", "missing", "twice"]))
    middle = {"turned": name[at + 1] + name[at], "missing": name[at], "twice": name[at] * 2}[kind]
    slip = name[:at] + middle + name[at + (1 if kind == "twice" else 2) :]
    if slip in COMMANDS:
        return
    said = _said(slip)
    assert said.code == 2
    assert f"'{name}'" in said.err, said.err


def _said(*words: str) -> Spoken:
    """Call without a fixture: Hypothesis calls many times within one."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(list(words))
    code = ended.value.code
    ended_with = code if isinstance(code, int) else 0
    return Spoken(words=words, code=ended_with, out="", err=err.getvalue())
