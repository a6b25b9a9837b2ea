"""The controls of the views, each with its label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from mlkit.widgets.kit.markup import Slider

__all__ = ["button", "choice", "column", "number", "row", "slider", "text", "tick"]

_STYLE = {"description_width": "initial"}


def button(label: str, action: Callable[[], None], *, primary: bool = False) -> ipywidgets.Button:
    """Give a button that does something."""
    made = ipywidgets.Button(description=label, button_style="primary" if primary else "")
    made.on_click(lambda _: action())
    return made


def slider(
    label: str, value: float, bounds: tuple[float, float], *, step: float = 1, unit: str = ""
) -> Slider:
    """Give a slider; `observe(…, "value")` tells of its changes."""
    low, high = bounds
    return Slider(label=label, low=low, high=high, step=step, unit=unit, value=value)


def choice(
    label: str, options: Sequence[Any], value: Any = None, *, width: str = "auto"
) -> ipywidgets.Dropdown:
    """Give a list to choose one from: values, or pairs of label and value."""
    more = {} if value is None else {"value": value}
    return ipywidgets.Dropdown(
        description=label, options=options, style=_STYLE, layout={"width": width}, **more
    )


def tick(label: str, value: bool) -> ipywidgets.Checkbox:  # noqa: FBT001  # the box's own value
    """Give a box to tick."""
    return ipywidgets.Checkbox(
        description=label, value=value, indent=False, layout={"width": "auto"}
    )


def text(label: str, value: str = "", *, width: str = "360px", hint: str = "") -> ipywidgets.Text:
    """Give a line to type into; its value changes when the learner leaves it or presses Enter."""
    return ipywidgets.Text(
        description=label,
        value=value,
        placeholder=hint,
        continuous_update=False,
        style=_STYLE,
        layout={"width": width},
    )


def number(label: str, value: float, *, width: str = "220px") -> Any:
    """Give a field for a number: whole ones if the value is whole."""
    kind = ipywidgets.IntText if isinstance(value, int) else ipywidgets.FloatText
    return kind(description=label, value=value, style=_STYLE, layout={"width": width})


def row(*parts: ipywidgets.Widget) -> ipywidgets.HBox:
    """Put parts beside each other, wrapping where there is no room."""
    return ipywidgets.HBox(parts, layout={"flex_flow": "row wrap", "grid_gap": "6px 14px"})


def column(*parts: ipywidgets.Widget) -> ipywidgets.VBox:
    """Put parts below each other."""
    return ipywidgets.VBox(parts)
