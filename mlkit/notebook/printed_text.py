"""Put together what a cell printed piece by piece; time grows with the text's length only.

nbclient does the same with regular expressions that look at every pair of characters of a line: a
line of 200,000 characters holds it, and everything else in the process, for minutes.
"""

from __future__ import annotations

from typing import Any

__all__ = ["as_shown", "merge_streams"]


def merge_streams(outputs: list[Any]) -> list[Any]:
    """Put pieces of one stream together that follow each other; everything keeps its order.

    Parameters
    ----------
    outputs : list of NotebookNode
        As they arrived.
    """
    merged: list[Any] = []
    pieces: list[str] = []

    def end() -> None:
        if pieces:
            merged[-1]["text"] = as_shown("".join(pieces))
            pieces.clear()

    for output in outputs:
        is_stream = output["output_type"] == "stream"
        if not (is_stream and pieces and merged[-1]["name"] == output["name"]):
            end()
            merged.append(output)
        if is_stream:
            pieces.append(output["text"])
    end()
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
