"""What a cell shows people, as lines that can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["compare_lines", "lines_of", "pictures_of"]

_PICTURE = "image/png"
_WIDGET = "application/vnd.jupyter.widget"
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
_TIMING = re.compile(r"^(CPU times: |Wall time: |.*\bper loop \(mean )")
_WARNING = re.compile(r"^\S.*:\d+: \w*Warning: ")


def pictures_of(outputs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The figures of a cell, as they stand in the notebook (base64)."""
    datas = [output.get("data", {}) for output in outputs]
    return tuple(_joined(data[_PICTURE]) for data in datas if _PICTURE in data)


def lines_of(outputs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """All that a cell shows other than pictures: what it printed, its results, its error.

    What is new in each process is left out: addresses, timings, and warnings, which Python gives
    once in a process, and so once in a notebook, but once in each of several stages.
    """
    printed, warned = "", ""
    lines: list[str] = []
    for output in outputs:
        kind = output.get("output_type")
        if kind == "stream" and output.get("name") == "stderr":
            warned += _joined(output.get("text", ""))
        elif kind == "stream":
            printed += _joined(output.get("text", ""))
        elif kind == "error":
            lines += f"{output.get('ename')}: {output.get('evalue')}".split("\n")
        else:
            for mime, data in sorted(output.get("data", {}).items()):
                if mime != _PICTURE and not mime.startswith(_WIDGET):
                    lines += _joined(data).split("\n")
    kept = [*printed.split("\n"), *_without_warnings(warned.split("\n")), *lines]
    kept = [_ADDRESS.sub("0x…", line) for line in kept if not _TIMING.match(line)]
    return tuple(line.rstrip() for line in kept if line.strip())


def _without_warnings(lines: Sequence[str]) -> list[str]:
    kept, is_behind = [], False
    for line in lines:
        is_warning = bool(_WARNING.match(line))
        if not is_warning and not (is_behind and line.startswith("  ")):
            kept.append(line)
        is_behind = is_warning
    return kept


def compare_lines(
    one: Sequence[str], two: Sequence[str], now: Sequence[str]
) -> tuple[bool | None, str]:
    """Hold what a cell shows against two runs of the original.

    Returns
    -------
    bool or None
        Whether it is the same; None if that cannot be known of all of it.
    str
        What is known.
    """
    if len(one) != len(two):
        return None, "its length differs between two runs of the original itself"
    steady = [again == line for line, again in zip(one, two, strict=True)]
    if len(now) != len(one):
        return False, f"{len(now)} lines, where the original shows {len(one)}"
    for line, is_steady, here in zip(one, steady, now, strict=True):
        if is_steady and here != line:
            return False, f"{_short(here)}, where the original shows {_short(line)}"
    if not all(steady):
        differing = steady.count(False)
        why = f"{differing} of {len(steady)} lines differ between two runs of the original itself"
        return None, why
    return True, ""


def _short(line: str) -> str:
    return f"'{line[:60]}…'" if len(line) > 60 else f"'{line}'"


def _joined(text: Any) -> str:
    if isinstance(text, list):
        return "".join(map(str, text))
    return text if isinstance(text, str) else repr(text)
