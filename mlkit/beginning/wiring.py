"""A further stage in the text of a pipeline.yaml: lines are added, and no other is touched.

Where the stages stand is asked of the YAML parser; what is written stands in the file's own form
(its indentation, its order), so that a diff shows the new lines alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode

from mlkit.errors import PipelineError
from mlkit.frozen import dataclass
from mlkit.load.yaml_tree import compose_whole, parse_value

__all__ = ["FlowStagesError", "stage_lines", "with_stage", "written_scalar", "written_value"]

_SIMPLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
"""What needs no quotes in either of YAML's styles, unless it reads as a number or the like."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
"""A line as YAML 1.2 and its parser count them; `str.splitlines` also ends one at U+2028."""
_UNSHOWN = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML allows in no text, or takes for the end of a line."""
_STEP = 2
_NULL = "tag:yaml.org,2002:null"


class FlowStagesError(ValueError):
    """The stages are written between braces, where a line cannot be added."""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a stage is added: before this line (from 0), its key at this column."""

    line: int
    column: int
    step: int


def with_stage(text: str, name: str, entry: Mapping[str, Any]) -> str:
    """Add a stage behind the last one.

    Parameters
    ----------
    text : str
        A pipeline.yaml.
    name : str
        The stage.
    entry : mapping
        Its keys: texts, lists of texts, or mappings of text to text.

    Raises
    ------
    FlowStagesError
        If `stages` is written in braces.
    """
    text, place = _with_room(text) or (text, _place(text))
    lines = _LINE.findall(text)
    if place.line and not lines[place.line - 1].endswith(("\n", "\r")):
        lines[place.line - 1] += "\n"
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    added = [line + end for line in stage_lines(name, entry, column=place.column, step=place.step)]
    return "".join([*lines[: place.line], *added, *lines[place.line :]])


def _with_room(text: str) -> tuple[str, _Place] | None:
    """Open `stages` where there is none, or nothing in it; None if there is something."""
    root = compose_whole(text)
    if not isinstance(root, MappingNode) or root.flow_style:
        return None
    pair = next((pair for pair in root.value if pair[0].value == "stages"), None)
    column = root.start_mark.column
    if pair is None:
        last = root.end_mark.line + (1 if root.end_mark.column else 0)
        lines = _LINE.findall(text)[:last]
        before, behind = "".join(lines), text[len("".join(lines)) :]
        end = "\r\n" if "\r\n" in text else "\n"
        before += "" if before.endswith("\n") else end
        opened = f"{before}{' ' * column}stages:{end}{behind}"
        return opened, _Place(line=last + 1, column=column + _STEP, step=_STEP)
    key, value = pair
    if value.value and value.tag != _NULL:
        return None
    start, stop = key.end_mark.index, value.end_mark.index
    opened = f"{text[:start]}:{text[stop:]}" if value.start_mark.index < stop else text
    return opened, _Place(line=key.end_mark.line + 1, column=column + _STEP, step=_STEP)


def _place(text: str) -> _Place:
    """Find the end of the mapping under `stages`."""
    inside = list(_events_under_stages(text))
    # an end without a width is one that the parser has inferred from what comes behind it
    written = [event for event in inside if event.end_mark.index > event.start_mark.index]
    if not written:
        raise FlowStagesError
    last, column = written[-1].end_mark, written[0].start_mark.column
    deeper = [e.start_mark.column - column for e in written if isinstance(e, ScalarEvent)]
    step = min((width for width in deeper if width > 0), default=_STEP)
    end = last.line + (1 if last.column else 0)
    return _Place(line=_behind_its_comments(text, end, column), column=column, step=step)


def _behind_its_comments(text: str, line: int, column: int) -> int:
    """Pass over comments that stand further in than a stage's name: they are the last stage's."""
    for at, written in enumerate(_LINE.findall(text)[line:], line):
        written = written.rstrip("\r\n")
        bare = written.lstrip(" ")
        if bare.startswith("#") and len(written) - len(bare) > column:
            line = at + 1
        elif bare:
            break
    return line


def _events_under_stages(text: str) -> Iterator[Event]:
    """What the parser says between the beginning and the end of the stages."""
    depth, key, is_key = 0, None, True
    for event in YAML(pure=True).parse(text):
        opens = isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if key == "stages" and depth == 1 and opens:
            if not isinstance(event, MappingStartEvent) or event.flow_style:
                raise FlowStagesError
        elif key == "stages" and depth >= 2:
            yield event
        if depth == 1 and isinstance(event, NodeEvent | CollectionEndEvent) and not opens:
            key = event.value if is_key and isinstance(event, ScalarEvent) else None
            is_key = not is_key if isinstance(event, NodeEvent) else True
        depth += opens


def stage_lines(
    name: str, entry: Mapping[str, Any], *, column: int = _STEP, step: int = _STEP
) -> list[str]:
    """A stage as lines of YAML, its key at a column and its keys a step further."""
    outer, inner = " " * column, " " * (column + step)
    lines = [f"{outer}{written_scalar(name)}:"]
    for key, value in entry.items():
        if isinstance(value, str):
            lines.append(f"{inner}{key}: {written_scalar(value)}")
        elif isinstance(value, Mapping):
            lines += _mapping(key, value, inner, " " * step)
        elif isinstance(value, Sequence):
            lines.append(f"{inner}{key}: [{', '.join(map(written_scalar, value))}]")
    return lines


def _mapping(key: str, value: Mapping[str, str], inner: str, step: str) -> list[str]:
    """In braces on one line where YAML's flow style takes the texts as they are."""
    pairs = [f"{name}: {written_scalar(text)}" for name, text in value.items()]
    line = f"{inner}{key}: {{{', '.join(pairs)}}}"
    if len(line) <= 100 and all(map(_is_plain, value.values())):
        return [line]
    return [f"{inner}{key}:", *(f"{inner}{step}{pair}" for pair in pairs)]


def written_scalar(text: str) -> str:
    """A text as YAML, in either of its styles."""
    return text if _is_plain(text) else written_value(text)


def written_value(value: Any) -> str:
    """A parameter's value as YAML on one line; signs that no file shows stand as their codes."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _is_plain(text: str) -> bool:
    return bool(_SIMPLE.fullmatch(text)) and parse_value(text, PipelineError, "a text") == text
