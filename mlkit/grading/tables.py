"""Tables (CSV) as spreadsheets and learning platforms write them: read with places, written safely.

A table that a person has saved may begin with a byte-order mark, be parted by commas, semicolons or
tabs, and spell its titles in any case. Every cell knows its line, so that a mistake can be told.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlkit.core.harmless_text import harmless
from mlkit.errors import GradingError
from mlkit.frozen import dataclass

__all__ = [
    "Row",
    "Table",
    "did_you_mean",
    "disarmed",
    "held_alone",
    "number_in",
    "read_table",
    "table_text",
    "write_whole",
]

LARGEST_BYTES = 32 * 1024 * 1024
SEPARATORS = ",;\t"
FORMULA = tuple("=+-@\t\uff1d\uff0b\uff0d\uff20")  # the last four are the same, full-width
"""By what a cell begins that a spreadsheet may compute, or part in two."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table: its cells by title, in small letters, and where it stands."""

    file: Path
    line: int
    cells: Mapping[str, str]

    def get(self, *titles: str) -> str:
        """The first of some columns that holds something, without blanks around it."""
        return next((text for title in titles if (text := self.cells.get(title, ""))), "")

    def under(self, title: str) -> str:
        """What stands under a title, however the table spells it."""
        return self.cells.get(_plain(title), "")

    def wrong(self, fact: str, remedy: str | None = None) -> GradingError:
        """An error that names this line."""
        return GradingError(fact, self.file, self.line, remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: its titles as they stand there, and its rows."""

    file: Path
    titles: tuple[str, ...]
    rows: tuple[Row, ...]

    def has(self, *titles: str) -> bool:
        """Whether one of some columns is there."""
        mine = {_plain(title) for title in self.titles}
        return any(title in mine for title in titles)


def read_table(path: Path) -> Table:
    """Read a table whose first line holds the titles.

    Parameters
    ----------
    path : Path
        CSV in UTF-8 or, with its mark, UTF-16; parted by commas, semicolons or tabs.

    Raises
    ------
    GradingError
        If it cannot be read, or two columns have one title; the line is named.
    """
    text = _text(path)
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    titles: tuple[str, ...] = ()
    rows: list[Row] = []
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not titles and start == 1 and _is_hint(cells):
                continue
            if not titles:
                titles = _titles(path, start, cells)
                continue
            if any(cell.strip() for cell in cells[len(titles) :]):
                raise GradingError(
                    f"the line has {len(cells)} cells, and there are {len(titles)} titles",
                    path,
                    start,
                    remedy="Put a cell that holds the separator into double quotes.",
                    code="E804",
                )
            pairs = zip(titles, cells, strict=False)
            named: dict[str, str] = {}
            for title, cell in pairs:  # columns without a title are one
                named[_plain(title)] = cell.strip() or named.get(_plain(title), "")
            rows.append(Row(file=path, line=start, cells=named))
    except csv.Error as error:
        raise GradingError(
            f"the table cannot be read ({error})",
            path,
            line,
            remedy="Save it as CSV in UTF-8.",
            code="E804",
        ) from error
    if not titles:
        raise GradingError(
            "the table is empty",
            path,
            remedy="Its first line must hold the titles of its columns.",
            code="E804",
        )
    return Table(file=path, titles=titles, rows=tuple(rows))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise GradingError(
            f"the table cannot be read ({error.strerror})", path, code="E804"
        ) from error
    if len(content) > LARGEST_BYTES:
        raise GradingError(f"the table is larger than {LARGEST_BYTES >> 20} MiB", path, code="E804")
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        if content.startswith(b"PK"):
            raise GradingError(
                "the file is a workbook or an archive, not a table",
                path,
                remedy="Save it as CSV.",
                code="E804",
            ) from error
        raise GradingError(
            "the table is not in UTF-8",
            path,
            None if wide else line,
            remedy="In Excel choose 'CSV UTF-8 (comma delimited)' when saving.",
            code="E804",
        ) from error


def _is_hint(cells: Sequence[str]) -> bool:
    """Whether a first line only tells Excel the separator, as `sep=;`; it is parted by that."""
    return cells[0].strip().casefold() == "sep=" and not any(cells[1:])


def _separator(text: str) -> str:
    """The separator that stands most often in the first line that holds anything."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    bare = "".join(first.split('"')[::2])
    return max(SEPARATORS, key=bare.count)


def _titles(path: Path, line: int, cells: Sequence[str]) -> tuple[str, ...]:
    titles = tuple(cell.strip() for cell in cells)
    seen: set[str] = set()
    for title in filter(None, titles):
        if _plain(title) in seen:
            raise GradingError(
                f"two columns have the title {title!r}",
                path,
                line,
                remedy="Rename one of them.",
                code="E804",
            )
        seen.add(_plain(title))
    return titles


def _plain(title: str) -> str:
    return " ".join(title.casefold().replace("_", " ").split())


def number_in(text: str) -> float | None:
    """The finite number that a cell holds, with a decimal point or comma; None if it holds none."""
    try:
        value = float(text.replace(",", ".").replace("\u2212", "-"))
    except ValueError:
        return None
    return value if abs(value) < 1e12 else None


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest of what there is."""
    import difflib  # seldom needed, and slow to import

    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(given, names, 1)
    if near:
        return f"Did you mean {near[0]!r}?"
    shown = ", ".join(sorted(names)[:8]) + (" …" if len(names) > 8 else "")
    return f"There are: {shown}" if names else "There is none."


def disarmed(value: Any) -> Any:
    r"""A cell that does nothing, in a spreadsheet or a terminal, but stand there.

    A text that would be taken for a formula has `'` before it. Control characters, halves of pairs
    (names of files that are not UTF-8) and what turns the way of writing are spelled: `\x1b`.
    Numbers stay numbers.
    """
    if not isinstance(value, str):
        return value
    text = harmless(value.replace("\r\n", "\n"))
    begins = text.startswith(FORMULA) or text.lstrip().startswith(FORMULA)
    return f"'{text}" if begins else text


def table_text(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV, parted by commas; None is an empty cell, numbers are written shortly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([disarmed(title) for title in titles])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{round(value, 4):g}" if abs(value) < 1e5 else repr(round(value, 4))
    return disarmed(value)


@contextlib.contextmanager
def held_alone(folder: Path) -> Iterator[None]:
    """While this lasts, nobody else who asks for it reads and writes the tables of a folder.

    Where the disk knows no locks, as some in networks, it holds nobody off.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    if isinstance(content, str):
        content = content.encode("utf-8", errors="backslashreplace")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
