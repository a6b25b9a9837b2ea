"""Values that a notebook receives without their being written into it."""

from __future__ import annotations

import json
import os
from typing import Any

from mlkit.inside.secret import Secret

__all__ = ["INJECTED_PREFIX", "injected"]

INJECTED_PREFIX = "MLKIT_INJECTED_"


def injected(name: str) -> Any:
    """Give the value of a parameter that must not be written into the notebook.

    Parameters
    ----------
    name : str
        The parameter's name.

    Returns
    -------
    object
        The value, as JSON carries it; a text as `mlkit.Secret`.

    Raises
    ------
    LookupError
        If this kernel was not started by mlkit for such a parameter.
    """
    text = os.environ.get(INJECTED_PREFIX + name)
    if text is None:
        raise LookupError(f"this kernel was given no hidden value for the parameter '{name}'")
    value = json.loads(text)
    return Secret(value) if isinstance(value, str) else value
