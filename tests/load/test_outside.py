"""Files from outside and notebooks are looked at when a pipeline is read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mlkit.core.pipeline import (
    ExternalFile,
)
from mlkit.errors import PipelineError
from mlkit.load import load_pipeline
from mlkit.testing import Sketch, write_pipeline
from tests.load.conftest import HEAD, Project
from tests.other_user import ANN, mlkit_as

LONG = "x" * 300


def _prepare(folder: Path) -> None:
    """Everything that can stand where a file is meant."""
    (folder / "flights.csv").touch()
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "round").symlink_to("about")
    (folder / "about").symlink_to("round")
    (folder / "dangling").symlink_to("gone.csv")
    (folder / "linked" / "below").mkdir(parents=True)
    (folder / "linked" / "below" / "x.csv").symlink_to("../../flights.csv")
    (folder / "piped").mkdir()
    os.mkfifo(folder / "piped" / "p")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(folder, os.O_RDONLY)
        try:  # a socket's path may have 107 bytes only
            server.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)


REFUSALS = {
    "flihgts.csv": ("there is no file 'flihgts.csv'", "Did you mean 'flights.csv'?"),
    "nowhere/x.csv": ("there is no file 'nowhere/x.csv'", "There is no folder"),
    "*.csv": ("'file:' takes one file or folder, not a pattern", "Name each file as an input"),
    "folder": ("'folder' is a folder", "Write 'file:folder/' to take all of it"),
    "flights.csv/": ("'flights.csv/' is no folder", "Write 'file:flights.csv'"),
    "fodler/": ("there is no folder 'fodler/'", "Did you mean 'folder'?"),
    "flights.cs/": ("there is no folder 'flights.cs/'", "Known: folder, linked, piped"),
    "folde": ("there is no file 'folde'", "Known: a.ipynb, about, dangling, flights.csv"),
    "linked/": ("'linked/' cannot be taken: 'below/x.csv' in it is a link", "Put a copy in its"),
    "piped/": ("'piped/' cannot be taken: 'p' in it is neither", "Put a copy in its place"),
    "pipe/": ("'pipe/' is no folder", "Write 'file:pipe'"),
    "https://example.org/x.csv": ("is an address", "Let a stage fetch it"),
    "s3://bucket/x.csv": ("is an address", "Let a stage fetch it"),
    "pipe": ("'pipe' is a pipe", "Let a stage read it"),
    "socket": ("'socket' is a socket", "Let a stage read it"),
    "/dev/zero": ("'/dev/zero' is a device", "Let a stage read it"),
    "round": ("cannot be looked at: Too many levels of symbolic links", "Look at"),
    "dangling": ("is a link that leads nowhere", "It names gone.csv"),
    LONG: ("cannot be looked at: File name too long", "Look at"),
    "flights.csv/x": ("there is no file 'flights.csv/x'", "There is no folder"),
    "a\0b": ("the path holds a NUL character", "Take it away"),
}


def _reader(folder: Path, text: str, **keys: object) -> Path:
    inputs = {"inputs": {"table": f"file:{text}"}}
    sketch = Sketch(name="a", declares='table: str = ""', keys={**inputs, **keys})
    return write_pipeline(folder, sketch)


@pytest.mark.parametrize("text", REFUSALS)
def test_what_is_no_file_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    """Before anything runs, and none of it is opened: a pipe would be waited for without end."""
    _prepare(tmp_path)
    with pytest.raises(PipelineError) as caught:
        load_pipeline(_reader(tmp_path, text))
    fact, remedy = REFUSALS[text]
    lines = (tmp_path / "pipeline.yaml").read_text().splitlines()
    assert caught.value.message.startswith("stage 'a': input 'table': ")
    assert fact in caught.value.message
    assert remedy in str(caught.value.remedy)
    assert caught.value.line is not None
    assert "table" in lines[caught.value.line - 1]


@pytest.mark.parametrize(
    "name", ["a b.csv", "ä {x} [1] %41 #?.csv", "-f", "c'd\".csv", "new\nline"]
)
def test_any_name_that_a_file_can_have_is_taken(tmp_path: Path, name: str) -> None:
    """None of it is a pattern, a format or an address."""
    (tmp_path / name).touch()
    source = load_pipeline(_reader(tmp_path, name)).stages["a"].inputs["table"]
    assert str(source) == f"file:{tmp_path / name}"


def test_a_file_that_something_waits_for_may_come_later(tmp_path: Path) -> None:
    """For the stage itself, and for those behind it; what is no file is refused all the same."""
    wait = {"wait_for": {"path": "late.csv"}}
    load_pipeline(_reader(tmp_path, "late.csv", **wait))
    with pytest.raises(PipelineError, match="is an address"):
        load_pipeline(_reader(tmp_path, "https://x/late.csv", **wait))
    behind = Sketch(
        name="b",
        upstream=("first",),
        declares='table: str = ""',
        keys={"inputs": {"table": "file:late.csv"}},
    )
    load_pipeline(write_pipeline(tmp_path, Sketch(name="first", keys=wait), behind))


def test_a_file_without_rights_is_refused(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """For root nothing is without rights: there another user asks."""
    if os.geteuid() == 0:
        place: Path = request.getfixturevalue("open_place")
        _unreadable(place)
        done = mlkit_as(ANN, "plan", str(place), cwd=place)
        assert done.returncode == 2
        said = done.stderr
    else:
        with pytest.raises(PipelineError) as caught:
            load_pipeline(_unreadable(tmp_path))
        said = str(caught.value)
    assert "input 'table': 'mine.csv' may not be read" in said
    assert "chmod +r" in said


def _unreadable(folder: Path) -> Path:
    (folder / "mine.csv").touch(mode=0o000)
    return _reader(folder, "mine.csv")


with pytest.raises(ValueError, match="embedded null") as nul:
    Path("a\0b").stat()
NUL = str(nul.value)
"""How this Python calls a NUL in a path."""


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("pipe", "'pipe' is not a file"),
        ("/dev/zero", "'zero' is not a file"),
        ("round", "the notebook 'round' cannot be looked at: Too many levels of symbolic links"),
        (LONG, f"the notebook '{'x' * 60}…' cannot be looked at: File name too long"),
        ("a\0b", rf"the notebook 'a\0b' cannot be looked at: {NUL}"),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, name: str, fact: str) -> None:
    """It is not opened."""
    _prepare(tmp_path)
    with pytest.raises(PipelineError) as caught:
        load_pipeline(write_pipeline(tmp_path, Sketch(name="a", keys={"notebook": name})))
    assert caught.value.message == f"stage 'a': {fact}"
    assert caught.value.line is not None


def test_files_from_outside(project: Project) -> None:
    """`file:` is relative to pipeline.yaml, absolute, or begins with a variable."""
    project.notebook("in.ipynb", 'a = ""\nb = ""\nc = ""\n')
    for name in ("data/a.csv", "b [1].csv"):
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).touch()
    there = project.folder / "b [1].csv"
    pipeline = project.load(
        HEAD
        + "  s:\n    notebook: in.ipynb\n    inputs:\n"
        + f"      a: file:data/a.csv\n      b: 'file:{there}'\n      c: file:${{DATA}}/c.csv\n"
    )
    assert pipeline.stages["s"].inputs == {
        "a": ExternalFile(path=project.folder / "data/a.csv"),
        "b": ExternalFile(path=there),
        "c": ExternalFile(path=Path("${DATA}/c.csv")),
    }
    assert pipeline.stages["s"].upstream == ()
