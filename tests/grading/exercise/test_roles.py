"""What a cell is for is said by a comment, a tag or an id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import GradingError
from mlkit.grading.exercise.roles import line_of_cell, role_ids, with_roles

ANSWER = "def mean_of(x):\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"


def _cell(source: str, *tags: str, name: str = "0a1b2c", kind: str = "code") -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": kind, "id": name, "metadata": metadata, "source": source}


def _ids(*cells: dict[str, Any]) -> list[str]:
    return role_ids({"cells": list(cells)}, Path("x.ipynb"))


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (_cell("x = 1", name="answer-x"), "answer-x"),
        (_cell("x = 1", "answer-x"), "answer-x"),
        (_cell("# answer-x\nx = 1"), "answer-x"),
        (_cell("#answer-x  \nx = 1"), "answer-x"),
        (_cell(ANSWER, "answer"), "answer-mean-of"),
        (_cell("print(1)", "check-x", "hidden"), "check-x"),
        (_cell("# hidden check-x\nprint(1)"), "check-x"),
        (_cell("# check-x hidden\nprint(1)"), "check-x"),
        (_cell("def f(): ...", "probe-f"), "probe-f"),
        (_cell('mlkit.check("check-x")'), "feedback-x"),
        (_cell("mlkit.check('check-x', hint=1)"), "feedback-x"),
        (_cell("x = 1", "answer-new", name="answer-old"), "answer-new"),
        (_cell("# answer-new\nx = 1", name="answer-old"), "answer-new"),
        (_cell("# a check of x\nx = 1"), "0a1b2c"),
        (_cell("# check-x is below\nx = 1"), "0a1b2c"),
        (_cell("x = 1\n# check-x"), "0a1b2c"),
        (_cell("# check-x", kind="markdown"), "0a1b2c"),
        (_cell("x = 1", "raises-exception"), "0a1b2c"),
        (_cell("x = 1", name=""), "cell-1"),
        (_cell("x = 1", name="ä b"), "cell-1"),
    ],
)
def test_a_role_is_told_by_comment_tag_or_id(cell: dict[str, Any], name: str) -> None:
    """In that order; whatever says nothing keeps its id."""
    assert _ids(cell) == [name]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (_cell("x = 1", "answer-a", "answer-b"), "'answer-a' and 'answer-b'"),
        (_cell("# answer-a\nx = 1", "answer-b"), "'answer-a' and 'answer-b'"),
        (_cell("x = 1", "answer-a", "probe"), "'answer-a' and 'probe'"),
        (_cell("print(1)", "check"), "'check', which is no whole role"),
        (_cell("a = b = 1\nc = 2", "answer"), "exactly one name"),
        (_cell("# text", "check-x", kind="markdown"), "only code cells can have"),
    ],
)
def test_what_is_half_said_or_contradictory_is_refused(
    cell: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """With the line of the cell in the notebook's file, and what to do."""
    path = tmp_path / "x.ipynb"
    document = {"cells": [_cell("y = 2"), cell]}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    with pytest.raises(GradingError, match=message) as caught:
        with_roles(document, path)
    line = caught.value.line
    assert line is not None
    assert '"cell_type"' in path.read_text(encoding="utf-8").splitlines()[line - 1]
    assert line > 3
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("Hidden", "hidden"),
        ("hiden", "hidden"),
        ("hidden (3 points)", "hidden"),
        ("auhtor", "author"),
        ("anwser-mean", "answer-mean"),
        ("Answer_mean", "answer-mean"),
        ("answer-größe", "answer-grosse"),
        ("answer-平均", "answer-NAME"),
        ("check mean", "check-mean"),
        ("checks", "check-NAME"),
    ],
)
def test_a_tag_that_is_nearly_a_role_is_refused(tag: str, meant: str) -> None:
    """Learners would be given the cell, hidden or not, as one without any role."""
    with pytest.raises(GradingError, match="which is no role") as told:
        _ids(_cell("x = 1", tag, name="check-x"))
    assert told.value.remedy is not None
    assert told.value.remedy.startswith(f"Did you mean {meant!r}?")


@pytest.mark.parametrize(
    "tag", ["hide-input", "hide", "problem-1", "checkpoint", "raises-exception", "slide", "-", ""]
)
def test_a_tag_about_something_else_is_the_authors_own(tag: str) -> None:
    """Other programs have tags, too."""
    assert _ids(_cell("x = 1", tag)) == ["0a1b2c"]


def test_learners_see_neither_role_words_nor_notes_of_the_author() -> None:
    """And other tags stay."""
    notebook: dict[str, Any] = {
        "nbformat_minor": 4,
        "cells": [
            _cell("For you", "author", kind="markdown"),
            _cell("# check-x hidden\nprint(1)", "slow"),
            _cell("1 / 0", "author"),
        ],
    }
    made = with_roles(notebook, Path("x.ipynb"))
    (only,) = made["cells"]
    assert (only["id"], only["source"]) == ("check-x", ["print(1)"])
    assert only["metadata"]["tags"] == ["slow", "hidden"]
    assert made["nbformat_minor"] == 5
    assert notebook["cells"][1]["source"].startswith("# check-x")


def test_the_line_of_a_cell_is_not_mistaken_by_what_cells_hold(tmp_path: Path) -> None:
    """A source may speak of notebooks."""
    path = tmp_path / "x.ipynb"
    tricky = _cell('{"cell_type": 1, "source": [\n')
    path.write_text(json.dumps({"cells": [tricky, _cell("x")]}, indent=1), encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    wanted = [n for n, text in enumerate(lines, start=1) if text.strip().startswith('"cell_type"')]
    assert [line_of_cell(path, 0), line_of_cell(path, 1)] == wanted
    assert line_of_cell(path, 2) is None
