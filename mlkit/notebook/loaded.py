"""A notebook as Papermill holds it when it has loaded it, made of what mlkit has read already.

Papermill writes a notebook that it is handed as text, reads the text, and checks the notebook on
the way against the schema, which is compiled for that: a tenth of a second in each run, and some
milliseconds in each stage. What the check finds it only logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["load", "needs_papermill"]

FORMAT = (4, 5)
"""The version of the format that Papermill brings every notebook to."""

CELL_TYPES = frozenset({"code", "markdown", "raw"})


def needs_papermill(document: Mapping[str, Any]) -> bool:
    """Whether loading a notebook changes it: it is of an older format, or its cells need ids.

    Parameters
    ----------
    document : mapping of str to object
        The notebook as JSON has it.
    """
    if (document.get("nbformat"), document.get("nbformat_minor")) != FORMAT:
        return True
    cells = document["cells"]
    ids = [cell.get("id") for cell in cells]
    return (
        len(set(map(str, ids))) < len(ids)
        or any(not isinstance(each, str) for each in ids)
        or any(cell.get("cell_type") not in CELL_TYPES for cell in cells)
    )


def load(document: Mapping[str, Any]) -> Any:
    """Make what Papermill's own loading makes of a notebook that does not need it.

    Parameters
    ----------
    document : mapping of str to object
        The notebook as JSON has it; `needs_papermill` is false of it.

    Returns
    -------
    NotebookNode
        The notebook, with the places in which Papermill takes its notes.
    """
    # With what it imports it takes a quarter of a second, in which the zygote imports already.
    import nbformat
    import papermill

    names = ("default_parameters", "parameters", "environment_variables")
    notes = {**{name: {} for name in names}, "version": papermill.__version__}
    cells = [
        {**cell, "metadata": {"tags": [], "papermill": {}, **cell["metadata"]}}
        for cell in document["cells"]
    ]
    metadata = {"papermill": notes, **document["metadata"]}
    return nbformat.v4.to_notebook({**document, "cells": cells, "metadata": metadata})  # type: ignore[no-untyped-call] # untyped
