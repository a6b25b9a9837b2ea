"""What a teacher has added to grades.csv: columns beside ours, and lines about no submission.

The table may have been through a spreadsheet: other separators, line ends, another order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.tables import read_table

__all__ = ["TeachersOwn", "read_teachers_own"]

KEY: Final = "path"
"""The column by which a line belongs to a submission."""


@dataclass(frozen=True, kw_only=True)
class TeachersOwn:
    """What stands in a table that is not ours.

    Parameters
    ----------
    titles : tuple of str
        The further columns.
    cells : Mapping
        A submission's path, as the table has it → title → text.
    lines : tuple of Mapping
        Lines without a path: title → text, of our columns, too.
    """

    titles: tuple[str, ...] = ()
    cells: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    lines: tuple[Mapping[str, str], ...] = ()


def read_teachers_own(path: Path, ours: Collection[str]) -> TeachersOwn:
    """Read what is to stay when a table is written again.

    Parameters
    ----------
    path : Path
        The table; it need not exist.
    ours : collection of str
        The titles of our columns.

    Raises
    ------
    GradingError
        If the table cannot be read, or not be told what belongs where: it would be lost.
    """
    if not path.exists():
        return TeachersOwn()
    try:
        table = read_table(path)
    except GradingError as error:
        raise GradingError(
            f"{error.message}, and what you have added to it would be lost",
            path,
            error.line,
            remedy=f"{error.remedy or 'Save it as CSV in UTF-8.'} Or give another --out DIR.",
        ) from error
    further = tuple(title for title in table.titles if title and title.casefold() not in ours)
    if further and not table.has(KEY):
        raise GradingError(
            f"there is no column {KEY!r}, and without it nobody knows whose {further[0]!r} is",
            path,
            1,
            remedy=f"Put {KEY!r} back, or move the table away and keep your columns elsewhere.",
        )
    for row in table.rows:
        if row.under(""):
            raise row.wrong(
                f"{row.under('')!r} stands in a column without a title, and would be lost",
                "Give the column a title.",
            )
    titles = (*ours, *further)
    named = [{title: row.under(title) for title in titles} for row in table.rows]
    return TeachersOwn(
        titles=further,
        cells={line[KEY]: {t: line[t] for t in further} for line in named if line[KEY]},
        lines=tuple(line for line in named if not line[KEY]),
    )
