"""The page for teachers holds, from the first command to the last."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.pages import Act, follow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "teaching-a-class.md"

SUM = "def mean_of(numbers):\n    return sum(numbers) if numbers else None"
MEAN = "def mean_of(numbers):\n    return sum(numbers) / len(numbers) if numbers else None"


def answers(notebook: str, sources: Mapping[str, str]) -> Act:
    """Write into some cells, told by their ids, as one does in JupyterLab, and save."""

    def write(folder: Path) -> None:
        path = folder / notebook
        document = json.loads(path.read_text(encoding="utf-8"))
        cells = {cell["id"]: cell for cell in document["cells"]}
        for name, source in sources.items():
            cells[name]["source"] = source.splitlines(keepends=True)
        path.write_text(json.dumps(document), encoding="utf-8")

    return write


def looks_on(folder: Path) -> None:
    """Read a notebook, and leave it as it is."""
    assert list(folder.glob("solutions/*.ipynb"))


def marks(folder: Path) -> None:
    """Fill the rubric's columns in, as a spreadsheet saves it."""
    sheet = folder / "essays" / "written" / "01-dags.csv"
    lines = list(csv.reader(sheet.read_text(encoding="utf-8").splitlines(keepends=True)))
    for line, points in zip(lines[1:], (["4", "2", "4"], ["0", "0", "0"]), strict=False):
        line[3:] = [*points, "See me."]
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(lines)


PEOPLE: dict[str, list[Act]] = {
    "libreoffice essays/written/01-dags.csv": [marks],
    "jupyter lab solutions/01-mean.ipynb": [looks_on],
    "jupyter lab solutions/02-delays.ipynb": [
        answers(
            "solutions/02-delays.ipynb",
            {
                "check-delays": "three = outcome(lambda: delays([1, 2, 6]))\n"
                "empty = outcome(lambda: delays([]))\n"
                "one = outcome(lambda: delays([5]))\n"
                "print(as_facts({'three': three, 'empty': empty, 'one': one}))"
            },
        )
    ],
    "jupyter lab exercises/01-mean.ipynb": [
        answers("exercises/01-mean.ipynb", {"answer-mean": SUM.replace("mean_of", "mean")}),
        answers("exercises/01-mean.ipynb", {"answer-mean": MEAN.replace("mean_of", "mean")}),
    ],
}
"""What people do on the page, each time that they are asked to."""


@pytest.mark.kernel
@pytest.mark.sandbox
@pytest.mark.timeout(900)
def test_every_command_of_the_page_does_what_the_page_says(tmp_path: Path) -> None:
    """In order, in a folder with a space in its name."""
    follow(PAGE, tmp_path, PEOPLE)
