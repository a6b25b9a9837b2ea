"""The tables of the syllabus: what lessons and exercises say of their length, added up.

`make docs-tables` writes them; a test holds the page to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGE", "Unit", "exercises", "lessons", "with_hours"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "instructor" / "syllabus.md"
_TIME = re.compile(r"\*\*Time:\*\* (?:about )?(\d+) minutes")
_ROWS = re.compile(r"(?<=<!-- lessons -->\n).*?(?=<!-- end -->)", re.DOTALL)
_PLAN = re.compile(r"^(?P<start>\|[^|\n]+\| (?P<lessons>[\d, –]+) \| (?P<exercises>[\d, –]+) \|)"
                   r"(?P<hours> [\d.–]+ \|)(?P<rest>.*)$", re.MULTILINE)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A lesson or an exercise: its number, title, file, minutes, and the exercise that it names."""

    number: int
    title: str
    file: Path
    minutes: int
    exercise: int | None = None


def _units(folder: str) -> Iterator[Unit]:
    for file in sorted((ROOT / folder).glob("[0-9]*.ipynb")):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        time, title = _TIME.search(text), re.search(r"^# \w+ \d+: (.+)$", text, re.MULTILINE)
        assert time is not None, f"{file.name} does not say how long it takes"
        assert title is not None, f"{file.name} has no title"
        _, _, last = text.rpartition("\n## Exercise")
        named = re.search(r"exercises/(\d+)-", last)
        yield Unit(
            number=int(file.name[:2]),
            title=title[1][0].upper() + title[1][1:],
            file=file,
            minutes=int(time[1]),
            exercise=int(named[1]) if named else None,
        )


def lessons() -> dict[int, Unit]:
    """Every lesson, by number."""
    return {unit.number: unit for unit in _units("notebooks/lessons")}


def exercises() -> dict[int, Unit]:
    """Every exercise, by number."""
    return {unit.number: unit for unit in _units("exercises")}


def numbers(text: str) -> list[int]:
    """Read `1, 3–5` as numbers; a dash alone is none."""
    found: list[int] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        first, _, last = part.partition("–")
        if first:
            found += range(int(first), int(last or first) + 1)
    return found


def _hours(minutes: int) -> str:
    return f"{minutes / 60:.1f}"


def with_hours(page: str) -> str:
    """Give the page with the table of lessons, and the hours of each path, as they are now. Pure
    but for the notebooks, which are read.
    """
    taught, tried = lessons(), exercises()
    rows = ["| lesson | minutes | exercise | minutes |", "|---|---|---|---|"]
    for number, unit in taught.items():
        exercise = tried[unit.exercise or 0]
        rows.append(
            f"| {number} · {unit.title} | {unit.minutes} | {exercise.number} · {exercise.title} "
            f"| {exercise.minutes} |"
        )
    spent = [sum(unit.minutes for unit in units.values()) for units in (taught, tried)]
    rows.append(f"| **{len(taught)} lessons** | **{_hours(spent[0])} h** "
                f"| **{len(tried)} exercises** | **{_hours(spent[1])} h** |")  # fmt: skip

    def planned(match: re.Match[str]) -> str:
        minutes = sum(taught[n].minutes for n in numbers(match["lessons"]))
        minutes += sum(tried[n].minutes for n in numbers(match["exercises"]))
        return f"{match['start']} {_hours(minutes)} |{match['rest']}"

    return _PLAN.sub(planned, _ROWS.sub("\n".join(rows) + "\n", page))


def plans(page: str) -> dict[str, tuple[list[int], list[int]]]:
    """Path → lessons and exercises in their order, over all its rows."""
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)[1:]
    found = {}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        rows = list(_PLAN.finditer(text))
        if rows:
            taught = [n for row in rows for n in numbers(row["lessons"])]
            found[title] = (taught, [n for row in rows for n in numbers(row["exercises"])])
    return found


if __name__ == "__main__":
    PAGE.write_text(with_hours(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
