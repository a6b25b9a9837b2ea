"""A small checkout: a start page, a lesson with a picture and a widget, an exercise, a stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def cell(kind: str, name: str, source: str, **more: Any) -> dict[str, Any]:
    """One cell of a notebook."""
    base: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    return {**base, **({"outputs": [], "execution_count": None} if kind == "code" else {}), **more}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    """A notebook of cells."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": list(cells),
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write(path: Path, content: dict[str, Any]) -> Path:
    """Write a notebook's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


LESSON = notebook(
    cell("markdown", "title", "# Lesson 1: a picture\n\nBack to [start](../00-start-here.ipynb)."),
    cell("code", "where", "from pathlib import Path\nprint(Path.cwd().name, 6 * 7)"),
    cell("markdown", "plot-heading", "## The plot\n\nSee [the file](../flights/pipeline.yaml)."),
    cell(
        "code",
        "plot",
        "%matplotlib inline\nimport matplotlib.pyplot as plt\n_ = plt.plot([1, 2])",
    ),
    cell(
        "code",
        "table",
        "from IPython.display import Markdown\nMarkdown('| a | b |\\n|---|---|\\n| one | two |')",
    ),
    cell("code", "beside", "print(sorted(p.name for p in Path.cwd().parents[1].iterdir()))"),
    cell("code", "widget", "import ipywidgets\nipywidgets.IntSlider(description='Rows')"),
)
EXERCISE = notebook(
    cell("markdown", "title", "# Exercise 1: add\n\nWrite `add`."),
    cell("code", "answer-add", "def add(a, b):\n    raise NotImplementedError"),
    cell(
        "code",
        "check-add",
        "print(add(1, 2))",
        metadata={"mlkit": {"hints": ["a secret hint"]}},
        outputs=[{"output_type": "stream", "name": "stdout", "text": ["3\n"]}],
    ),
)
STAGE = notebook(
    cell("markdown", "title", "# Collect: rows"),
    cell("code", "broken", "open('no-such-file')"),
)


def make_checkout(root: Path) -> Path:
    """Write its notebooks."""
    start = notebook(cell("markdown", "title", "# Start here\n\n[On](lessons/01-picture.ipynb)"))
    write(root / "notebooks/00-start-here.ipynb", start)
    write(root / "notebooks/lessons/01-picture.ipynb", LESSON)
    write(root / "notebooks/flights/01-collect.ipynb", STAGE)
    (root / "notebooks/flights/pipeline.yaml").write_text("name: flights\n")
    write(root / "exercises/01-add.ipynb", EXERCISE)
    write(root / "solutions/01-add.ipynb", EXERCISE)
    return root


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Its root, whose path has a space and braces."""
    return make_checkout(tmp_path / "my {kit}")
