"""Read YAML 1.2 into plain values that know their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mlkit.errors import MlkitError

__all__ = ["Entry", "parse_value", "read_yaml"]

_PREFIX = "tag:yaml.org,2002:"
_MAX_DEPTH = 60


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A value of a YAML document and the line on which it starts.

    Parameters
    ----------
    value : object
        A scalar, a tuple of Entry, or a mapping of str to Entry.
    line : int
        From 1.
    """

    value: Any
    line: int

    def plain(self) -> Any:
        """The value without its lines."""
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        if isinstance(self.value, Mapping):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value

    def scalars(self) -> Iterator[Entry]:
        """Every scalar in it."""
        if isinstance(self.value, tuple):
            for item in self.value:
                yield from item.scalars()
        elif isinstance(self.value, Mapping):
            for item in self.value.values():
                yield from item.scalars()
        else:
            yield self


def read_yaml(text: str, file: str, error: type[MlkitError]) -> Entry:
    """Read a YAML 1.2 document.

    Parameters
    ----------
    text : str
        The document; an empty one reads as None.
    file : str
        Its name in errors.
    error : type
        The class of error to raise.

    Raises
    ------
    MlkitError
        Of the class `error`, with the line, if the document is broken or has a key twice.
    """
    try:
        node = YAML(typ="safe").compose(text)
    except MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        line = None if mark is None else mark.line + 1
        fact = " ".join(str(part) for part in (broken.context, broken.problem) if part)
        raise error(f"this is not valid YAML: {fact}", file, line) from None
    except (YAMLError, ValueError) as broken:
        raise error(f"this is not valid YAML: {broken}", file) from None
    if node is None:
        return Entry(value=None, line=1)
    return _Builder(file, error).build(node, 0)


def parse_value(text: str, error: type[MlkitError], name: str) -> Any:
    """Read one value given on the command line or in the environment, as YAML 1.2."""
    try:
        return read_yaml(text, name, error).plain()
    except error as broken:
        raise error(
            f"{name}: {text!r} is not valid YAML ({broken.message})",
            remedy="Put quotes around a text that holds special characters",
        ) from None


class _Builder:
    """Turns ruamel's nodes into entries."""

    def __init__(self, file: str, error: type[MlkitError]) -> None:
        self.file = file
        self.error = error

    def build(self, node: Node, depth: int) -> Entry:
        line = node.start_mark.line + 1
        if depth > _MAX_DEPTH:
            raise self.error("this is nested too deeply", self.file, line)
        if isinstance(node, MappingNode):
            return Entry(value=self.mapping(node, depth), line=line)
        if isinstance(node, SequenceNode):
            return Entry(value=tuple(self.build(item, depth + 1) for item in node.value), line=line)
        if not isinstance(node, ScalarNode):
            raise self.error("this is not understood", self.file, line)
        return Entry(value=self.scalar(node), line=line)

    def mapping(self, node: MappingNode, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise self.error("a key must be a plain name", self.file, line)
            key = str(key_node.value)
            if key in entries:
                raise self.error(
                    f"the key '{key}' stands twice (first in line {lines[key]})", self.file, line
                )
            lines[key] = line
            entry = self.build(value_node, depth + 1)
            entries[key] = entry if entry.value is not None else Entry(value=None, line=line)
        return entries

    def scalar(self, node: ScalarNode) -> Any:
        tag = str(node.tag).removeprefix(_PREFIX)
        text: str = node.value
        try:
            match tag:
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return _integer(text)
                case "float":
                    return _float(text)
                case "str" | "timestamp" | "value" | "merge":
                    return text
        except ValueError:
            return text
        raise self.error(
            f"the tag {node.tag} is not understood", self.file, node.start_mark.line + 1
        )


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    if digits.lstrip("+-").startswith(("0x", "0o", "0b")):
        return int(digits, 0)
    return int(digits, 10)


def _float(text: str) -> float:
    word = text.replace("_", "").lower()
    return float(word.replace(".inf", "inf").replace(".nan", "nan"))
