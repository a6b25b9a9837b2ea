"""How far the work within a stage has come, as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["Bar", "News", "bar_in", "first_line"]

_LARGE = 100_000
_MOST_TEXT, _MOST_LABEL, _MOST_LINE = 600, 60, 80
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NUMBER = r"(\d+(?:\.\d+)?)([kMGTPEZY]?)"
_SIZES = {unit: 1000.0**power for power, unit in enumerate(("", *"kMGTPEZY"))}
_METER = re.compile(rf"(?:(.*?): *)? *\d{{1,3}}%\|[^|]*\| *{_NUMBER}/{_NUMBER}(?![\d.])")
"""tqdm with a total: `fit:  45%|████▌     | 45/100 [00:04<00:05, 10.0it/s]`."""
_COUNT = re.compile(rf"(?:(.*?): *)?{_NUMBER}[^\d\s\[]{{0,12}} \[\d+:\d\d")
"""tqdm without one: `fit: 45it [00:04, 10.0it/s]`."""
_PERCENT = re.compile(r"(.*?)(?<![\d.])(\d{1,3}(?:\.\d+)?) ?%")
"""Whatever else rewrites its line with a percentage: R's text bars, downloads."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A count that goes on.

    Parameters
    ----------
    done : float
        How much is done.
    total : float, optional
        Of how much, if that is known.
    label : str
        What is counted.
    """

    done: float
    total: float | None = None
    label: str = ""

    def __str__(self) -> str:
        """In words: `fit 45 of 100`."""
        of = "" if self.total is None else f" of {_count(self.total)}"
        return f"{self.label} {_count(self.done)}{of}".strip()

    def to_json(self) -> dict[str, Any]:
        """The fields of an event."""
        return {"label": self.label, "done": self.done, "total": self.total}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Bar | None:
        """Undo `to_json`; None where there is no bar among the fields."""
        if not isinstance(data.get("done"), int | float):
            return None
        total = data.get("total")
        return cls(done=data["done"], total=total, label=str(data.get("label") or ""))


@dataclass(frozen=True, kw_only=True)
class News:
    """What is told of an attempt while it goes on: a cell that starts, or progress within it.

    Parameters
    ----------
    cell, cells : int
        The code cell that runs, from 1, and how many there are.
    line : str
        Of a cell that starts: its first line.
    bar : Bar, optional
        How far the work has come.
    points : mapping of str to (float, float)
        Of metrics that were logged since the last news: the last step and value.
    """

    cell: int
    cells: int
    line: str = ""
    bar: Bar | None = None
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def is_start(self) -> bool:
        """Whether a cell starts."""
        return self.bar is None and not self.points

    def to_json(self) -> dict[str, Any]:
        """The fields of the event."""
        told: dict[str, Any] = {"cell": self.cell, "cells": self.cells}
        if self.is_start:
            return {**told, "line": self.line}
        if self.points:
            told["metrics"] = {name: list(point) for name, point in self.points.items()}
        return {**told, **self.bar.to_json()} if self.bar is not None else told

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> News:
        """Undo `to_json`."""
        points = {name: (step, value) for name, (step, value) in data.get("metrics", {}).items()}
        return cls(
            cell=int(data["cell"]),
            cells=int(data["cells"]),
            line=str(data.get("line", "")),
            bar=Bar.from_json(data),
            points=points,
        )


def first_line(source: str) -> str:
    """Give the first line of a cell that says something: neither blank nor a comment, if any."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    told = next((line for line in lines if not line.startswith("#")), "")
    line = told or next(iter(lines), "")
    return line if len(line) <= _MOST_LINE else line[: _MOST_LINE - 1] + "…"


def bar_in(printed: str) -> Bar | None:
    """Find the bar that a program has drawn last by rewriting its line.

    Parameters
    ----------
    printed : str
        What it printed, with its carriage returns.

    Returns
    -------
    Bar or None
        None if nothing in it is a bar.
    """
    cut = _ESCAPES.sub("", printed[-_MOST_TEXT:])
    for line in reversed(re.split(r"[\r\n]+", cut)):
        if not line.strip():
            continue
        if (found := _METER.match(line)) is not None:
            label, done, unit, total, units = found.groups()
            of = float(total) * _SIZES[units]
            return Bar(done=float(done) * _SIZES[unit], total=of, label=_label(label))
        if (found := _COUNT.match(line)) is not None:
            label, done, unit = found.groups()
            return Bar(done=float(done) * _SIZES[unit], label=_label(label))
        if "\r" in printed and (found := _PERCENT.match(line)) is not None:
            label, share = found.groups()
            if float(share) <= 100:
                return Bar(done=float(share), total=100.0, label=_label(label))
    return None


def _count(number: float) -> str:
    return f"{number:g}" if number < _LARGE else f"{number:,.0f}"


def _label(found: str | None) -> str:
    words = " ".join("".join(c for c in found or "" if c.isalnum() or c in " ._-/[]()").split())
    return words[-_MOST_LABEL:].strip("-_[ ")
