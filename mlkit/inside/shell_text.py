"""What a shell's command line names: environment variables, and files in the folder it works in.

A shell is no Python and tells nothing of what it reads, but much of it stands in the text that it
is given. Only what is plain to see is taken: assignments, loops and substitutions are not followed.

Like `recorder`, which asks here, it is handed to other environments' Pythons: the standard library
is all that it needs, and what few stages use is imported where they do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

__all__ = ["named_files", "named_variables"]

SEPARATORS = frozenset(";&|()<>")
VARIABLE = re.compile(r"(?<![\\$])\$(?:(\w+)|\{[#!]?(\w+))")


def named_variables(text: str) -> list[str]:
    """The variables that a command line takes values from, as `$NAME`, `${NAME}` or `${NAME:-x}`.

    What it has set itself by then is left out.
    """
    found: dict[str, None] = {}
    for match in VARIABLE.finditer(text):
        name = match[1] or match[2]
        is_set = re.search(
            rf"(?:^|[;&|(\s]){name}=|\b(?:for|read)\s+{name}\b", text[: match.start()]
        )
        if not name[0].isdigit() and is_set is None:
            found[name] = None
    return list(found)


def named_files(text: str, folder: str) -> Iterator[str]:
    """The words of a command line that may be files, each as a path; some hold a pattern.

    Parameters
    ----------
    text : str
        The command line, or a script of several lines.
    folder : str
        Where the shell works at first; `cd` leads elsewhere.
    """
    for line in text.replace("\\\n", " ").splitlines():
        before = ""
        for word in _words(os.path.expandvars(line)):
            if SEPARATORS.issuperset(word):
                before = ""
                continue
            path = os.path.join(folder, os.path.expanduser(word))
            if before == "cd" and os.path.isdir(path):
                folder = path
            elif not word.startswith("-"):
                yield path
            before = word


def _words(line: str) -> list[str]:
    import shlex

    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # an open quotation mark
        return line.split()
