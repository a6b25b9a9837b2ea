"""The ids of a mapped stage's instances, `STAGE[V1,V2]`: written, read, found by their values."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlkit.core.values import label
from mlkit.frozen import dataclass

__all__ = [
    "ALL",
    "MOST_INSTANCES",
    "Piece",
    "Table",
    "instance_id",
    "is_named",
    "labels_of",
    "pieces",
    "split_id",
    "stage_of",
    "trouble_with_brackets",
    "written",
]

ALL = "*"
"""What stands in brackets for every value."""

MOST_INSTANCES = 10_000
"""So many a product may have: more is a mistake, or work for another kind of program."""

_SPECIAL = frozenset(",[]*")
_JOINERS = "\u200c\u200d"
"""Invisible, and part of words and emoji; the other invisible characters could reorder a line."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What stands between two commas of a bracket.

    Parameters
    ----------
    text : str
        The value as it stands in ids.
    is_quoted : bool
        Whether it was quoted, so that it is a value in any case.
    is_all : bool
        Whether it is the sign for all values.
    """

    text: str
    is_quoted: bool = False
    is_all: bool = False


def written(value: Any) -> str:
    """Write a scalar as it stands in an id; as JSON where it could be taken for something else.

    What would do something to a terminal (line ends, control characters, signs that turn the
    direction) is escaped: ids are printed everywhere.
    """
    return _unmistakable(label(value))


def _unmistakable(text: str) -> str:
    stands = text.isprintable() or all(map(_stands, text))
    if stands and _SPECIAL.isdisjoint(text) and not text.startswith('"') and text == text.strip():
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if stands else "".join(c if _stands(c) else _escaped(c) for c in quoted)


def _stands(char: str) -> bool:
    kind = unicodedata.category(char)
    return char in _JOINERS or kind not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _escaped(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) > 0x7F else f"\\u{ord(char):04x}"


def instance_id(stage: str, labels: Iterable[str]) -> str:
    """Write the id of an instance; without any values it is the stage's name."""
    inside = tuple(labels)
    return f"{stage}[{','.join(inside)}]" if inside else stage


def stage_of(instance: str) -> str:
    """The stage that an id belongs to."""
    return instance.partition("[")[0]


def split_id(text: str) -> tuple[str, str | None]:
    """Split `STAGE` or `STAGE[…]` into the stage and what stands in brackets."""
    stage, bracket, rest = text.partition("[")
    return (stage, rest.removesuffix("]")) if bracket and rest.endswith("]") else (text, None)


def trouble_with_brackets(text: str) -> str | None:
    """Say what keeps a text from being `STAGE` or `STAGE[…]`; None if nothing does."""
    if "[" not in text and "]" not in text:
        return None
    stage, bracket, rest = text.partition("[")
    if not bracket or "]" in stage:
        return "a bracket is closed that was not opened"
    if not stage:
        return "no stage stands before the bracket"
    if "]" not in rest:
        return "the bracket is not closed"
    if not rest.endswith("]"):
        return f"something follows the closing bracket: '{rest.rpartition(']')[2]}'"
    return None


def pieces(inside: str) -> tuple[Piece, ...]:
    """Read what stands in brackets.

    Raises
    ------
    ValueError
        If a quoted text does not end, or another holds a sign that needs quotes.
    """
    found: list[Piece] = []
    rest = inside
    while True:
        piece, rest = _first(rest)
        found.append(piece)
        if not rest:
            return tuple(found)
        rest = rest[1:]


def _first(text: str) -> tuple[Piece, str]:
    """The first piece, and the rest from the comma on."""
    start = text.lstrip()
    if not start.startswith('"'):
        plain, comma, rest = text.partition(",")
        word = plain.strip()
        if word != ALL and not _SPECIAL.isdisjoint(word):
            raise ValueError(f"'{word}' must stand in double quotes")
        return Piece(text=word, is_all=word == ALL), comma + rest
    try:
        value, end = json.JSONDecoder().raw_decode(start)
    except ValueError:
        raise ValueError("a double quote is not closed") from None
    rest = start[end:].lstrip()
    if rest and not rest.startswith(","):
        raise ValueError("after a quoted value comes a comma, or the end")
    return Piece(text=_unmistakable(value), is_quoted=True), rest


def labels_of(instance: str) -> tuple[str, ...]:
    """The values in an id, as they stand there; none in the id of a stage."""
    inside = split_id(instance)[1]
    if inside is None:
        return ()
    if '"' not in inside:
        return tuple(inside.split(","))
    return tuple(piece.text for piece in pieces(inside))


def is_named(text: str, instance: str) -> bool:
    """Whether `STAGE`, `STAGE[VALUE]` or `STAGE[VALUE,*]` names an instance, by its id."""
    stage, inside = split_id(text)
    own = labels_of(instance)
    if stage != stage_of(instance) or inside is None or not own:
        return stage == stage_of(instance)
    try:
        said = pieces(inside)
    except ValueError:
        said = ()
    if 0 < len(said) <= len(own):
        return all(p.is_all or p.text == label for p, label in zip(said, own, strict=False))
    return own == (written(inside),)


class Table:
    """The instances of one stage, found by any of their values.

    Each question is answered from an index of just those parameters, which is made once: a map of
    thousands that asks for its own neighbour each time never walks the whole list.

    Parameters
    ----------
    stage : str
        The stage.
    parameters : sequence of str
        What it maps over.
    ids : sequence of str
        Its instances, in order; the stage's own name while they are not known.
    """

    def __init__(self, stage: str, parameters: Sequence[str], ids: Sequence[str]) -> None:
        self.stage = stage
        self.ids = tuple(ids)
        self.is_one = self.ids == (stage,)
        self._places = {name: place for place, name in enumerate(parameters)}
        self._known: dict[tuple[int, ...], dict[tuple[str, ...], tuple[str, ...]]] = {}
        self._labels: dict[str, tuple[str, ...]] | None = None

    def matching(self, wanted: Mapping[str, str]) -> tuple[str, ...]:
        """The instances that have some values; the stage itself stands for all it might have."""
        if not wanted or self.is_one:
            return self.ids
        places, key = self.key(wanted)
        if places not in self._known:
            found: dict[tuple[str, ...], list[str]] = {}
            for instance in self.ids:
                own = self.labels(instance)
                if own:
                    found.setdefault(tuple(own[place] for place in places), []).append(instance)
            self._known[places] = {key: tuple(ids) for key, ids in found.items()}
        return self._known[places].get(key, ())

    def key(self, wanted: Mapping[str, str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Which places in the brackets some values stand at, and the values in that order."""
        pairs = sorted((self._places[name], value) for name, value in wanted.items())
        return tuple(place for place, _ in pairs), tuple(value for _, value in pairs)

    def labels(self, instance: str) -> tuple[str, ...]:
        """The values in an instance's id."""
        if self._labels is None:
            self._labels = {item: labels_of(item) for item in self.ids}
        return self._labels[instance]

    def own(self, instance: str) -> dict[str, str]:
        """The values in an instance's id, by parameter."""
        return dict(zip(self._places, self.labels(instance), strict=False))
