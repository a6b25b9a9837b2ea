"""Build a DAG, and see its order, its levels, its critical path, or the cycle that forbids them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlkit.errors import MlkitError
from mlkit.reports.svg import text as escaped
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import button, choice, number, row, text
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.labs.dag_picture import draw_sketch, explain
from mlkit.widgets.labs.dag_sketch import DagSketch, example

__all__ = ["DagLab"]


class DagLab(Panel):
    """A workbench for graphs of stages.

    Parameters
    ----------
    sketch : DagSketch, optional
        The graph to start from; by default a small training pipeline.
    """

    title = "Build a DAG"

    def __init__(self, sketch: DagSketch | None = None) -> None:
        self._first = sketch if sketch is not None else example()
        self._past: list[DagSketch] = []
        self._name = text("stage", hint="a name, such as report", width="320px")
        self._seconds = number("seconds", 1.0, width="150px")
        self._from, self._to = choice("edge from", []), choice("to", [])
        self._said, self._shown = Markup(live=True), Markup()
        stage_buttons = (
            button("Add or change stage", self._add_stage),
            button("Remove stage", self._remove_stage),
        )
        edge_buttons = (
            button("Add edge", self._add_edge, primary=True),
            button("Remove edge", self._remove_edge),
        )
        super().__init__(
            row(self._name, self._seconds, *stage_buttons),
            row(self._from, self._to, *edge_buttons),
            row(
                button("Undo", self._undo),
                button("Start again", lambda: self._show(self._first)),
                button("Empty", lambda: self._show(DagSketch())),
            ),
            self._said,
            self._shown,
        )
        self.sketch = self._first
        self._draw()

    def _add_stage(self) -> None:
        self._change(lambda: self.sketch.with_stage(self._name.value, self._seconds.value))

    def _remove_stage(self) -> None:
        self._change(lambda: self.sketch.without_stage(self._name.value.strip()))

    def _add_edge(self) -> None:
        self._change(lambda: self.sketch.with_edge(*self._edge()))

    def _remove_edge(self) -> None:
        self._change(lambda: self.sketch.without_edge(*self._edge()))

    def _edge(self) -> tuple[str, str]:
        return self._from.value or "", self._to.value or ""

    def _change(self, make: Callable[[], DagSketch]) -> None:
        try:
            changed = make()
        except MlkitError as error:
            self._said.markup = f'<p class="mlkit-problem">✗ {escaped(str(error))}</p>'
            return
        self._show(changed)

    def _show(self, sketch: DagSketch) -> None:
        self._past.append(self.sketch)
        self.sketch = sketch
        self._draw()

    def _undo(self) -> None:
        if self._past:
            self.sketch = self._past.pop()
        self._draw()

    def _draw(self) -> None:
        names = tuple(self.sketch.durations_s)
        for control in (self._from, self._to):
            kept = control.value
            control.options = names
            control.value = kept if kept in names else next(iter(names), None)
        self._said.markup = explain(self.sketch)
        self._shown.markup = f'<div class="mlkit-scroll">{self.pictures()[0]}</div>'

    def pictures(self) -> Sequence[str]:
        """The graph."""
        return [draw_sketch(self.sketch)]

    def static_html(self) -> str:
        """Order, levels and critical path, or the cycle."""
        return explain(self.sketch)
