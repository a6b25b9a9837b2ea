"""A small pipeline on the disk, and the command line called in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlkit.cli.main import main
from tests.documents import check_printed

PIPELINE = """\
name: words
parameters: {many: 2}
stages:
  write:
    notebook: write.ipynb
    outputs: {words: words.json}
  count:
    notebook: count.ipynb
    inputs: {words: write.words}
    outputs: {metrics: metrics.json}
"""


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """What a command said."""

    words: tuple[object, ...]
    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document on stdout, which keeps to its command's schema."""
        document = json.loads(self.out)
        check_printed(self.words, document)
        return document


Call = Callable[..., Spoken]


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook whose first cell is its parameters cell."""
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{index}",
                "metadata": {"tags": ["parameters"]} if index == 0 else {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for index, source in enumerate(cells)
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pipeline of two stages."""
    folder = tmp_path_factory.mktemp("words {pipeline} ä")
    (folder / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    write_notebook(
        folder / "write.ipynb",
        [
            'many = 1\nwords = "scratch/words.json"',
            "import json",
            'json.dump(["w"] * many, open(words, "w"))',
        ],
    )
    write_notebook(
        folder / "count.ipynb",
        [
            'words = "runs/latest/write/words.json"\nmetrics = "scratch/metrics.json"',
            "import json",
            'json.dump({"count": len(json.load(open(words)))}, open(metrics, "w"))',
        ],
    )
    return folder


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command line; gives exit code, stdout and stderr."""

    def run(*words: object) -> Spoken:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        code = ended.value.code
        spoken = capfd.readouterr()
        ended_with = code if isinstance(code, int) else 0
        return Spoken(words=words, code=ended_with, out=spoken.out, err=spoken.err)

    return run
