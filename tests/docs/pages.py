"""Follow a page of the documents as its reader does: write its files, call its commands, compare.

A block that no test follows has a reason right above it: `<!-- not followed: REASON -->`.

Of a page's fenced blocks two kinds are followed, in the order in which they stand. A block
`console` holds commands, each after `$ `, and below each what it prints: those lines, in that
order, perhaps among others, with `…` for anything. A command that ends with another code than 0
says so: `# ends with 1`. A block that names a file, as in ```` ```csv roster.csv ````, is written
into that file. What only a person can do, such as working in JupyterLab, is done by a function in
place of that command, given by the test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlkit.notebook.kernels.warm_zygotes import stop_warm_zygotes

__all__ = ["FOLLOWED", "Act", "Command", "File", "follow", "reasons_of", "steps_of"]

Act = Callable[[Path], None]
"""What a person does, given the folder worked in."""

FENCE = re.compile(r"^```(\w*)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REASON = re.compile(r"<!-- not followed: (.+) -->\n\Z")
DOCS = Path(__file__).resolve().parents[2] / "docs"
FOLLOWED: Mapping[Path, str] = {
    **dict.fromkeys(sorted((DOCS / "how-to").glob("*.md")), "test_followed_pages.py"),
    DOCS / "tutorial.md": "test_followed_pages.py",
    DOCS / "open-project.md": "test_followed_pages.py",
    DOCS / "instructor" / "open-project.md": "test_followed_pages.py",
    DOCS / "experiments.md": "test_followed_pages.py",
    DOCS / "stores.md": "test_followed_pages.py",
    DOCS / "testing.md": "test_followed_pages.py",
    DOCS / "maps.md": "test_maps.py",
    DOCS / "outputs.md": "test_outputs_page.py",
    DOCS / "instructor" / "quiz.md": "test_instructor_pages.py",
    DOCS / "teaching-a-class.md": "test_teaching_a_class.py",
}
"""Each page that is followed from its first step to its last, with the file of the test."""
CODE = re.compile(r"#\s*ends with (\d+)\s*$")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of a page, with what it should print and how it should end."""

    text: str
    line: int
    code: int = 0
    printed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that the page's reader writes."""

    name: str
    text: str
    line: int


@dataclass(kw_only=True)
class _Reader:
    """Where the reader of a page stands."""

    page: Path
    folder: Path
    home: Path
    env: dict[str, str]
    acts: dict[str, list[Act]] = field(default_factory=dict)

    def do(self, step: Command | File) -> None:
        """Follow one step of the page."""
        place = f"{self.page.name}:{step.line}"
        if isinstance(step, File):
            path = self.folder / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")
            return
        if step.text in self.acts:
            assert self.acts[step.text], f"{place}: a person has done {step.text!r} already"
            self.acts[step.text].pop(0)(self.folder)
            return
        self._call(step, place)

    def _call(self, step: Command, place: str) -> None:
        after = self.home / ".folder"
        script = f"trap 'pwd > \"{after}\"' EXIT\n{step.text}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        said = f"{place}: $ {step.text}\n{done.stdout}"
        assert done.returncode == step.code, f"{said}\nended with {done.returncode}"
        missing = _missing(step.printed, done.stdout)
        assert missing is None, f"{said}\ndid not print: {missing}"
        self.folder = Path(after.read_text(encoding="utf-8").strip())


def reasons_of(page: Path) -> Mapping[int, str]:
    """The reason why a block is not followed, by the line of its fence."""
    text = page.read_text(encoding="utf-8")
    found = {}
    for block in FENCE.finditer(text):
        reason = REASON.search(text[: block.start()])
        if reason is not None:
            found[text.count("\n", 0, block.start()) + 1] = reason[1]
    return found


def steps_of(page: Path) -> Iterator[Command | File]:
    """The steps of a page, in order; what has a reason not to be followed is none."""
    text = page.read_text(encoding="utf-8")
    reasons = reasons_of(page)
    for block in FENCE.finditer(text):
        language, name, content = block.groups()
        if text.count("\n", 0, block.start()) + 1 in reasons:
            continue
        line = text.count("\n", 0, block.start()) + 2
        if name:
            yield File(name=name, text=content, line=line)
        elif language == "console":
            yield from _commands(content.splitlines(), line)


def _commands(lines: Sequence[str], first: int) -> Iterator[Command]:
    """The commands of one block; a line that ends with a backslash goes on in the next."""
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        words = [lines[start][2:]]
        rest = list(lines[start + 1 : end])
        while words[-1].endswith("\\"):
            words.append(rest.pop(0))
        text = "\n".join(words)
        code = CODE.search(text)
        yield Command(
            text=CODE.sub("", text).strip(),
            line=first + start,
            code=int(code[1]) if code else 0,
            printed=tuple(line for line in rest if line.strip()),
        )


def _missing(wanted: Sequence[str], printed: str) -> str | None:
    """The first line that was not printed where it should have been."""
    left = iter([" ".join(line.split()) for line in printed.splitlines()])
    for line in wanted:
        parts = map(re.escape, " ".join(line.split()).split("…"))
        pattern = re.compile(".*".join(parts))
        if not any(pattern.fullmatch(found) for found in left):
            return line
    return None


def _environment(home: Path) -> dict[str, str]:
    """A reader's surroundings: this installation first, and a home folder without settings.

    No CI: what a command leaves for the next one is used, and is kept apart from that of others.
    """
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("GIT_", "MLKIT_")) and name != "CI"
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    runtime = tempfile.mkdtemp(prefix="mlkit-")  # a short path, as sockets need
    own = {"PATH": path, "HOME": str(home), "XDG_RUNTIME_DIR": runtime}
    return {**kept, **own, "COLUMNS": "120", "LC_ALL": "C.UTF-8"}


def follow(page: Path, place: Path, acts: Mapping[str, Sequence[Act]]) -> None:
    """Follow a page from its first step to its last, in a new folder.

    Parameters
    ----------
    page : Path
        The page.
    place : Path
        An empty folder; the reader's home folder and the folder worked in are made there.
    acts : Mapping
        A command that only a person can do → what is done in its place, each time that it stands
        there.
    """
    home, folder = place / "home", place / "my work"
    home.mkdir()
    folder.mkdir()
    left = {command: list(given) for command, given in acts.items()}
    reader = _Reader(page=page, folder=folder, home=home, env=_environment(home), acts=left)
    try:
        for step in steps_of(page):
            reader.do(step)
    finally:
        stop_warm_zygotes(env=reader.env)
        shutil.rmtree(reader.env["XDG_RUNTIME_DIR"])
    undone = [command for command, more in left.items() if more]
    assert undone == [], "the page no longer asks for what these people do"
