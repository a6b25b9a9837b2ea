"""Two small controls that ipywidgets has no accessible form of: chosen markup, and a slider."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

__all__ = ["Markup", "Slider", "static_text"]


def static_text(name: str) -> str:
    """Read a script or style sheet of the views; it travels within the notebook, from no net."""
    return files("mlkit.widgets.kit").joinpath("static", name).read_text(encoding="utf-8")


class Markup(anywidget.AnyWidget):
    """HTML or SVG that stays in its place while it changes, and in which things can be picked.

    Parameters
    ----------
    markup : str
        HTML of one's own; whatever comes from users is escaped before.
    live : bool
        Whether a screen reader says each change.
    pickable : bool
        Whether elements with `data-pick` can be chosen; `on_pick` sets it.
    picked : str
        The `data-pick` of the element that was clicked, or chosen by Enter or Space.
    picks : int
        How often something was picked; changes when the same thing is picked again, too.
    """

    _esm = static_text("markup.js")
    markup = traitlets.Unicode("").tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)
    pickable = traitlets.Bool(False).tag(sync=True)
    picked = traitlets.Unicode("").tag(sync=True)
    picks = traitlets.Int(0).tag(sync=True)

    def __init__(self, markup: str = "", **traits: Any) -> None:
        super().__init__(markup=markup, **traits)

    def on_pick(self, action: Callable[[str], None]) -> None:
        """Let elements be picked, and call an action with the `data-pick` of each that is."""
        self.pickable = True
        self.observe(lambda _: action(self.picked), "picks")

    def pick(self, name: str) -> None:
        """Pick an element, as a click on it does."""
        self.picked = name
        self.picks += 1


class Slider(anywidget.AnyWidget):
    """A labelled slider: the browser's own, which the arrow keys move and screen readers name.

    Parameters
    ----------
    label : str
        What it sets.
    value, low, high, step : float
        The present value, its bounds, and how far an arrow key goes.
    unit : str
        Is written behind the value.
    """

    _esm = static_text("slider.js")
    label = traitlets.Unicode("").tag(sync=True)
    value = traitlets.Float(0.0).tag(sync=True)
    low = traitlets.Float(0.0).tag(sync=True)
    high = traitlets.Float(100.0).tag(sync=True)
    step = traitlets.Float(1.0).tag(sync=True)
    unit = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    @traitlets.validate("value")
    def _within_bounds(self, proposal: Any) -> float:
        return float(min(max(proposal["value"], self.low), self.high))
