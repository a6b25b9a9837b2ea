"""Outputs of a notebook, made of a kernel's messages: what is plain needs no schema.

nbformat checks each output against the schema of notebooks, and compiles the schema for the first
one: a tenth of a second of every run. What most outputs are, a text or texts of some formats, can
be seen at a glance; all others are checked as ever, and refused as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nbformat.v4
from nbformat import NotebookNode

__all__ = ["output_of"]

FIELDS = {
    "stream": ("name", "text"),
    "error": ("ename", "evalue", "traceback"),
    "display_data": ("metadata", "data"),
    "execute_result": ("metadata", "data", "execution_count"),
}
"""What each kind of output holds, in the order in which it is written."""


def output_of(message: Mapping[str, Any]) -> NotebookNode:
    """Make the output that a message tells of; the same as `nbformat.v4.output_from_msg` makes.

    Parameters
    ----------
    message : mapping of str to object
        A message of the kernel's output channel.

    Raises
    ------
    ValueError
        If it tells of no output.
    nbformat.ValidationError
        If it is none that a notebook may hold.
    """
    kind, content = message["header"]["msg_type"], message["content"]
    names = FIELDS.get(kind, ())
    if not names or not all(name in content and _is_plain(name, content[name]) for name in names):
        made: NotebookNode = nbformat.v4.output_from_msg(message)  # type: ignore[no-untyped-call] # untyped
        return made
    output = NotebookNode(output_type=kind)  # type: ignore[no-untyped-call] # untyped
    output.update({name: content[name] for name in names})  # type: ignore[no-untyped-call] # untyped
    return output


def _is_plain(name: str, value: Any) -> bool:
    """Whether it can be seen that the schema allows a value."""
    if name == "metadata":
        return isinstance(value, dict)
    if name == "data":
        return isinstance(value, dict) and all(type(each) is str for each in value.values())
    if name == "traceback":
        return type(value) is list and all(type(each) is str for each in value)
    if name == "execution_count":
        return value is None or (type(value) is int and value >= 0)
    return type(value) is str
