"""What the programs that a stage starts are told to read: by arguments, shell texts and scripts.

A program that is no Python tells nothing of what it reads. But the files that its arguments name
count, and so does what a shell's command line asks of the environment and of folders, see
`shell_text`. What a recorder hears of a started process comes here, and goes back to it as files
named, folders listed and variables read. As in `recorder`, what few notebooks need
(`shlex`, `glob`) is imported where it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, Protocol

# By their distance: in another environment's Python this package has another name.
from .callers import Callers
from .counting_places import Places
from .shell_text import (
    ALL_VARIABLES,
    READERS_OF_FOLDERS,
    SHELLS,
    WRITERS_OF_FILES,
    named_files,
    named_folders,
    named_variables,
    paths_in,
    script_text,
)

__all__ = ["SETTINGS", "Record", "StartedPrograms"]


SETTINGS = "MLKIT_TRACE"
"""The variable by which processes that an attempt starts find the settings of its recorder."""


class Record(Protocol):
    """Where it is written down what was read."""

    @property
    def places(self) -> Places:
        """Which paths may count."""

    @property
    def callers(self) -> Callers:
        """Who is behind the present call."""

    def write(self, *record: Any) -> None:
        """Append one record."""

    def once(self, *record: Any) -> None:
        """Append one record, if it does not stand there yet."""

    def named(self, path: str, *, is_path: bool) -> None:
        """Record a file that an argument names, if it names one of the project's."""

    def folder_told(self, path: str, what: str) -> None:
        """Record of a folder the names in it, the names of all below it, or its files, too."""

    def globbed(self, pattern: str) -> None:
        """Record which names a pattern matches, seen from the working folder."""

    def variable(self, key: str) -> None:
        """Record that a variable of the environment was read."""

    def whole_environment(self) -> None:
        """Record that all variables were read."""


class StartedPrograms:
    """Takes in which programs are started, and what each of them is told to read.

    Parameters
    ----------
    record : Record
        Receives what that means.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._scripts: set[tuple[str, str]] = set()

    def started(self, program: Any, arguments: Any, cwd: Any, env: Any = None) -> None:
        """Record what a process that is started is told to read: files named in its arguments.

        And the program itself, where it lies in the project and is found by its name alone.
        """
        words = [program] if isinstance(program, str | bytes | os.PathLike) else []
        folder = os.path.abspath(_text(cwd)) if cwd is not None else os.getcwd()
        if isinstance(arguments, str | bytes | os.PathLike):
            words += _words(_text(arguments))
            written = self._told_to_shell(_text(arguments), folder)
        else:
            words += [w for w in arguments or () if isinstance(w, str | bytes | os.PathLike)]
            written = set()
        texts = [_text(word) for word in words]
        if isinstance(arguments, list | tuple):
            written |= self._told_to_program([_text(w) for w in arguments if w in words], folder)
        if len(texts) > 2 and texts[-2] == "-c":  # a shell's command line
            written |= self._told_to_shell(texts[-1], folder)
            texts[-1:] = _words(texts[-1])
        for number, text in enumerate(texts):
            for part in paths_in(text):
                path = os.path.join(folder, part)
                if path not in written:
                    self._record.named(path, is_path=os.sep in part)
                    self._takes_script(path, folder, texts[number + 1 :])
        self._takes_programs(texts, folder, env)
        if texts:
            self._takes_cell(folder)
            if os.path.basename(texts[0]) in SHELLS:
                self._takes_input(folder)
            name = os.path.basename(texts[0])
            is_silent = name.startswith("python") and env is not None and SETTINGS not in env
            self._record.once("program", f"a {name} without {SETTINGS}" if is_silent else name)
            self._record.places.may_have_links()

    def _takes_programs(self, words: Sequence[str], folder: str, env: Any) -> None:
        """Record the programs among some words that stand in the project's folders on PATH.

        One of the name of the first word, which is a program for sure, may appear further in front.
        """
        places = self._record.places
        found = (os.environ if env is None else env).get("PATH", os.defpath)
        entries = [os.path.join(folder, each) for each in _text(found).split(os.pathsep) if each]
        entries = [e for e in entries if places.at(e) is not None and places.is_project(e)]
        for number, word in enumerate(words if entries else ()):
            if os.sep in word or "\0" in word:
                continue
            for entry in entries:
                path = os.path.join(entry, word)
                self._record.named(path, is_path=number == 0)
                if os.access(path, os.X_OK) and os.path.isfile(path):
                    self._takes_script(path, folder)
                    break

    def _takes_input(self, folder: str) -> None:
        """Record what a text names that `subprocess.run` gives to a shell as its input."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and self._record.callers.kind(frame) in ("recorder", "stdlib"):
            text = frame.f_locals.get("input") if frame.f_code.co_name == "run" else None
            if isinstance(text, str | bytes):
                self._told_to_shell(_text(text), folder)
            frame = frame.f_back

    def _takes_cell(self, folder: str) -> None:
        """Hand over the text of a cell that is a script, which a program reads from a pipe."""
        if self._record.callers.is_main_thread():
            return
        frame = sys._current_frames().get(sys.modules["threading"].main_thread().ident)
        while frame is not None:
            code = frame.f_code
            if code.co_name == "shebang" and code.co_filename.endswith("/magics/script.py"):
                self._record.write("script", str(frame.f_locals.get("cell")), folder)
                return
            frame = frame.f_back

    def _told_to_program(self, words: list[str], folder: str) -> set[str]:
        """Record what a program reads that a shell's command line would say of it, too."""
        name = os.path.basename(words[0]) if words else ""
        if name in (*READERS_OF_FOLDERS, *WRITERS_OF_FILES, *SHELLS, "env", "printenv"):
            import shlex

            return self._told_to_shell(shlex.join(words), folder)
        return set()

    def _told_to_shell(self, text: str, folder: str) -> set[str]:
        """Record what a shell's command line takes from the environment, and from files.

        Returns
        -------
        set of str
            The files that it writes.
        """
        written = set()
        for name in named_variables(text):
            if name != ALL_VARIABLES:
                self._record.variable(name)
            else:
                self._record.whole_environment()
        for path, use in named_files(text, folder):
            if use != "read":
                written.add(path)
                place = self._record.places.at(path)
                if place is not None:
                    self._record.write("written", place, use)
                continue
            self._record.named(path, is_path=os.path.dirname(path) != folder)
            self._takes_script(path, folder)
            if any(sign in path for sign in "*?["):
                self._matched(path)
        for path, what in named_folders(text, folder):
            self._record.folder_told(path, what)
        return written

    def _matched(self, pattern: str) -> None:
        """Record a pattern that a shell expands, and the files that it stands for today."""
        from glob import glob

        self._record.globbed(pattern)
        for path in glob(pattern):
            self._record.named(path, is_path=False)

    def _takes_script(self, path: str, folder: str, arguments: Sequence[str] = ()) -> None:
        """Record what a shell's script names, in the folder where it works or in its own.

        One that the stage has written for itself does not count, but what it names does.
        """
        if "\0" in path or len(path) > 4096 or not os.path.isfile(path):
            return
        place = os.path.abspath(path)
        places = self._record.places
        is_own = places.is_stages_own(place)
        if not is_own and not (places.is_project(place) and places.is_plain(place)):
            return
        text = script_text(place, arguments)
        if text is not None and (text, folder) not in self._scripts:
            self._scripts.add((text, folder))
            for each in dict.fromkeys((folder, os.path.dirname(place))):
                self._told_to_shell(text, each)


def _words(command: str) -> list[str]:
    import shlex

    try:
        return [word for word in shlex.split(command) if word]
    except ValueError:
        return command.split()


def _text(value: Any) -> str:
    return os.fsdecode(value)
