"""A mapping of a YAML file, read key by key with errors that name file, line and remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mlkit.core.durations import parse_duration
from mlkit.core.suggesting import did_you_mean
from mlkit.errors import PipelineError
from mlkit.load.several import Mistakes
from mlkit.load.yaml_tree import Entry

__all__ = ["OWN", "Section", "did_you_mean"]

T = TypeVar("T")
_LARGEST = 1e12
OWN = "x-"
"""Keys that begin so are passed over: anchors stand there, and what other programs read."""


class Section:
    """One mapping of pipeline.yaml.

    Parameters
    ----------
    entry : Entry
        The mapping.
    file : Path
        The file, for errors.
    title : str
        What it is, for errors: `stage 'train'`.
    remedy : str, optional
        What to do where it is no mapping.
    """

    def __init__(self, entry: Entry, file: Path, title: str, remedy: str | None = None) -> None:
        self.file = file
        self.title = title
        self.line = entry.line
        if not isinstance(entry.value, Mapping):
            raise PipelineError(
                f"{title} must be a mapping of names to values",
                file,
                entry.line,
                remedy,
                code="E202",
            )
        self.entries: Mapping[str, Entry] = entry.value

    def fail(
        self,
        fact: str,
        line: int | None = None,
        remedy: str | None = None,
        code: str | None = None,
    ) -> NoReturn:
        """Raise the error of a mistake in this section."""
        raise PipelineError(f"{self.title}: {fact}", self.file, line or self.line, remedy, code)

    def allow(
        self, keys: Iterable[str], elsewhere: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        """Refuse every key that is not among `keys`; those that begin with `x-` are the user's.

        `elsewhere` are the keys of other places: one of them is not misspelled, but misplaced.
        """
        known, mistakes = list(keys), Mistakes()
        places = {key: place for place, own in (elsewhere or {}).items() for key in own}
        for key, entry in self.entries.items():
            if key not in known and not key.startswith(OWN):
                with mistakes.noted():
                    meant = f"It belongs {places[key]}" if key in places else None
                    meant = meant or did_you_mean(key, known)
                    self.fail(f"unknown key '{key}'", entry.line, meant, code="E201")
        mistakes.settle()

    def line_of(self, key: str) -> int:
        """The line of a key's value, or of the section where the key is absent."""
        return self.entries[key].line if key in self.entries else self.line

    def get(self, key: str) -> Entry | None:
        """The entry of a key; None if it is absent or null."""
        entry = self.entries.get(key)
        return None if entry is None or entry.value is None else entry

    def section(self, key: str, title: str | None = None) -> Section | None:
        """The mapping under a key; None if it is absent."""
        entry = self.get(key)
        if entry is None:
            return None
        return Section(entry, self.file, title or f"{self.title}, {key}")

    def text(self, key: str) -> str | None:
        """The text under a key."""
        return self._typed(key, str, "a text")

    def boolean(self, key: str) -> bool | None:
        """The bool under a key."""
        return self._typed(key, bool, "true or false")

    def integer(self, key: str) -> int | None:
        """The whole number, 0 or more, under a key."""
        entry = self.get(key)
        if entry is None:
            return None
        if type(entry.value) is not int or entry.value < 0:
            self.fail(f"'{key}' must be a whole number, 0 or more", entry.line, code="E202")
        return entry.value

    def number(self, key: str) -> float | None:
        """The number, 0 or more, under a key."""
        entry = self.get(key)
        if entry is None:
            return None
        if type(entry.value) not in (int, float) or not 0 <= entry.value <= _LARGEST:
            self.fail(f"'{key}' must be a number, 0 or more", entry.line, code="E202")
        return float(entry.value)

    def duration(self, key: str) -> float | None:
        """The duration under a key, in seconds."""
        entry = self.get(key)
        if entry is None:
            return None
        try:
            return parse_duration(entry.plain())
        except ValueError as error:
            self.fail(
                f"'{key}': {error}",
                entry.line,
                "Write 500ms, 30s, 10m, 1h, or a number of seconds",
                code="E202",
            )

    def texts(self, key: str) -> tuple[Entry, ...] | None:
        """The list of texts under a key; one text alone counts as a list of one."""
        entry = self.get(key)
        if entry is None:
            return None
        items = entry.value if isinstance(entry.value, tuple) else (entry,)
        for item in items:
            if not isinstance(item.value, str):
                self.fail(f"'{key}' must be a list of texts", item.line, code="E202")
        return tuple(items)

    def choice(self, key: str, make: Callable[[str], T], known: Iterable[str]) -> T | None:
        """The text under a key, turned into one of a few known values."""
        word = self.text(key)
        if word is None:
            return None
        try:
            return make(word)
        except ValueError:
            self.fail(
                f"unknown {key} '{word}'", self.line_of(key), did_you_mean(word, known), code="E202"
            )

    def _typed(self, key: str, kind: type[T], words: str) -> T | None:
        entry = self.get(key)
        if entry is None:
            return None
        value: Any = entry.value
        if not isinstance(value, kind):
            self.fail(f"'{key}' must be {words}, not {entry.plain()!r}", entry.line, code="E202")
        return value
