"""What a shell's command line names: environment variables, and files in the folder it works in.

A shell is no Python and tells nothing of what it reads, but much of it stands in the text that it
is given, or of the script that it is to run. Only what is plain to see is taken: assignments of
plain values are followed, loops and substitutions are not.

Like `recorder`, which asks here, it is handed to other environments' Pythons: the standard library
is all that it needs, and what few stages use is imported where they do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

__all__ = ["ALL_VARIABLES", "named_files", "named_variables", "script_text"]

SEPARATORS = frozenset(";&|()<>")
VARIABLE = re.compile(r"(?<![\\$])\$(?:(\w+)|\{[#!]?(\w+))")
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
OWN_FOLDER = re.compile(
    r'\$\(\s*dirname\s+"?\$(0|\{0\}|BASH_SOURCE|\{BASH_SOURCE(\[0\])?\})"?\s*\)'
)
SHEBANG = re.compile(rb"#!.*\b(ba|z|da|k)?sh\b")
ALL_VARIABLES = "*"
"""What `named_variables` gives for a program that prints them all."""

SHELLS_OWN = frozenset({"PWD", "OLDPWD", "SHLVL", "_"})
"""Variables that a shell sets itself: what they were outside is nothing that it reads."""


def named_variables(text: str) -> list[str]:
    """The variables that a command line takes values from, as `$NAME`, `${NAME}` or `${NAME:-x}`.

    What it has set itself by then is left out. `printenv NAME` counts, too; `env` and `printenv`
    alone print all of them.
    """
    found: dict[str, None] = {}
    for match in VARIABLE.finditer(text):
        name = match[1] or match[2]
        is_set = re.search(
            rf"(?:^|[;&|(\s]){name}=|\b(?:for|read)\s+{name}\b", text[: match.start()]
        )
        if not name[0].isdigit() and is_set is None and name not in SHELLS_OWN:
            found[name] = None
    if "env" in text:
        for line in _lines(text):
            found.update(dict.fromkeys(_printed_variables(_words(line))))
    return list(found)


def _printed_variables(words: list[str]) -> Iterator[str]:
    """What `env` and `printenv` print, where they stand at the beginning of a command."""
    command: list[str] = []
    for word in [*words, ";"]:
        if not SEPARATORS.issuperset(word):
            command.append(word)
            continue
        program = os.path.basename(command[0]) if command else ""
        names = [each for each in command[1:] if not each.startswith("-")]
        if program in ("env", "printenv") and not names:
            yield ALL_VARIABLES
        elif program == "printenv":
            yield from names
        command = []


def named_files(text: str, folder: str) -> Iterator[str]:
    """The words of a command line that may be files, each as a path; some hold a pattern.

    Parameters
    ----------
    text : str
        The command line, or a script of several lines.
    folder : str
        Where the shell works at first; `cd` leads elsewhere.
    """
    known: dict[str, str] = {}
    for line in _lines(text):
        before = ""
        for word in _words(line):
            if SEPARATORS.issuperset(word):
                before = ""
                continue
            word = _expanded(word, known)
            path = os.path.join(folder, os.path.expanduser(word))
            assigned = ASSIGNMENT.fullmatch(word)
            if assigned is not None and before in ("", "export"):
                known[assigned[1]] = assigned[2]
                continue
            if before == "cd" and os.path.isdir(path):
                folder = path
            elif not word.startswith("-"):
                yield path
            before = word


def script_text(path: str) -> str | None:
    """The text of a file if it is a shell's script, by its name or its first line.

    How scripts ask for their own folder is replaced by it: `$(dirname "$0")`.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(128)
            if not path.endswith((".sh", ".bash")) and SHEBANG.match(head) is None:
                return None
            text = (head + file.read(1 << 20)).decode("utf-8", "replace")
    except OSError:
        return None
    return OWN_FOLDER.sub(lambda _: os.path.dirname(path), text)


def _expanded(word: str, known: dict[str, str]) -> str:
    """A word with the values of variables that the text has set, and of the environment's."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        found = known.get(name)
        return match[0] if found is None else found

    return os.path.expandvars(re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, word))


def _lines(text: str) -> list[str]:
    return text.replace("\\\n", " ").splitlines()


def _words(line: str) -> list[str]:
    import shlex

    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # an open quotation mark
        return line.split()
