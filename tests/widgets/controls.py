"""Using a view's controls as a learner does: by their labels."""

from __future__ import annotations

from typing import Any

__all__ = ["control", "everything", "press"]


def everything(widget: Any) -> list[Any]:
    """A widget and all that it holds."""
    below = [inner for child in getattr(widget, "children", ()) for inner in everything(child)]
    return [widget, *below]


def control(view: Any, label: str) -> Any:
    """The one control of that label."""
    names = ("description", "label")
    found = [w for w in everything(view) if label in [getattr(w, name, None) for name in names]]
    assert len(found) == 1, (label, found)
    return found[0]


def press(view: Any, label: str) -> None:
    """Press the button of that label."""
    control(view, label).click()
