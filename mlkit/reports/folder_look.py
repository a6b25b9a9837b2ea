"""A first look at an artifact that is a folder: how many files, how large, and the first names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mlkit.frozen import dataclass

__all__ = ["FolderLook", "folder_look"]

_MOST_NAMES = 8


@dataclass(frozen=True, kw_only=True)
class FolderLook:
    """What a folder holds.

    Parameters
    ----------
    files : int
        How many files there are, at any depth.
    size_bytes : int
        Their sizes together.
    names : tuple of str
        The first of them, relative to the folder.
    kinds : frozenset of str
        The endings of all of them, such as `.parquet`.
    """

    files: int
    size_bytes: int
    names: tuple[str, ...]
    kinds: frozenset[str]

    @property
    def count(self) -> str:
        """`1 file`, `12 files`."""
        return f"{self.files:,} file{'' if self.files == 1 else 's'}"

    @property
    def listed(self) -> str:
        """The first names, and how many more there are."""
        more = self.files - len(self.names)
        return ", ".join(self.names) + (f" and {more:,} more" if more > 0 else "")

    @property
    def is_table(self) -> bool:
        """Whether its files are the parts of a table in Parquet."""
        return self.kinds == {".parquet"}


def folder_look(folder: Path) -> FolderLook | None:
    """Look at a folder; None if there is none."""
    if not folder.is_dir():
        return None
    count, size, names, kinds = 0, 0, list[str](), set[str]()
    for path in _files(folder):
        count += 1
        size += path.lstat().st_size
        kinds.add(path.suffix.lower())
        if len(names) < _MOST_NAMES:
            names.append(path.relative_to(folder).as_posix())
    return FolderLook(files=count, size_bytes=size, names=tuple(names), kinds=frozenset(kinds))


def _files(folder: Path) -> Iterator[Path]:
    for place, below, names in os.walk(folder):
        below.sort()
        for name in sorted(names):
            yield Path(place) / name
