"""How a lesson is read by the tests: its cells, headings and lists."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.notebooks.conftest import NOTEBOOKS

LESSONS = sorted((NOTEBOOKS / "lessons").glob("*.ipynb"))

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Lesson:
    """One lesson's file."""

    file: Path

    @cached_property
    def content(self) -> dict[str, Any]:
        """The notebook as JSON."""
        content: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return content

    @property
    def cells(self) -> list[dict[str, Any]]:
        """All cells."""
        cells: list[dict[str, Any]] = self.content["cells"]
        return cells

    @property
    def number(self) -> int:
        """The lesson's number, from its file's name."""
        return int(self.file.name[:2])

    def sources(self, kind: str) -> list[str]:
        """The sources of the cells of a kind."""
        return ["".join(cell["source"]) for cell in self.cells if cell["cell_type"] == kind]

    @property
    def prose(self) -> str:
        """All markdown, one cell after the other, without fenced code."""
        return _FENCE.sub("", "\n\n".join(self.sources("markdown")))

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        found = re.findall(r"^(#{1,6})\s+(.+?)\s*$", self.prose, flags=re.MULTILINE)
        return [(len(marks), text) for marks, text in found]

    def section(self, title: str) -> str:
        """The text below a heading of the second level, up to the next one."""
        match = re.search(
            rf"^## {re.escape(title)}\s*$(.*?)(?=^## |\Z)", self.prose, re.MULTILINE | re.DOTALL
        )
        return "" if match is None else match[1]

    @property
    def objectives(self) -> list[str]:
        """What the first cell promises, one entry a list item."""
        first = self.sources("markdown")[0]
        _, found, rest = first.partition("**You will learn**")
        return items(rest.partition("**You need**")[0]) if found else []


def items(text: str) -> list[str]:
    """The items of a list in markdown, numbered or not."""
    return re.findall(r"^(?:[-*]|\d+\.)\s+(.+)", text, flags=re.MULTILINE)
