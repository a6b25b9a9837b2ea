"""What Papermill would have loaded, made without its three checks and its detour over text."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import papermill.iorw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.notebook.loaded import load, needs_papermill

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
METADATA = st.dictionaries(
    st.sampled_from(["tags", "papermill", "trusted", "slideshow", "x"]), VALUES, max_size=3
)


@st.composite
def cells(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Cells of all kinds, with ids of their own."""
    made = []
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["code", "markdown", "raw"]))
        cell: dict[str, Any] = {
            "cell_type": kind,
            "id": f"cell-{number}",
            "metadata": draw(METADATA),
            "source": draw(TEXTS | st.lists(TEXTS, max_size=3)),
        }
        if kind == "code":
            cell |= {"outputs": [], "execution_count": None}
        elif draw(st.booleans()):
            cell["attachments"] = {"a.txt": {"text/plain": draw(TEXTS | st.lists(TEXTS))}}
        made.append(cell)
    return made


@given(
    cells(), st.dictionaries(st.sampled_from(["kernelspec", "papermill", "signature", "y"]), VALUES)
)
def test_it_is_what_papermill_makes_of_it(
    made: list[dict[str, Any]], metadata: dict[str, Any]
) -> None:
    """Over the detour of text and checks the same notebook comes, cell by cell."""
    document = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    before = json.dumps(document)
    assert not needs_papermill(document)
    loaded = load(document)
    assert json.dumps(document) == before
    assert isinstance(loaded, nbformat.NotebookNode)
    notebook = nbformat.from_dict(document)  # type: ignore[no-untyped-call] # untyped
    assert loaded == papermill.iorw.load_notebook_node(notebook)


def code(name: str | None, source: str = "1") -> dict[str, Any]:
    """A code cell, with or without an id."""
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": []}
    return {**cell, "execution_count": None, **({} if name is None else {"id": name})}


@pytest.mark.parametrize(
    ("minor", "made"),
    [
        pytest.param(4, [code(None)], id="of an older format"),
        pytest.param(6, [code("a")], id="of a later format"),
        pytest.param(5, [code("a"), code(None)], id="a cell without an id"),
        pytest.param(5, [code("a"), code("a")], id="two of one id"),
        pytest.param(5, [{**code("a"), "cell_type": "heading"}], id="a cell of an older kind"),
        pytest.param(5, [{**code("a"), "id": 7}], id="an id that is a number"),
    ],
)
def test_what_loading_would_change_is_left_to_papermill(
    minor: int, made: list[dict[str, Any]]
) -> None:
    """Ids are given, and formats converted, by those who know how."""
    document = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": minor}
    assert needs_papermill(document)
