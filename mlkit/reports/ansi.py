"""Terminal colours as HTML classes: what a notebook printed, made safe for a page."""

from __future__ import annotations

import re
from html import escape

__all__ = ["ansi_to_html", "strip_ansi"]

_ESCAPE = re.compile(r"\x1b\[([0-9;:?]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?")
_FLAGS = {1: "bold", 3: "italic", 4: "underline"}
_ENDS = {22: "bold", 23: "italic", 24: "underline"}
_BASIC = range(8)


def strip_ansi(content: str) -> str:
    """Drop terminal codes and other control characters; keep line breaks and tabs."""
    return _clean(_ESCAPE.sub("", content))


def _clean(content: str) -> str:
    kept = content.replace("\r\n", "\n")
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in kept.split("\n"))
    return "".join(c for c in "\n".join(lines) if c.isprintable() or c in "\n\t")


def ansi_to_html(content: str) -> str:
    """Turn a text with terminal codes into escaped HTML with classes such as `ansi-red`.

    Parameters
    ----------
    content : str
        Any text; unknown codes are dropped.
    """
    parts: list[str] = []
    style: dict[str, str] = {}
    place = 0
    for match in _ESCAPE.finditer(content):
        parts.append(_wrap(content[place : match.start()], style))
        if match[2] == "m":
            style = _apply(style, match[1])
        place = match.end()
    parts.append(_wrap(content[place:], style))
    return "".join(parts)


def _wrap(content: str, style: dict[str, str]) -> str:
    words = escape(_clean(content))
    if not style or not words:
        return words
    return f'<span class="{" ".join(style.values())}">{words}</span>'


def _apply(style: dict[str, str], codes: str) -> dict[str, str]:
    """Follow one sequence of codes; the first 16 colours have classes, others are left plain."""
    numbers = [int(part) if part.isdigit() else 0 for part in re.split("[;:]", codes)]
    changed = dict(style)
    index = 0
    while index < len(numbers):
        code = numbers[index]
        index += 1
        if code in (38, 48):
            kind = "fg" if code == 38 else "bg"
            index += _extended(changed, kind, numbers[index:])
        else:
            _apply_one(changed, code)
    return changed


def _extended(style: dict[str, str], kind: str, rest: list[int]) -> int:
    """Read `5;N` or `2;R;G;B`, and say how many numbers that were."""
    style.pop(kind, None)
    if rest[:1] == [5] and len(rest) > 1:
        if rest[1] < 16:
            style[kind] = f"ansi-{kind}-{rest[1]}"
        return 2
    return 4 if rest[:1] == [2] else len(rest)


def _apply_one(style: dict[str, str], code: int) -> None:
    if code == 0:
        style.clear()
    elif code in _FLAGS:
        style[_FLAGS[code]] = f"ansi-{_FLAGS[code]}"
    elif code in _ENDS:
        style.pop(_ENDS[code], None)
    elif code in (39, 49):
        style.pop("fg" if code == 39 else "bg", None)
    for first, kind, shift in ((30, "fg", 0), (40, "bg", 0), (90, "fg", 8), (100, "bg", 8)):
        if code - first in _BASIC:
            style[kind] = f"ansi-{kind}-{code - first + shift}"
