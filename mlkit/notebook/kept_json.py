"""Change a value in a JSON text and leave every byte alone that the change does not concern.

A file that people keep in git has its own indentation, order of keys, escapes and line ends. What
is equal before and after keeps its text as it stands; what is new is written in the file's manner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["rewritten", "same"]

_BLANKS = re.compile(r"[ \t\r\n]*")
_ESCAPED = re.compile(r"\\u(?!00[0-7])[0-9a-fA-F]{4}")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, kw_only=True)
class _Part:
    """An item of an array, or a member of an object, with the places of its text."""

    start: int
    end: int
    value: Any
    value_start: int
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class _Manner:
    """How a file is written."""

    unit: str | None
    newline: str
    comma: str
    colon: str
    is_ascii: bool

    def dump(self, value: Any, depth: int) -> str:
        """Write a value that begins `depth` levels inside."""
        separators = ("," if self.unit is not None else self.comma, self.colon)
        text = self._dumped(value, separators, is_ascii=self.is_ascii)
        if not _is_encodable(text):  # half of a surrogate pair, which UTF-8 cannot hold
            text = self._dumped(value, separators, is_ascii=True)
        return text.replace("\n", self.gap(depth)) if self.unit is not None else text

    def _dumped(self, value: Any, separators: tuple[str, str], *, is_ascii: bool) -> str:
        return json.dumps(value, ensure_ascii=is_ascii, indent=self.unit, separators=separators)

    def gap(self, depth: int) -> str:
        """What stands before an item that is `depth` levels inside."""
        return "" if self.unit is None else self.newline + self.unit * depth


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def rewritten(
    text: str, value: Any, origins: Mapping[str, Sequence[int | None]] | None = None
) -> str:
    """Change a JSON text so that it holds a value.

    Parameters
    ----------
    text : str
        The text of an object.
    value : object
        What it shall hold; the order of its keys is taken from here.
    origins : mapping of str to sequence of (int or None), optional
        For an array directly in the object, by its key: the place that each new item had before,
        None for one that is new. In other arrays, equal items are found by themselves.

    Returns
    -------
    str
        A text that gives `value` when it is read.
    """
    start = _after_blanks(text, 0)
    old, end = _DECODER.raw_decode(text, start)
    manner = _manner_of(text, start)
    writer = _Writer(text, manner, origins or {})
    return text[:start] + writer.write((start, end), old, value, 0) + text[end:]


class _Writer:
    def __init__(
        self, text: str, manner: _Manner, origins: Mapping[str, Sequence[int | None]]
    ) -> None:
        self.text = text
        self.manner = manner
        self.origins = origins

    def write(self, place: tuple[int, int], old: Any, new: Any, depth: int) -> str:
        """Write `new` where `old` stands, which is `depth` levels inside."""
        start, end = place
        if same(old, new):
            return self.text[start:end]
        if isinstance(old, dict) and isinstance(new, dict):
            parts = list(_members(self.text, start))
            if len({part.key for part in parts}) == len(parts):
                return self._object(place, parts, new, depth)
        if isinstance(old, list) and isinstance(new, list):
            parts = list(_items(self.text, start))
            return self._array(place, parts, [*self._paired(parts, new)], depth)
        return self.manner.dump(new, depth)

    def _object(
        self, place: tuple[int, int], parts: Sequence[_Part], new: Mapping[str, Any], depth: int
    ) -> str:
        known = {part.key: part for part in parts}
        colon = self._colon(parts)
        pieces = []
        for key, value in new.items():
            part = known.get(key)
            if part is None:
                written = self.manner.dump(value, depth + 1)
                pieces.append(self.manner.dump(key, 0) + colon + written)
                continue
            inner = (part.value_start, part.end)
            if depth == 0 and key in self.origins and isinstance(part.value, list):
                written = self._of_origins(key, inner, value)
            else:
                written = self.write(inner, part.value, value, depth + 1)
            pieces.append(self.text[part.start : part.value_start] + written)
        return self._joined(place, parts, pieces, depth, "{}")

    def _of_origins(self, key: str, place: tuple[int, int], new: Sequence[Any]) -> str:
        parts = list(_items(self.text, place[0]))
        origins = self.origins[key]
        paired = [
            (None if origin is None else parts[origin], value)
            for origin, value in zip(origins, new, strict=True)
        ]
        return self._array(place, parts, paired, 1)

    def _array(
        self,
        place: tuple[int, int],
        parts: Sequence[_Part],
        new: Sequence[tuple[_Part | None, Any]],
        depth: int,
    ) -> str:
        pieces = [
            self.manner.dump(value, depth + 1)
            if part is None
            else self.write((part.value_start, part.end), part.value, value, depth + 1)
            for part, value in new
        ]
        return self._joined(place, parts, pieces, depth, "[]")

    def _paired(
        self, parts: Sequence[_Part], new: Sequence[Any]
    ) -> Iterator[tuple[_Part | None, Any]]:
        """Pair each new item with an old one: that in its place if it is equal, else any equal."""
        texts = {part.value: part for part in parts if isinstance(part.value, str)}
        for place, value in enumerate(new):
            own = parts[place] if place < len(parts) else None
            if own is not None and (same(own.value, value) or not isinstance(value, str)):
                yield own, value
            else:
                yield (texts.get(value) if isinstance(value, str) else None), value

    def _colon(self, parts: Sequence[_Part]) -> str:
        if not parts:
            return self.manner.colon
        written = self.text[parts[0].start : parts[0].value_start]
        return written[_DECODER.raw_decode(written)[1] :]

    def _joined(
        self,
        place: tuple[int, int],
        parts: Sequence[_Part],
        pieces: Sequence[str],
        depth: int,
        brackets: str,
    ) -> str:
        """Put brackets around pieces, with the blanks that the container has now."""
        if not pieces:
            return brackets
        start, end = place
        if parts:
            opening = self.text[start + 1 : parts[0].start]
            closing = self.text[parts[-1].end : end - 1]
            if len(parts) > 1:
                between = self.text[parts[0].end : parts[1].start]
            else:
                between = f",{opening}" if opening.strip(" ") else self.manner.comma
        else:
            opening, closing = self.manner.gap(depth + 1), self.manner.gap(depth)
            between = f",{opening}" if self.manner.unit is not None else self.manner.comma
        return brackets[0] + opening + between.join(pieces) + closing + brackets[1]


def same(one: Any, other: Any) -> bool:
    """Whether two values have the same JSON, whatever the order of keys; True is not 1."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(v, other[k]) for k, v in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):  # a NaN is the same as a NaN, and -0.0 is not 0.0
        return repr(one) == repr(other)
    return bool(one == other)


def _after_blanks(text: str, place: int) -> int:
    match = _BLANKS.match(text, place)
    assert match is not None
    return match.end()


def _members(text: str, start: int) -> Iterator[_Part]:
    """The members of the object that begins at a place."""
    place = _after_blanks(text, start + 1)
    while text[place] == '"':
        key, after = _DECODER.raw_decode(text, place)
        value_start = _after_blanks(text, _after_blanks(text, after) + 1)  # behind the colon
        value, end = _DECODER.raw_decode(text, value_start)
        yield _Part(start=place, end=end, value=value, value_start=value_start, key=key)
        comma = _after_blanks(text, end)
        if text[comma] != ",":
            return
        place = _after_blanks(text, comma + 1)


def _items(text: str, start: int) -> Iterator[_Part]:
    """The items of the array that begins at a place."""
    place = _after_blanks(text, start + 1)
    while text[place] != "]":
        value, end = _DECODER.raw_decode(text, place)
        yield _Part(start=place, end=end, value=value, value_start=place)
        comma = _after_blanks(text, end)
        if text[comma] != ",":
            return
        place = _after_blanks(text, comma + 1)


def _manner_of(text: str, start: int) -> _Manner:
    """Look at the beginning of an object for the manner in which all of it is written."""
    parts = list(_members(text, start))
    first = _after_blanks(text, start + 1)
    opening = text[start + 1 : first]
    newline = "\r\n" if "\r\n" in opening else "\n"
    unit = opening.rpartition("\n")[2] if "\n" in opening else None
    colon, comma = ": ", ", "
    if parts:
        written = text[parts[0].start : parts[0].value_start]
        colon = written[_DECODER.raw_decode(written)[1] :]
    if len(parts) > 1 and unit is None:
        comma = text[parts[0].end : parts[1].start]
    is_ascii = text.isascii() and bool(_ESCAPED.search(text))
    return _Manner(unit=unit, newline=newline, comma=comma, colon=colon, is_ascii=is_ascii)
