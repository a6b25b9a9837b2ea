"""Run a step again and again, kill one run in the middle, and watch the file."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape

from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import button, choice, row, slider
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.labs.idempotency_experiment import METHODS, POINTS, Experiment, Plan, conduct
from mlkit.widgets.labs.idempotency_picture import draw_files, summary

__all__ = ["IdempotencyLab"]

_ALL = "all four"
_MOST_RUNS = 4


class IdempotencyLab(Panel):
    """A workbench for steps that write a file.

    Each run is a real process; the killed one gets SIGKILL at the chosen point, and nothing of it
    can clean up.

    Parameters
    ----------
    method : str
        `append`, `overwrite`, `remove then write`, `atomic replace` or `all four`.
    runs : int
        How often the step is run, from 1 to 4.
    killed_run : int
        Which run is killed; 0: none.
    killed_at : str
        `opened`, `half` or `written`.
    """

    title = "One step, run again and again"

    def __init__(
        self,
        method: str = _ALL,
        *,
        runs: int = 3,
        killed_run: int = 2,
        killed_at: str = "half",
    ) -> None:
        self._method = choice("the step writes by", [_ALL, *METHODS], method)
        self._runs = slider("runs", runs, (1, _MOST_RUNS))
        nobody = [("no run", 0)]
        numbered = [(f"run {n}", n) for n in range(1, _MOST_RUNS + 1)]
        self._killed = choice("kill", nobody + numbered, killed_run)
        self._point = choice(
            "at the point", [(words, name) for name, words in POINTS.items()], killed_at
        )
        self._said, self._shown = Markup(live=True), Markup()
        super().__init__(
            row(self._method, self._runs),
            row(self._killed, self._point),
            row(button("Run the step", self.conduct, primary=True)),
            self._said,
            self._shown,
        )
        self.found: tuple[Experiment, ...] = ()
        self.conduct()

    @property
    def plans(self) -> tuple[Plan, ...]:
        """What the controls say: one plan for each way of writing."""
        chosen = list(METHODS) if self._method.value == _ALL else [self._method.value]
        return tuple(
            Plan(
                method=method,
                runs=int(self._runs.value),
                killed_run=self._killed.value or None,
                killed_at=self._point.value,
            )
            for method in chosen
        )

    def conduct(self) -> None:
        """Run the step as often as the controls say, in real processes, and show the files."""
        with ThreadPoolExecutor() as pool:
            self.found = tuple(pool.map(conduct, self.plans))
        self._said.markup = _words(self.found)
        self._shown.markup = f'<div class="mlkit-scroll">{self.pictures()[0]}</div>'

    def pictures(self) -> Sequence[str]:
        """The file after each run."""
        return [draw_files(self.found)]

    def static_html(self) -> str:
        """What happened, in words."""
        return _words(self.found)


def _words(experiments: Sequence[Experiment]) -> str:
    items = [
        f"<li><strong>{escape(found.plan.method)}:</strong> {escape(summary(found))}</li>"
        for found in experiments
    ]
    return f"<ul>{''.join(items)}</ul>"
