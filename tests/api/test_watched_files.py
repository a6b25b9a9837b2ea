"""Saves are told once, when they are whole, however an editor makes them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mlkit.api.watched_files import Contents, Tree, WatchedFiles, is_passing, marks_of
from mlkit.testing.sketches import write_notebook


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Eye:
    """Files, and a clock that goes on by a hundredth of a second with each look."""

    def __init__(self, *places: Path, trees: tuple[Tree, ...] = ()) -> None:
        self.clock = Clock()
        self.files = WatchedFiles(self.clock)
        self.files.follow(map(str, places), trees)

    def looks(self, seconds: float) -> list[set[str]]:
        """Look so long; gives what was told, by the files' names."""
        told = []
        for _ in range(round(seconds * 100)):
            self.clock.now += 0.01
            saved, pause = self.files.look()
            assert pause > 0
            if saved:
                told.append({Path(place).name for place in saved})
        return told


def test_a_save_is_told_once(tmp_path: Path) -> None:
    """In place, aside and renamed, away, back, and where there was nothing before."""
    file = tmp_path / "a.py"
    file.write_text("1")
    eye = Eye(file, tmp_path / "new.py")
    assert eye.looks(1) == []
    file.write_text("2")
    assert eye.looks(1) == [{"a.py"}]
    aside = tmp_path / "a.py~"
    aside.write_text("3")
    aside.replace(file)
    assert eye.looks(1) == [{"a.py"}]
    file.unlink()
    assert eye.looks(1) == [{"a.py"}]
    file.write_text("3")
    (tmp_path / "new.py").write_text("4")
    assert eye.looks(1) == [{"a.py", "new.py"}]


def test_what_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """A file that is empty, away, half a notebook or still growing is not whole."""
    file, data = tmp_path / "a.ipynb", tmp_path / "data.csv"
    whole = json.dumps({"cells": []})
    file.write_text(whole)
    data.write_text("0")
    eye = Eye(file, data)
    for half in ("", whole[:5]):
        file.write_text(half)
        assert eye.looks(0.2) == []
        file.write_text(whole + " " * len(half))
        assert eye.looks(0.3) == [{"a.ipynb"}]
    file.rename(tmp_path / "a.bak")
    assert eye.looks(0.2) == []
    (tmp_path / "a.bak").rename(file)
    eye.looks(0.1)  # its inode's time differs: at most one save is told
    for number in range(30):
        with data.open("a") as stream:
            stream.write(f"{number}\n")
        assert eye.looks(0.01) == []
    assert eye.looks(0.1) == [{"data.csv"}]


def test_what_is_saved_together_is_told_together(tmp_path: Path) -> None:
    """An editor's *save all* is one save; a log that never rests holds it up for a moment only."""
    files = [tmp_path / f"{name}.py" for name in "abc"]
    for file in files:
        file.write_text("")
    eye = Eye(*files)
    for file in files:
        file.write_text("1")
        assert eye.looks(0.01) == []
    assert eye.looks(1) == [{"a.py", "b.py", "c.py"}]
    files[0].write_text("2")
    told: list[set[str]] = []
    for number in range(40):
        files[2].write_text("x" * number)
        told += eye.looks(0.01)
    assert told == [{"a.py"}]


def test_in_a_folder_names_are_noticed_but_for_editors_own(tmp_path: Path) -> None:
    """Hidden files, swap files, copies, environments and what does not count are passed over."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    tree = Tree(root=str(tmp_path), counts=lambda place: "scratch" not in Path(place).parts)
    eye = Eye(trees=(tree,))
    passing = (
        ".a.py.swp",
        "a.py~",
        "4913",
        "#a.py#",
        ".#a.py",
        "scratch/x.py",
        "env/y.py",
        "b.tmp",
    )
    for name in passing:
        (tmp_path / name).write_text("1")
    assert eye.looks(1) == []
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "new.py").write_text("1")
    assert eye.looks(1) == [{"new.py"}]
    (tmp_path / "sub" / "new.py").unlink()
    assert eye.looks(1) == [{"new.py"}]


@pytest.mark.parametrize("name", [".~lock.a.csv#", ".a.swp", "a.swx", "a~", "x.py___jb_tmp___"])
def test_names_that_pass(name: str) -> None:
    """Locks, swap files and copies of usual editors."""
    assert is_passing(name)
    assert not is_passing("a.py")


def test_a_look_that_was_recorded_counts(tmp_path: Path) -> None:
    """What changed between a stage's reading and the first look is told."""
    file = tmp_path / "a.py"
    file.write_text("1")
    before = marks_of(str(file))
    assert before is not None
    file.write_text("22")
    eye = Eye()
    eye.files.follow([str(file)], marks={str(file): before})
    assert eye.looks(1) == [{"a.py"}]


def test_of_a_notebook_its_code_counts(tmp_path: Path) -> None:
    """Prose, outputs, indentation and a bare touch change nothing; code, tags and a kernel do."""
    file, other = tmp_path / "a.ipynb", tmp_path / "b.txt"
    write_notebook(file, "x = 1", "#%% md\nprose", parameters="p = 1")
    other.write_text("1")
    contents = Contents()
    places = [str(file), str(other)]
    contents.follow(places, places[:1])

    def edited(change: str) -> bool:
        document = json.loads(file.read_text())
        code = document["cells"][1]
        match change:
            case "prose":
                document["cells"][2]["source"] = "other prose"
            case "outputs":
                code["outputs"], code["execution_count"] = [{"output_type": "stream"}], 7
            case "code":
                code["source"] += "\nx += 1"
            case "tag":
                code["metadata"]["tags"] = ["raises-exception"]
            case "kernel":
                document["metadata"]["kernelspec"]["name"] = "ir"
        file.write_text(json.dumps(document, indent=2))
        return contents.counting(places) == {str(file)}

    counts = {
        change: edited(change)
        for change in ("indentation", "prose", "outputs", "code", "tag", "kernel")
    }
    assert [name for name, counted in counts.items() if counted] == ["code", "tag", "kernel"]
    file.write_text("{ broken")
    assert contents.counting(places) == {str(file)}
    assert contents.counting(places) == set()


def test_of_a_folder_its_names_count(tmp_path: Path) -> None:
    """An editor that saves aside and renames changes the folder's time at every save, and no name.

    Taken for a change, two such saves in two rounds made it a folder that a stage writes into: then
    a new file in it started nothing.
    """
    folder, file = str(tmp_path), tmp_path / "a.csv"
    file.touch()
    contents = Contents()
    contents.follow([folder], [])
    (tmp_path / ".a.csv.tmp").write_text("1")
    (tmp_path / ".a.csv.tmp").replace(file)
    (tmp_path / "a.csv~").touch()
    assert contents.counting([folder]) == set()
    (tmp_path / "b.csv").touch()
    assert contents.counting([folder]) == {folder}
    (tmp_path / "b.csv").rename(tmp_path / "c.csv")
    assert contents.counting([folder]) == {folder}
    (tmp_path / "c.csv").unlink()
    assert contents.counting([folder]) == {folder}
    assert contents.counting([folder]) == set()


def test_a_folder_that_is_new_tells_what_was_saved_since(tmp_path: Path) -> None:
    """Somebody may have mended something before anybody looked there."""
    for name, when in (("old.py", 100), ("new.py", 300)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (when, when))
    tree = Tree(root=str(tmp_path), counts=lambda _: True)
    eye = Eye()
    eye.files.follow([], [tree], since=200)
    assert eye.looks(1) == [{"new.py"}]
    (tmp_path / "between.py").write_text("1")
    eye.files.follow([], [tree], since=10**11)
    assert eye.looks(1) == [{"between.py"}]


def test_what_changed_before_it_was_known_counts(tmp_path: Path) -> None:
    """Its digest is not taken for that of what a stage has read."""
    file = tmp_path / "a.py"
    file.write_text("1")
    contents = Contents()
    contents.follow([str(file)], [], doubtful=[str(file)])
    assert contents.counting([str(file)]) == {str(file)}
    assert contents.counting([str(file)]) == set()
