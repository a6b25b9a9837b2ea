"""No view takes a private name that traitlets or ipywidgets need for themselves."""

from __future__ import annotations

import inspect
from typing import Any

import ipywidgets
import pytest

import mlkit.widgets
from mlkit.widgets.kit.base import Panel

EXPORTED = [getattr(mlkit.widgets, name) for name in mlkit.widgets.__all__]
VIEWS = [item for item in EXPORTED if inspect.isclass(item) and issubclass(item, Panel)]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_replaces_no_private_method_of_the_library(view: Any) -> None:
    """A helper named like one of traitlets' own breaks a view where nobody looks."""
    library = {item for item in dir(ipywidgets.VBox) if item.startswith("_")}
    above = view.__mro__[: view.__mro__.index(Panel)]
    own = {n for cls in above for n, item in vars(cls).items() if inspect.isfunction(item)}
    assert {n for n in own & library if not n.startswith("__")} == set()
