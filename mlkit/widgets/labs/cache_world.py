"""A small real pipeline, and the edits that one can make to it. Pure but for `write_world`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from difflib import unified_diff
from pathlib import Path

from mlkit.frozen import dataclass

__all__ = ["EDITS", "Edit", "changes", "files_with", "write_world"]

PIPELINE = """\
name: departures
description: How many flights leave New York on a day?
parameters:
  window: 3
stages:
  clean:
    notebook: clean.ipynb
    inputs: {days: "file:days.csv"}
    outputs: {table: clean.json}
  smooth:
    notebook: smooth.ipynb
    inputs: {table: clean.table}
    outputs: {smoothed: smoothed.json}
  count:
    notebook: count.ipynb
    inputs: {table: clean.table}
    outputs: {counted: count.json}
  report:
    notebook: report.ipynb
    inputs: {smoothed: smooth.smoothed, counted: count.counted}
    outputs: {page: report.md}
"""
DAYS = """\
day,departures
1,842
2,943
3,914
4,915
5,
6,832
7,933
8,899
9,902
10,932
"""
CLEANING = '''\
"""How the table of days is cleaned."""


def keep(row):
    """Whether a row can be used: its number is there."""
    return row["departures"] != ""
'''
_CLEAN = (
    "# Clean\n\nDays without a number are dropped.",
    'days: str = "days.csv"\ntable: str = "scratch/clean.json"',
    "import csv\nimport json\nfrom pathlib import Path\n\nimport cleaning\n\n"
    "rows = [row for row in csv.DictReader(Path(days).open()) if cleaning.keep(row)]\n"
    'numbers = [int(row["departures"]) for row in rows]\n'
    "Path(table).write_text(json.dumps(numbers))",
)
_SMOOTH = (
    "# Smooth\n\nEach day becomes the mean of the days around it.",
    'window: int = 3\ntable: str = "runs/latest/clean/clean.json"\n'
    'smoothed: str = "scratch/smoothed.json"',
    "import json\nfrom pathlib import Path\n\n"
    "numbers = json.loads(Path(table).read_text())\n"
    "parts = [numbers[i : i + window] for i in range(len(numbers) - window + 1)]\n"
    "means = [sum(part) / window for part in parts]\n"
    "Path(smoothed).write_text(json.dumps(means))",
)
_COUNT = (
    "# Count\n\nHow many days are there?",
    'table: str = "runs/latest/clean/clean.json"\ncounted: str = "scratch/count.json"',
    "import json\nfrom pathlib import Path\n\n"
    "Path(counted).write_text(json.dumps(len(json.loads(Path(table).read_text()))))",
)
_REPORT = (
    "# Report\n\nOne sentence.",
    'smoothed: str = "runs/latest/smooth/smoothed.json"\n'
    'counted: str = "runs/latest/count/count.json"\npage: str = "scratch/report.md"',
    "import json\nfrom pathlib import Path\n\n"
    "top = max(json.loads(Path(smoothed).read_text()))\n"
    'Path(page).write_text(f"At most {top:.0f} a day, from {Path(counted).read_text()} days.")',
)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change that a person might make.

    Parameters
    ----------
    key : str
        Its short name.
    label : str
        What is done, in words.
    file : str
        Where.
    old, new : str
        The text there, and what it becomes; an empty old text stands for a file that is made.
    """

    key: str
    label: str
    file: str
    old: str
    new: str


EDITS = (
    Edit(
        key="prose",
        label="Prose: reword a Markdown cell of smooth.ipynb",
        file="smooth.ipynb",
        old="Each day becomes the mean of the days around it.",
        new="A moving average takes the noise out.",
    ),
    Edit(
        key="code",
        label="Code: round the means in smooth.ipynb",
        file="smooth.ipynb",
        old="means = [sum(part) / window for part in parts]",
        new="means = [round(sum(part) / window, 1) for part in parts]",
    ),
    Edit(
        key="parameter",
        label="Parameter: window 3 → 5 in pipeline.yaml",
        file="pipeline.yaml",
        old="window: 3",
        new="window: 5",
    ),
    Edit(
        key="data",
        label="Data: fill in the missing day in days.csv",
        file="days.csv",
        old="5,\n",
        new="5,720\n",
    ),
    Edit(
        key="helper",
        label="Helper: a stricter rule in cleaning.py, which clean.ipynb imports",
        file="cleaning.py",
        old='return row["departures"] != ""',
        new='return row["departures"].isdigit()',
    ),
    Edit(
        key="shadow",
        label="Package: a folder cleaning/ beside cleaning.py, which Python prefers",
        file="cleaning/__init__.py",
        old="",
        new='def keep(row):\n    return row["departures"] > "900"\n',
    ),
)


def _notebook(prose: str, parameters: str, code: str) -> str:
    cells: list[dict[str, object]] = [
        {"id": "prose", "cell_type": "markdown", "metadata": {}, "source": prose},
        _code("parameters", parameters, {"tags": ["parameters"]}),
        _code("code", code, {}),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel},
        "cells": cells,
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def _code(name: str, source: str, metadata: Mapping[str, object]) -> dict[str, object]:
    return {
        "id": name,
        "cell_type": "code",
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def files_with(chosen: Collection[str] = ()) -> dict[str, str]:
    """Give the content of each file of the pipeline, with the chosen edits made.

    Parameters
    ----------
    chosen : collection of str
        Keys of `EDITS`.
    """
    files = {
        "pipeline.yaml": PIPELINE,
        "days.csv": DAYS,
        "cleaning.py": CLEANING,
        "clean.ipynb": _notebook(*_CLEAN),
        "smooth.ipynb": _notebook(*_SMOOTH),
        "count.ipynb": _notebook(*_COUNT),
        "report.ipynb": _notebook(*_REPORT),
    }
    for edit in EDITS:
        if edit.key in chosen:
            files[edit.file] = files.get(edit.file, "").replace(edit.old, edit.new)
    return files


def write_world(folder: Path, chosen: Collection[str] = ()) -> Path:
    """Write the pipeline into a folder; a file that is as it should be is left alone.

    Files that no chosen edit makes are removed.

    Returns
    -------
    Path
        The pipeline.yaml.
    """
    for name, content in files_with(chosen).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
    for edit in EDITS:
        if not edit.old and edit.key not in chosen and (folder / edit.file).exists():
            shutil.rmtree((folder / edit.file).parent)
    return folder / "pipeline.yaml"


def changes(chosen: Collection[str]) -> str:
    """Write the chosen edits as a diff."""
    found: list[str] = []
    for edit in EDITS:
        if edit.key in chosen:
            old, new = edit.old.strip().splitlines(), edit.new.strip().splitlines()
            lines = list(unified_diff(old, new, lineterm="", n=0))[2:]
            found += [edit.file, *(line for line in lines if not line.startswith("@@"))]
    return "\n".join(found)
