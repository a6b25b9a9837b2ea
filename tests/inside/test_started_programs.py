"""What programs are told to read, as the arguments with which they are started say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mlkit.inside.callers import Callers
from mlkit.inside.counting_places import Places, installation
from mlkit.inside.started_programs import SETTINGS, StartedPrograms
from mlkit.planner.trace import unseen_programs


@dataclass
class Kept:
    """A record that keeps what it is told."""

    places: Places
    callers: Callers
    files: set[str] = field(default_factory=set)
    folders: set[tuple[str, str]] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    lines: list[tuple[Any, ...]] = field(default_factory=list)

    def write(self, *record: Any) -> None:
        """Keep a line."""
        self.lines.append(record)

    def once(self, *record: Any) -> None:
        """Keep a line, once."""
        if record not in self.lines:
            self.lines.append(record)

    def named(self, path: str, *, is_path: bool) -> None:
        """Keep a file that is there, or that is meant as a path."""
        if is_path or os.path.isfile(path):  # noqa: PTH113 - which takes any text
            self.files.add(path)

    def folder_told(self, path: str, what: str) -> None:
        """Keep a folder."""
        self.folders.add((path, what))

    def globbed(self, pattern: str) -> None:
        """Keep a pattern."""
        self.patterns.add(pattern)

    def variable(self, key: str) -> None:
        """Keep a variable."""
        self.variables.add(key)

    def whole_environment(self) -> None:
        """Keep that all were told."""
        self.variables.add("*")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which somebody works."""
    monkeypatch.chdir(tmp_path)
    for name in ("data.csv", "tool.py", "other.txt"):
        (tmp_path / name).write_text("1\n")
    return tmp_path


def told(
    project: Path, program: Any, arguments: Any, cwd: Path | None = None, env: Any = None
) -> Kept:
    """What a program is told."""
    everywhere = installation()
    places = Places([f"{project}/"], [], everywhere, has_links=False)
    kept = Kept(places, Callers(everywhere, in_kernel=True))
    StartedPrograms(kept).started(program, arguments, cwd, env)
    return kept


def names(kept: Kept) -> set[str]:
    """The files' bare names."""
    return {Path(path).name for path in kept.files}


@pytest.mark.parametrize(
    "arguments",
    [
        ["python", "tool.py", "--in=data.csv"],
        ["sh", "-c", "python tool.py < data.csv"],
        "python tool.py data.csv",
        [b"python", b"tool.py", Path("data.csv")],
        ["env", "LANG=C", "python", "tool.py", "data.csv"],
    ],
)
def test_files_in_arguments_are_named(project: Path, arguments: Any) -> None:
    """By whatever way the program is started."""
    kept = told(project, None if isinstance(arguments, str) else arguments[0], arguments)
    assert names(kept) >= {"tool.py", "data.csv"}
    assert "other.txt" not in names(kept)


def test_a_file_that_is_written_is_not_read(project: Path) -> None:
    """A shell's redirection says what is made."""
    kept = told(project, "sh", ["sh", "-c", "sort data.csv > other.txt"])
    assert names(kept) == {"data.csv"}
    written = [line[1] for line in kept.lines if line[0] == "written"]
    assert set(written) == {str(project / "other.txt")}


def test_a_relative_path_begins_where_the_program_works(project: Path) -> None:
    """That is not always where the notebook does."""
    inner = project / "inner"
    inner.mkdir()
    (inner / "data.csv").write_text("2\n")
    kept = told(project, "cat", ["cat", "data.csv"], cwd=inner)
    assert kept.files == {str(inner / "data.csv")}


def test_a_script_tells_what_it_names(project: Path) -> None:
    """The file counts, and what its lines read."""
    (project / "job.sh").write_text("#!/bin/sh\ncat other.txt\necho $HOME_OF_IT\n")
    kept = told(project, "sh", ["sh", "job.sh"])
    assert names(kept) == {"job.sh", "other.txt"}
    assert kept.variables == {"HOME_OF_IT"}


@pytest.mark.parametrize(
    ("line", "expected"), [("echo $A ${B:-1}", {"A", "B"}), ("env", {"*"}), ("echo 1", set())]
)
def test_a_shell_is_asked_for_variables(project: Path, line: str, expected: set[str]) -> None:
    """By name, or for all of them."""
    assert told(project, "sh", ["sh", "-c", line]).variables == expected


def test_a_pattern_counts_with_what_it_matches_today(project: Path) -> None:
    """A further file that matches would be read, too."""
    kept = told(project, "sh", ["sh", "-c", "cat *.csv"])
    assert str(project / "*.csv") in kept.patterns
    assert names(kept) == {"data.csv"}


@pytest.mark.parametrize(
    ("line", "what"), [("ls .", "names"), ("find . -name x", "tree"), ("grep -r x .", "files")]
)
def test_a_folder_counts_as_the_program_looks_at_it(project: Path, line: str, what: str) -> None:
    """By the names in it, by all names below it, or by its files."""
    kept = told(project, "sh", ["sh", "-c", line])
    assert kept.folders == {(str(project), what)}


def on_path(folder: Path, name: str) -> Path:
    """A program in a folder of its own."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\ncat data.csv\n")
    (folder / name).chmod(0o700)
    return folder


@pytest.mark.parametrize("arguments", [["ours", "-v"], ["sh", "-c", "true | ours -v"], "ours"])
def test_a_program_of_the_project_counts_where_path_leads_to_it(
    project: Path, arguments: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it reads itself; no path names it."""
    folder = on_path(project / "bin", "ours")
    assert names(told(project, None, arguments)) == set()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    found = told(project, None, arguments).files
    assert found >= {str(folder / "ours"), str(project / "data.csv")}


def test_a_program_may_appear_further_in_front(project: Path) -> None:
    """Then the same words start another one; what lies behind it is never started."""
    folders = [project / "front", on_path(project / "mid", "ours"), on_path(project / "z", "ours")]
    kept = told(project, "ours", ["ours"], env={"PATH": ":".join(map(str, folders))})
    assert kept.files >= {str(folders[0] / "ours"), str(folders[1] / "ours")}
    assert str(folders[2] / "ours") not in kept.files


@pytest.mark.parametrize(
    ("env", "name"),
    [
        (None, "python3"),
        ({"PATH": "/bin", SETTINGS: "x"}, "python3"),
        ({"PATH": "/bin"}, f"a python3 without {SETTINGS}"),
    ],
)
def test_a_python_that_cannot_tell_what_it_reads_is_named(
    project: Path, env: Any, name: str
) -> None:
    """By that variable it would find where to write it down."""
    kept = told(project, "python3", ["python3", "tool.py"], env=env)
    assert [line[1] for line in kept.lines if line[0] == "program"] == [name]
    assert bool(unseen_programs({"programs": [name]})) is (name != "python3")


@pytest.mark.parametrize("arguments", [[], None, ["\0"], ["x" * 5000], [1, 2], ""])
def test_odd_arguments_are_no_files(project: Path, arguments: Sequence[Any] | None) -> None:
    """What the call itself makes of them is its own affair."""
    kept = told(project, None, arguments)
    assert (kept.files, kept.folders, kept.variables) == (set(), set(), set())
