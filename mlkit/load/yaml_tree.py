"""Read YAML 1.2 into plain values that know their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import ComposerError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mlkit.core.left_by_git import remedy_for_what_git_left
from mlkit.core.suggesting import odd_blank
from mlkit.errors import MlkitError
from mlkit.frozen import dataclass
from mlkit.load.flow_style import corrected_line

__all__ = ["Entry", "compose_whole", "parse_value", "read_yaml"]

_BOOLS = {"true": True, "false": False}
_PREFIX = "tag:yaml.org,2002:"
_MERGE = f"{_PREFIX}merge"
_MAX_DEPTH = 60
_MAX_ENTRIES = 500_000
_QUOTES = 'Put quotes around a text that holds a colon: {data: "file:data.csv"}'
_SPACES = "A tab stands in front of that line's text: YAML takes spaces only"
_CLOSE_COLON = re.compile(r"\s*(?:- +)?([\w.-]+):(\S.*)")
_SUSPICIOUS_BRACKETS = 10_000
"""More opening brackets than this are counted before libyaml, which recurses in C, sees them."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A value of a YAML document and the line on which it stands.

    Parameters
    ----------
    value : object
        A scalar, a tuple of Entry, or a mapping of str to Entry.
    line : int
        From 1; of a mapping's value, the line of its key.
    written : str
        A scalar's text as it stands in the document, without its quotes.
    """

    value: Any
    line: int
    written: str = ""

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
        _refuse_depth(text, file, error)
        node = _composed(text)
    except MarkedYAMLError as broken:
        fact = " ".join(str(part) for part in (broken.context, broken.problem) if part)
        line = _line_of(broken)
        remedy = remedy_for_what_git_left(text) or corrected_line(text, line)
        remedy = remedy or _remedy_at(text, line, broken)
        last = len(text.split("\n"))  # what is not closed can break behind it
        raise error(
            f"this is not valid YAML: {fact}",
            file,
            None if line is None else min(line, last),
            remedy=remedy,
            code="E204",
        ) from None
    except (YAMLError, ValueError) as broken:
        fact = str(broken).partition("\n")[0]
        at = getattr(broken, "position", None)  # of a character that YAML does not allow
        line = None if at is None else text.count("\n", 0, at) + 1
        raise error(f"this is not valid YAML: {fact}", file, line, code="E204") from None
    except RecursionError:
        raise error("this is nested too deeply", file, code="E204") from None
    if node is None:
        return Entry(value=None, line=1)
    return _Builder(file, error).build(node, 0)


def parse_value(text: str, error: type[MlkitError], name: str) -> Any:
    """Read one value given on the command line or in the environment, as YAML 1.2."""
    try:
        return read_yaml(text, name, error).plain()
    except error as broken:
        why = broken.message
        is_of_all = why.startswith("this is ")
        fact = why.removeprefix("this ") if is_of_all else f"is not valid YAML ({why})"
        raise error(
            f"{name}: {text!r} {fact}",
            remedy="Put quotes around a text that holds special characters",
            code="E204",
        ) from None


def _composed(text: str) -> Any:
    """Compose by libyaml; what it refuses although YAML allows it, by Python."""
    try:
        return YAML(typ="safe").compose(text)
    except ComposerError as broken:
        if "duplicate anchor" not in str(broken.context):
            raise
    return compose_whole(text)


def compose_whole(text: str) -> Any:
    """Compose with the marks of every line, as who changes a text needs it.

    An anchor may stand twice: an alias means the nearest one before it, and no warning is due.
    """
    whole = YAML(pure=True)
    whole.composer.warn_double_anchors = False
    return whole.compose(text)


def _line_of(broken: MarkedYAMLError) -> int | None:
    """The line of the mistake, from 1: of a key without its colon not where the next one stands."""
    mark = broken.problem_mark or broken.context_mark
    if "simple key" in str(broken.context) and broken.context_mark is not None:
        mark = broken.context_mark
    return None if mark is None else mark.line + 1


def _remedy_at(text: str, number: int | None, broken: MarkedYAMLError) -> str | None:
    """What to do about signs that no message of the parser names."""
    lines = text.splitlines()
    line = lines[number - 1] if number is not None and 0 < number <= len(lines) else ""
    blank = odd_blank(line)
    if blank is not None:
        return f"{blank} stands in that line, which YAML takes for a letter: write a plain space"
    if "simple key" in str(broken.context) and (found := _CLOSE_COLON.fullmatch(line)):
        return f"Put a space behind the colon: {found[1]}: {found[2]}"
    if "unexpected ':'" in str(broken.problem):
        return _QUOTES
    return _SPACES if "\t" in line[: len(line) - len(line.lstrip(" \t-"))] else None


def _refuse_depth(text: str, file: str, error: type[MlkitError]) -> None:
    """Refuse what is nested so deeply that composing it could end the process."""
    if text.count("[") + text.count("{") + text.count("- ") < _SUSPICIOUS_BRACKETS:
        return
    depth = 0
    for event in YAML(typ="safe").parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1
            raise error("this is nested too deeply", file, line, code="E204")


class _Builder:
    """Turns ruamel's nodes into entries."""

    def __init__(self, file: str, error: type[MlkitError]) -> None:
        self.file = file
        self.error = error
        self.made = 0
        self.open: set[int] = set()

    def build(self, node: Node, depth: int, key_line: int | None = None) -> Entry:
        line = node.start_mark.line + 1
        if depth > _MAX_DEPTH:
            raise self.error("this is nested too deeply", self.file, line, code="E204")
        self.made += 1
        if self.made > _MAX_ENTRIES:
            raise self.error(
                f"this unfolds into more than {_MAX_ENTRIES:,} values",
                self.file,
                line,
                code="E204",
            )
        if isinstance(node, ScalarNode):
            return Entry(value=self.scalar(node), line=key_line or line, written=str(node.value))
        if id(node) in self.open:
            raise self.error(
                "an alias stands in its own anchor", self.file, line, "Take it away", code="E204"
            )
        self.open.add(id(node))
        value = self.collection(node, depth)
        self.open.remove(id(node))
        return Entry(value=value, line=key_line or line)

    def collection(self, node: Node, depth: int) -> Any:
        tag = str(node.tag).removeprefix(_PREFIX)
        if isinstance(node, MappingNode) and tag in ("map", "!"):
            return self.mapping(node, depth)
        if isinstance(node, SequenceNode) and tag in ("seq", "!"):
            return tuple(self.build(item, depth + 1) for item in node.value)
        raise self.not_understood(node)

    def not_understood(self, node: Node) -> MlkitError:
        """A tag promises what is made of no value here: a set, an object, somebody's own type."""
        fact = f"the tag {node.tag} is not understood"
        return self.error(fact, self.file, node.start_mark.line + 1, code="E204")

    def mapping(self, node: MappingNode, depth: int) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise self.error("a key must be a plain name", self.file, line, code="E204")
            key = str(key_node.value)
            if key in lines:
                raise self.error(
                    f"the key '{key}' stands twice (first in line {lines[key]})",
                    self.file,
                    line,
                    code="E204",
                )
            lines[key] = line
            built = self.build(value_node, depth + 1, line)
            if key_node.tag == _MERGE:
                merged = self.merged(built.value, line)
            else:
                own[key] = built
        return {**merged, **own}

    def merged(self, value: Any, line: int) -> dict[str, Entry]:
        """What `<<` brings in: of several mappings the first that has a key gives its value.

        Each entry keeps the line on which it stands itself, so that a mistake is shown there.
        """
        found: dict[str, Entry] = {}
        for part in value if isinstance(value, tuple) else (Entry(value=value, line=line),):
            if not isinstance(part.value, Mapping):
                raise self.error(
                    "'<<' takes in a mapping or a list of mappings",
                    self.file,
                    line,
                    "Name one by its anchor: <<: *base, or <<: [*one, *other]",
                    code="E204",
                )
            found = {**part.value, **found}
        return found

    def scalar(self, node: ScalarNode) -> Any:
        tag = str(node.tag).removeprefix(_PREFIX)
        text: str = node.value
        try:
            match tag:
                case "null":
                    return None
                case "bool":
                    return _BOOLS.get(text.lower(), text)
                case "int":
                    return _integer(text)
                case "float":
                    return _float(text)
                case "str" | "timestamp" | "value" | "merge":
                    return text
        except ValueError:
            return text
        raise self.not_understood(node)


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    if digits.lstrip("+-").startswith(("0x", "0o", "0b")):
        return int(digits, 0)
    return int(digits, 10)


def _float(text: str) -> float:
    word = text.replace("_", "").lower()
    return float(word.replace(".inf", "inf").replace(".nan", "nan"))
