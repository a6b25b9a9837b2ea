"""What the site shows of an executed notebook."""

from __future__ import annotations

from typing import Any

from mlkit.rendering.shaping import shape
from mlkit.widgets import DagLab
from tests.rendering.conftest import EXERCISE, cell, notebook

ERROR = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
WIDGET = "application/vnd.jupyter.widget-view+json"


def shown(name: str, source: dict[str, Any], outputs: dict[str, list[Any]]) -> dict[str, Any]:
    """A cell of the shaped notebook, after some cells got outputs."""
    ran = [{**c, "outputs": outputs[c["id"]]} if c["id"] in outputs else c for c in source["cells"]]
    shaped = shape({**source, "cells": ran}, source)
    found: dict[str, Any] = next(c for c in shaped["cells"] if c["id"] == name)
    return found


def test_a_check_shows_what_a_right_answer_prints() -> None:
    """Not the error that the unwritten answer causes."""
    outputs = shown("check-add", EXERCISE, {"check-add": [ERROR]})["outputs"]
    assert [o["text"] for o in outputs] == [["What a right answer prints:\n"], ["3\n"]]


def test_hints_and_expectations_are_not_published() -> None:
    """A check's metadata stay behind."""
    assert shown("check-add", EXERCISE, {})["metadata"] == {"tags": []}


def test_a_hidden_cell_is_no_part_of_the_page() -> None:
    """It is for graders."""
    source = notebook(cell("code", "secret", "1", metadata={"tags": ["hidden"]}))
    assert shape(source, source)["cells"] == []


def test_an_expected_error_stays() -> None:
    """Lessons show what breaks."""
    source = notebook(cell("code", "breaks", "1 / 0"))
    assert shown("breaks", source, {"breaks": [ERROR]})["outputs"] == [ERROR]


def test_a_widget_leaves_its_picture() -> None:
    """HTML first, else the picture; the part that needs a kernel is gone."""
    source = notebook(cell("code", "lab", "lab"))
    data = {WIDGET: {}, "image/png": "iVBO", "text/html": "<p>state</p>", "text/plain": "Lab"}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    (whole,) = shown("lab", source, {"lab": [output]})["outputs"]
    assert whole["data"] == {"text/html": "<p>state</p>", "text/plain": "Lab"}
    del data["text/html"]
    (png,) = shown("lab", source, {"lab": [output]})["outputs"]
    assert png["data"] == {"image/png": "iVBO", "text/plain": "Lab"}


def test_a_view_is_shown_as_it_was_drawn() -> None:
    """Where it says so: a photograph of it would be white in a dark page."""
    source = notebook(cell("code", "lab", "lab"))
    view, _ = DagLab()._repr_mimebundle_()
    output = {"output_type": "display_data", "metadata": {}, "data": view}
    (whole,) = shown("lab", source, {"lab": [output]})["outputs"]
    assert set(whole["data"]) == {"text/html", "text/plain"}
    assert "<svg" in whole["data"]["text/html"]
    assert "<img" not in whole["data"]["text/html"]


def test_a_picture_has_a_text() -> None:
    """The cell's own, else the heading that it stands below."""
    own = cell("code", "own", "plot()", metadata={"alt": "Delays rise in summer"})
    source = notebook(cell("markdown", "h", "## Delays"), own, cell("code", "plain", "plot()"))
    picture = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBO"}}
    outputs = {"own": [picture], "plain": [picture]}
    alts = [
        shown(name, source, outputs)["metadata"]["mystnb"]["image"]["alt"]
        for name in ("own", "plain")
    ]
    assert alts == ["Delays rise in summer", "Picture of the section “Delays”"]
