"""Lines that break for want of quotes: references within braces and brackets, `@` anywhere."""

from __future__ import annotations

import re

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

__all__ = ["corrected_line"]

_QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:''|[^'])*'"
_REFERENCE = r"[A-Za-z_][\w-]*\[(?:\"(?:\\.|[^\"\\])*\"|[^\[\]\"\n])*\](?:\.[\w-]+)?"
_FILE = r"file:[^\s,{}\[\]\"']+"
_RUN = r"run:[^\s,{}\[\]\"']+(?:\[(?:\"(?:\\.|[^\"\\])*\"|[^\[\]\"\n])*\]\.[\w-]+)?"
_VARIABLE = r"[^\s,{}\[\]\"':]*(?:\$\{\w+\}[^\s,{}\[\]\"']*)+"
_OPTIONAL = r"[^\s,{}\[\]\"':]+\?"
_NOTEBOOK = r"@[\w.]+"
_TOKEN = re.compile(
    f"(?P<quoted>{_QUOTED})|(?P<bare>{_RUN}|{_REFERENCE}|{_FILE}|{_VARIABLE}|{_OPTIONAL}|{_NOTEBOOK})"
)


def corrected_line(text: str, line: int | None) -> str | None:
    """Say how a broken line is written, with quotes where flow style needs them.

    Parameters
    ----------
    text : str
        The document.
    line : int, optional
        The line at which it is broken, from 1.

    Returns
    -------
    str or None
        A sentence with the line corrected; None where quotes do not help.
    """
    lines = text.splitlines()
    if line is None or not 0 < line <= len(lines):
        return None
    for number in (line, line - 1):  # some mistakes show only where the next line begins
        if number < 1:
            continue
        mended = _TOKEN.sub(_in_quotes, lines[number - 1])
        if mended == lines[number - 1]:
            continue
        tried = [*lines[: number - 1], mended, *lines[number:]]
        if _broken_at("\n".join(tried)) not in (line, number):
            place = "It" if re.search("(?<![\"'])@", lines[number - 1]) else "Within {} and [] it"
            return f"{place} needs quotes. Write: {mended.strip()}"
    return None


def _in_quotes(found: re.Match[str]) -> str:
    bare = found["bare"]
    if bare is None:
        return found[0]
    return f"'{bare}'" if '"' in bare else f'"{bare}"'


def _broken_at(text: str) -> int | None:
    """The line of a document at which it is broken; None if it is whole."""
    try:
        YAML(typ="safe").compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return None if mark is None else mark.line + 1
    except (YAMLError, ValueError):
        return None
    return None
