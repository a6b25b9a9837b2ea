"""What a view tells of a stage that runs."""

from __future__ import annotations

from mlkit.core.progress import Bar
from mlkit.core.states import Status
from mlkit.observe.board import Line
from mlkit.widgets.views.progress_html import progress_html


def test_a_stage_that_runs_shows_its_cell_bar_and_curve() -> None:
    """Escaped; before the first cell there is nothing to tell."""
    line = Line(
        status=Status.RUNNING,
        cell=2,
        cells=5,
        code="fit(a < b)",
        bar=Bar(done=3, total=9, label="batch"),
        curves={"loss": (1.0, 0.5, 0.25)},
    )
    shown = progress_html({"train": line, "later": Line(status=Status.RUNNING)})
    for words in (
        "<b>train</b> cell 2 of 5",
        "<code>fit(a &lt; b)</code>",
        '<progress max="9" value="3" aria-label="train: batch 3 of 9">',
        "loss 0.25",
        "loss from 1 to 0.25",
    ):
        assert words in shown
    assert "later" not in shown
    assert progress_html({}) == ""
