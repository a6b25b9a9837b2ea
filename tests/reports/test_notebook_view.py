"""An executed notebook as the report shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlkit.reports.notebook_view import NotebookView, highlight, read_notebook, view_notebook
from mlkit.reports.output_view import Budget, cut

PNG = "iVBORw0KGgo="


def cell(*outputs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Cell."""
    return {"cell_type": "code", "source": "x = 1", "outputs": list(outputs), **fields}


def display(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Display."""
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def view(*cells: Any, budget: int = 10_000) -> NotebookView:
    """View."""
    return view_notebook({"cells": list(cells)}, "train", Budget(budget))


def only(*outputs: dict[str, Any], budget: int = 10_000) -> tuple[str, str]:
    """Kind and HTML of the one output of one cell."""
    (shown,) = view(cell(*outputs), budget=budget).cells[0].outputs
    return shown.kind, shown.html


def test_neighbouring_streams_of_one_name_are_one_output() -> None:
    """Neighbouring streams of one name are one output."""
    outputs = [{"output_type": "stream", "name": "stdout", "text": t} for t in ("a\n", ["b", "\n"])]
    assert only(*outputs) == ("text", "a\nb\n")


def test_a_picture_is_shown_with_the_words_that_stand_for_it() -> None:
    """A picture is shown with the words that stand for it."""
    kind, html = only(display({"image/png": PNG, "text/plain": "<Figure>"}))
    assert kind == "picture"
    assert 'alt="Plot in cell 1 of train: &lt;Figure&gt;"' in html
    _, html = only(display({"image/png": PNG}, **{"image/png": {"alt": 'ROC "curve"'}}))
    assert 'alt="ROC &quot;curve&quot;"' in html


def test_a_picture_beyond_the_budget_becomes_a_note() -> None:
    """A picture beyond the budget becomes a note."""
    kind, html = only(display({"image/png": PNG}), budget=3)
    assert (kind, html) == ("note", "Plot in cell 1 of train: the picture is too large to embed.")


def test_html_is_preferred_to_text_and_made_safe() -> None:
    """Html is preferred to text and made safe."""
    kind, html = only(display({"text/html": "<b onclick=x>1</b><script>", "text/plain": "1"}))
    assert (kind, html) == ("rich", "<b>1</b>")


def test_html_that_is_too_large_falls_back_to_text() -> None:
    """Html that is too large falls back to text."""
    assert only(display({"text/html": "<i>" * 9_000, "text/plain": "1"})) == ("text", "1")


def test_an_error_shows_its_traceback_in_colour() -> None:
    """An error shows its traceback in colour."""
    raised = {
        "output_type": "error",
        "ename": "E",
        "evalue": "v",
        "traceback": ["\x1b[31mE\x1b[0m"],
    }
    assert only(raised) == ("error", '<span class="ansi-fg-1">E</span>')
    assert only({**raised, "traceback": []}) == ("error", "E: v")
    shown = view(cell(raised)).cells[0]
    assert shown.failed
    assert shown.label == "Code, cell 1, raised an error"


def test_a_widget_falls_back_to_its_text() -> None:
    """A widget falls back to its text."""
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "slider"}
    assert only(display(data)) == ("text", "slider")


def test_a_long_output_is_cut_with_a_note() -> None:
    """A long output is cut with a note."""
    _, html = only({"output_type": "stream", "name": "stdout", "text": "x" * 50_000})
    assert "30,000 characters left out here" in html
    assert len(html) < 21_000
    assert cut("short") == ("short", "")


def test_many_outputs_and_many_cells_are_cut_with_a_note() -> None:
    """Many outputs and many cells are cut with a note."""
    texts = [display({"text/plain": str(n)}) for n in range(100)]
    assert view(cell(*texts)).cells[0].outputs[-1].html == "40 further outputs are left out."
    assert view(*[cell()] * 500).note == "100 further cells are left out."


def test_cells_are_numbered_as_in_the_notebook_and_say_whether_they_ran() -> None:
    """As in the stage's own notebook, which holds no injected cell."""
    prose = {"cell_type": "markdown", "source": "# A"}
    tagged = cell(metadata={"tags": ["injected-parameters"]}, execution_count=1)
    shown = view(prose, tagged, cell(execution_count=None))
    assert [c.number for c in shown.cells] == [1, None, 2]
    assert shown.cells[1].label == "Injected parameters"
    assert shown.cells[2].label == "Code, cell 2, did not run"


def test_the_markers_of_papermill_are_neither_shown_nor_counted() -> None:
    """A failed cell keeps the number that it had when it ran."""
    marker = {
        "cell_type": "markdown",
        "source": "<span>An Exception was encountered</span>",
        "metadata": {"tags": ["papermill-error-cell-tag"]},
    }
    shown = view(marker, cell(), marker, cell())
    assert [(c.number, c.kind) for c in shown.cells] == [(1, "code"), (2, "code")]


@pytest.mark.parametrize(
    "odd",
    [
        "not a cell",
        {"cell_type": "code"},
        {"cell_type": "code", "source": 5, "outputs": 7},
        {"cell_type": "code", "source": "x", "outputs": [None, {"output_type": "display_data"}]},
        {"cell_type": "code", "source": "x", "metadata": None, "outputs": [{"output_type": "?"}]},
        {"cell_type": "code", "source": "x", "outputs": [{"output_type": "stream"}]},
        {"cell_type": "code", "source": "x", "outputs": [display({"text/html": 5})]},
        {"cell_type": "code", "source": "x", "outputs": [display({"image/png": "%%%"})]},
        {"cell_type": "markdown", "attachments": {"a": 5}},
        {"cell_type": "raw", "source": "x"},
    ],
)
def test_an_odd_notebook_is_no_error(odd: Any) -> None:
    """An odd notebook is no error."""
    assert view(odd, cell()).cells[-1].number == (1 if isinstance(odd, str) else 2)


def test_code_is_coloured_and_escaped() -> None:
    """Code is coloured and escaped."""
    assert highlight('"<b>"') == '<span class="hl-s2">"&lt;b&gt;"</span>'
    assert highlight("<" * 30_001) == "&lt;" * 30_001


def test_what_is_no_notebook_is_none(tmp_path: Path) -> None:
    """What is no notebook is none."""
    path = tmp_path / "n.ipynb"
    assert read_notebook(path) is None
    for content in ("{", "[]", '{"cells": 5}'):
        path.write_text(content, encoding="utf-8")
        assert read_notebook(path) is None
    path.write_text(json.dumps({"cells": []}), encoding="utf-8")
    assert read_notebook(path) == {"cells": []}
