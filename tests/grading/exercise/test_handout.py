"""A handout is whole, the same each time, and never over what somebody has written."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from mlkit.errors import GradingError
from mlkit.grading.exercise.handout import Handout, home_of, write_folder, write_zip
from mlkit.grading.exercise.source import GIVEN

FILES = {"README.md": b"read", "exercises/a.ipynb": b"1", f"{GIVEN.as_posix()}/a.ipynb": b"1"}
ONE = Handout(files=FILES)


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_same_handout_changes_nothing(tmp_path: Path) -> None:
    """Not a byte, and nothing is left beside the files."""
    first = write_folder(ONE, tmp_path / "a b")
    before = _files(tmp_path / "a b")
    again = write_folder(ONE, tmp_path / "a b")
    assert sorted(first.new) == sorted(FILES)
    assert (again.new, again.changed, again.kept) == ((), (), ())
    assert _files(tmp_path / "a b") == before
    assert before.keys() == {*FILES, ".mlkit/handout.json"}


def test_a_later_handout_updates_what_nobody_changed_and_leaves_other_files(tmp_path: Path) -> None:
    """Those of an earlier handout, and those of people."""
    write_folder(Handout(files={**FILES, "exercises/b.ipynb": b"2"}), tmp_path)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    done = write_folder(Handout(files={**FILES, "exercises/a.ipynb": b"3"}), tmp_path)
    assert done.changed == ("exercises/a.ipynb",)
    assert (tmp_path / "exercises" / "b.ipynb").read_bytes() == b"2"
    newer = write_folder(Handout(files={"exercises/b.ipynb": b"4"}), tmp_path)
    assert newer.changed == ("exercises/b.ipynb",)


def test_what_was_edited_is_refused_and_then_nothing_is_written(tmp_path: Path) -> None:
    """Or left alone, however often, if that is asked for."""
    write_folder(ONE, tmp_path)
    (tmp_path / "exercises" / "a.ipynb").write_bytes(b"my answer")
    before = _files(tmp_path)
    later = Handout(files={**FILES, "exercises/a.ipynb": b"3", "README.md": b"new"})
    with pytest.raises(GradingError, match=r"exercises/a\.ipynb was changed"):
        write_folder(later, tmp_path)
    assert _files(tmp_path) == before
    for _ in range(2):
        assert write_folder(later, tmp_path, keep_edited=True).kept == ("exercises/a.ipynb",)
        assert (tmp_path / "exercises" / "a.ipynb").read_bytes() == b"my answer"
    assert (tmp_path / "README.md").read_bytes() == b"new"


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """So are a file, a broken record, and a link in the place of a file."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("all of it", encoding="utf-8")
    with pytest.raises(GradingError, match="not empty"):
        write_folder(ONE, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    with pytest.raises(GradingError, match="no folder"):
        write_folder(ONE, tmp_path / "full" / "thesis.txt")
    write_folder(ONE, tmp_path / "linked")
    (tmp_path / "linked" / "README.md").unlink()
    (tmp_path / "linked" / "README.md").symlink_to(tmp_path / "full" / "thesis.txt")
    with pytest.raises(GradingError, match="was changed"):
        write_folder(ONE, tmp_path / "linked")
    (tmp_path / "linked" / ".mlkit" / "handout.json").write_text("[]", encoding="utf-8")
    with pytest.raises(GradingError, match="record"):
        write_folder(ONE, tmp_path / "linked")


def test_a_zip_is_equal_bytes_and_replaces_only_its_like(tmp_path: Path) -> None:
    """Below a folder of its own name."""
    path = tmp_path / "week 1.zip"
    assert sorted(write_zip(ONE, path).new) == sorted([*FILES, ".mlkit/handout.json"])
    content = path.read_bytes()
    assert write_zip(ONE, path).new == ()
    assert path.read_bytes() == content
    with zipfile.ZipFile(path) as archive:
        assert archive.read("week 1/exercises/a.ipynb") == b"1"
    assert write_zip(Handout(files={"README.md": b"new"}), path).changed
    other = tmp_path / "thesis.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("thesis.txt", "all of it")
    kept = other.read_bytes()
    with pytest.raises(GradingError, match="not handed out"):
        write_zip(ONE, other)
    assert other.read_bytes() == kept


def _log(folder: Path) -> list[str]:
    done = subprocess.run(
        ["git", "-C", str(folder), "log", "--format=%s"], capture_output=True, check=True
    )
    return done.stdout.decode().split()


def test_a_repository_has_a_commit_for_each_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for somebody whom git does not know, and within another repository."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    folder = tmp_path / "hand out"
    write_folder(ONE, folder, git=True)
    write_folder(ONE, folder, git=True)
    monkeypatch.delenv("GIT_DIR")
    assert len(_log(folder)) == 1
    write_folder(Handout(files={**FILES, "README.md": b"new"}), folder, git=True)
    assert len(_log(folder)) == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_learners_folder_is_found_from_within(tmp_path: Path) -> None:
    """And nothing else is taken for one."""
    write_folder(ONE, tmp_path / "a")
    assert home_of(tmp_path / "a" / "exercises") == tmp_path / "a"
    assert home_of(tmp_path) is None


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """For a folder and for a zip."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(GradingError, match="cannot be written"):
        write_folder(ONE, tmp_path / "file" / "out")
    with pytest.raises(GradingError, match="cannot be written"):
        write_zip(ONE, tmp_path / "file" / "out.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
