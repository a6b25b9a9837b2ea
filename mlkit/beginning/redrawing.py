"""Changes of what a pipeline.yaml draws: a stage goes or is renamed, an input is wired or cut.

Where something stands is asked of the YAML parser; the text between is copied as it is, so that a
diff shows the lines concerned alone: comments, order, quotes and anchors stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mlkit.beginning.new_stage import check_and_keep, exact_text
from mlkit.beginning.wiring import written_scalar
from mlkit.errors import UsageError
from mlkit.load.pipeline_file import find_pipeline_file, load_pipeline
from mlkit.load.stage import STAGE_NAME
from mlkit.load.yaml_tree import compose_whole

__all__ = ["redraw", "with_input", "with_name", "without_input", "without_stage"]

Pair = tuple[ScalarNode, Node]
Edit = tuple[int, int, str]


def redraw(pipeline_path: Path, change: Callable[[str], str]) -> tuple[str, str]:
    """Change a pipeline.yaml; where it would be invalid, it stays as it is.

    Parameters
    ----------
    pipeline_path : Path
        The file or its folder.
    change : callable
        Gives the text as it is to be.

    Returns
    -------
    str, str
        The text before and after.

    Raises
    ------
    MlkitError
        If the pipeline is invalid, or would be.
    """
    file = find_pipeline_file(pipeline_path)
    load_pipeline(file)
    before = exact_text(file)
    after = change(before)
    if after != before:
        check_and_keep(file, before, after, None)
    return before, after


def without_stage(text: str, name: str) -> str:
    """Take a stage's lines out; a comment above them is somebody's words, and stays.

    Raises
    ------
    UsageError
        If there is no such stage, or the stages do not stand on lines of their own.
    """
    return _edited(text, [_lines_of(text, *_pair(_stages(text), name))])


def with_name(text: str, old: str, new: str) -> str:
    """Give a stage another name, wherever the file refers to it.

    Raises
    ------
    UsageError
        If there is no such stage.
    """
    if not STAGE_NAME.fullmatch(new):
        raise UsageError(f"'{new}' is no name for a stage", remedy="Write letters, digits and _")
    stages = _stages(text)
    key, _ = _pair(stages, old)
    pattern = re.compile(rf"""(["']?){re.escape(old)}(?=$|[.\[]|["']$)""")
    found: dict[int, Edit] = {}
    for node in [key, *_references(_root(text), stages)]:
        start, end = node.start_mark.index, node.end_mark.index
        match = pattern.match(text[start:end])
        if match is not None:
            found[start] = (start + len(match[1]), start + match.end(), new)
    return _edited(text, list(found.values()))


def with_input(text: str, stage: str, name: str, source: str) -> str:
    """Let a stage read something under a name; what it read under that name is replaced.

    Parameters
    ----------
    text : str
        The pipeline.yaml.
    stage, name : str
        The stage, and the name of its input.
    source : str
        `STAGE.OUTPUT`, `file:PATH` or `run:RUN/STAGE.OUTPUT`.

    Raises
    ------
    UsageError
        If there is no such stage, or it shares its lines with another one.
    """
    _, entry = _own(*_pair(_stages(text), stage), stage)
    pair = f"{name}: {written_scalar(source)}"
    inputs = next((p for p in entry.value if p[0].value == "inputs"), None)
    if inputs is None:
        return _edited(text, [_added(text, entry, f"inputs: {{{pair}}}", behind="notebook")])
    reads_key, reads = inputs
    _, mapping = _own(reads_key, reads, stage)
    there = next((p for p in mapping.value if p[0].value == name), None)
    if there is None:
        return _edited(text, [_added(text, mapping, pair)])
    value = there[1]
    if value.start_mark.index < there[0].end_mark.index or not _is_flat(value):
        raise UsageError(
            f"input '{name}' of '{stage}' is written so that only an editor changes it"
        )
    return _edited(text, [(value.start_mark.index, value.end_mark.index, written_scalar(source))])


def without_input(text: str, stage: str, name: str) -> str:
    """Let a stage not read something any more.

    Raises
    ------
    UsageError
        If it has no such input, or shares its lines with another stage.
    """
    _, entry = _own(*_pair(_stages(text), stage), stage)
    key, found = next((p for p in entry.value if p[0].value == "inputs"), (None, None))
    names = [] if found is None else [p[0].value for p in found.value]
    if key is None or found is None or name not in names:
        raise UsageError(f"stage '{stage}' has no input '{name}'")
    _, mapping = _own(key, found, stage)
    place = names.index(name)
    if len(names) == 1:
        if entry.flow_style:
            return _edited(text, [_in_flow(entry.value, entry.value.index((key, found)))])
        return _edited(text, [_lines_of(text, key, found)])
    if mapping.flow_style:
        return _edited(text, [_in_flow(mapping.value, place)])
    return _edited(text, [_lines_of(text, *mapping.value[place])])


def _root(text: str) -> MappingNode:
    root = compose_whole(text)
    if not isinstance(root, MappingNode):
        raise UsageError("the file is no pipeline")
    return root


def _stages(text: str) -> MappingNode:
    found = next((value for key, value in _root(text).value if key.value == "stages"), None)
    if not isinstance(found, MappingNode) or found.flow_style:
        raise UsageError(
            "'stages' is written in braces, where no line can be changed",
            remedy="Write each stage on lines of its own, as README.md shows",
        )
    return found


def _pair(mapping: MappingNode, name: str) -> Pair:
    for key, value in mapping.value:
        if key.value == name:
            return key, value
    raise UsageError(f"there is no stage '{name}'")


def _own(key: ScalarNode, value: Node, stage: str) -> tuple[ScalarNode, MappingNode]:
    """A mapping that stands where its key does; an alias stands somewhere else."""
    if not isinstance(value, MappingNode) or value.start_mark.index < key.end_mark.index:
        raise UsageError(
            f"stage '{stage}' shares its lines with another one",
            remedy="Change it in an editor: what is drawn here would change both",
        )
    return key, value


def _is_flat(node: Node) -> bool:
    if isinstance(node, MappingNode | SequenceNode):
        return bool(node.flow_style)
    return isinstance(node, ScalarNode)


def _end(key: ScalarNode, value: Node) -> int:
    """Where an entry's text ends; the parser ends a block at what comes behind it."""
    if value.start_mark.index < key.end_mark.index:  # an alias
        return int(key.end_mark.index)
    if isinstance(value, MappingNode) and not value.flow_style and value.value:
        return _end(*value.value[-1])
    if isinstance(value, SequenceNode) and not value.flow_style and value.value:
        return _end(key, value.value[-1])
    return int(value.end_mark.index)


def _lines_of(text: str, key: ScalarNode, value: Node) -> Edit:
    """All lines of an entry, and nothing in their place."""
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    end = _end(key, value)
    if text[end - 1 : end] != "\n":
        line_end = text.find("\n", end)
        end = len(text) if line_end < 0 else line_end + 1
    return start, end, ""


def _added(text: str, mapping: MappingNode, pair: str, behind: str = "") -> Edit:
    """A further entry: in braces before their end, else on a line of its own."""
    if mapping.flow_style:
        end = int(mapping.end_mark.index) - 1
        end = len(text[:end].rstrip(" "))
        return end, end, f", {pair}" if mapping.value else pair
    last = next((p for p in mapping.value if p[0].value == behind), mapping.value[-1])
    _, end, _ = _lines_of(text, *last)
    newline = "\r\n" if "\r\n" in text else "\n"
    before = "" if text[end - 1 : end] == "\n" else newline
    column = mapping.value[0][0].start_mark.column
    return end, end, f"{before}{' ' * column}{pair}{newline}"


def _in_flow(pairs: list[Pair], place: int) -> Edit:
    """One entry between braces, with the comma that it leaves behind."""
    if place + 1 < len(pairs):
        return pairs[place][0].start_mark.index, pairs[place + 1][0].start_mark.index, ""
    before = pairs[place - 1]
    return _end(*before), _end(*pairs[place]), ""


def _references(root: MappingNode, stages: MappingNode) -> Iterator[ScalarNode]:
    """Where the file may refer to a stage."""
    for _, entry in stages.value:
        for key, value in entry.value if isinstance(entry, MappingNode) else ():
            if key.value in ("after", "inputs", "foreach"):
                yield from _scalars(value)
            elif key.value == "when" and isinstance(value, MappingNode):
                yield from (name for name, _ in value.value if isinstance(name, ScalarNode))
    for key, value in root.value:
        if key.value == "profiles" and isinstance(value, MappingNode):
            for _, profile in value.value:
                for name, given in profile.value if isinstance(profile, MappingNode) else ():
                    if name.value == "parameters" and isinstance(given, MappingNode):
                        yield from (each for each, _ in given.value if "." in each.value)


def _scalars(node: Any) -> Iterator[ScalarNode]:
    """The texts in a value, without the keys of its mappings."""
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, SequenceNode):
        for each in node.value:
            yield from _scalars(each)
    elif isinstance(node, MappingNode):
        for _, each in node.value:
            yield from _scalars(each)


def _edited(text: str, edits: list[Edit]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text
