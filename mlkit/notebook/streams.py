"""Put together what a cell printed piece by piece; time grows with the text's length only.

nbclient does the same with regular expressions that look at every pair of characters of a line: a
line of 200,000 characters holds it, and everything else in the process, for minutes.
"""

from __future__ import annotations

from typing import Any

__all__ = ["as_shown", "merge_streams"]


def merge_streams(outputs: list[Any]) -> list[Any]:
    """Give a cell's outputs with one stream for each name, where its first piece stood.

    Parameters
    ----------
    outputs : list of NotebookNode
        As they arrived.
    """
    pieces: dict[str, list[str]] = {}
    merged = []
    for output in outputs:
        if output["output_type"] != "stream":
            merged.append(output)
            continue
        name = output["name"]
        if name not in pieces:
            merged.append(output)
        pieces.setdefault(name, []).append(output["text"])
    for output in merged:
        if output["output_type"] == "stream":
            output["text"] = as_shown("".join(pieces[output["name"]]))
    return merged


def as_shown(text: str) -> str:
    """Apply carriage returns and backspaces as a terminal would: each line as it ended.

    A return empties the line, also where the new text is shorter; one at the very end of a line
    does nothing.
    """
    if "\r" not in text and "\b" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(_without_backspaces(_last_state(line)) for line in lines)


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


def _without_backspaces(line: str) -> str:
    if "\b" not in line:
        return line
    kept: list[str] = []
    for character in line:
        if character != "\b":
            kept.append(character)
        elif kept:
            kept.pop()
    return "".join(kept)
