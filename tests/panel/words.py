"""A pipeline of two stages, small enough that its run takes a moment."""

from __future__ import annotations

import json
from pathlib import Path

PIPELINE = """\
# What a person wrote stays.
name: words
parameters: {many: 3, slow: 0}
profiles: {big: {parameters: {many: 9}}}
stages:
  write:
    notebook: write.ipynb
    outputs: {words: words.json}
  # reads them
  count:
    notebook: count.ipynb
    inputs: {words: write.words}
    outputs: {metrics: metrics.json}
"""
WAIT = """\
import json
import time

import mlkit

for _ in mlkit.progress(20, label="wait"):
    time.sleep(slow / 20)"""


def make_words(folder: Path) -> Path:
    """Write the pipeline and its notebooks; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    write_notebook(
        folder / "write.ipynb",
        ("given", 'many = 1\nslow = 0\nwords = "scratch/words.json"'),
        ("wait", WAIT),
        ("work", 'json.dump(["w"] * many, open(words, "w"))'),
    )
    write_notebook(
        folder / "count.ipynb",
        ("given", 'words = "runs/latest/write/words.json"\nmetrics = "scratch/metrics.json"'),
        ("read", "import json\n\nfound = json.load(open(words))"),
        ("tell", 'print(len(found))\njson.dump({"n": len(found)}, open(metrics, "w"))'),
    )
    return folder


def write_notebook(path: Path, *cells: tuple[str, str]) -> None:
    """Write a notebook of cells by their ids; `given` declares, `prose…` is Markdown."""
    document = {
        "cells": [
            {
                "cell_type": "markdown" if name.startswith("prose") else "code",
                "id": name,
                "metadata": {"tags": ["parameters"]} if name == "given" else {},
                **({} if name.startswith("prose") else {"execution_count": None, "outputs": []}),
                "source": text.splitlines(keepends=True),
            }
            for name, text in cells
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
