"""Make an executed notebook fit for the site: nothing in it needs a kernel or the network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["shape"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
_DRAWN = "application/vnd.mlkit.drawn"
"""As `mlkit.widgets` displays it: HTML whose pictures are light or dark as the page is."""
_HIDDEN_TAGS = {"hidden"}


def shape(notebook: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """Give the notebook as the site shows it. Pure.

    Parameters
    ----------
    notebook : mapping
        The executed notebook.
    source : mapping
        The notebook as it stands in the checkout; the reference outputs of an exercise's checks
        are shown in place of the errors that unwritten answers cause.

    Returns
    -------
    dict
        Widgets are replaced by their pictures, hints and expected values of checks are gone, and
        pictures have a text for those who cannot see them.
    """
    given = {cell["id"]: cell for cell in source["cells"]}
    cells = []
    heading = ""
    for cell in notebook["cells"]:
        heading = _heading(cell) or heading
        tags = set(cell["metadata"].get("tags", []))
        if tags & _HIDDEN_TAGS:
            continue
        cells.append(_cell(cell, given.get(cell["id"], {}), heading))
    kernel = {"kernelspec": notebook["metadata"].get("kernelspec", {})}
    language = {"language_info": {"name": "python"}}
    return {**notebook, "metadata": {**kernel, **language}, "cells": cells}


def _heading(cell: Mapping[str, Any]) -> str:
    if cell["cell_type"] != "markdown":
        return ""
    found = re.findall(r"^#{1,6}\s+(.+?)\s*$", "".join(cell["source"]), flags=re.MULTILINE)
    return str(found[-1]) if found else ""


def _cell(cell: Mapping[str, Any], given: Mapping[str, Any], heading: str) -> dict[str, Any]:
    metadata = {"tags": cell["metadata"].get("tags", [])}
    if cell["cell_type"] != "code":
        return {**cell, "metadata": metadata}
    outputs = _outputs(cell, given)
    pictured = any("image/png" in output.get("data", {}) for output in outputs)
    if pictured:
        alt = cell["metadata"].get("alt") or f"Picture of the section “{heading}”"
        metadata = {**metadata, "mystnb": {"image": {"alt": alt}}}
    return {**cell, "metadata": metadata, "outputs": outputs}


def _outputs(cell: Mapping[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A check's reference outputs where its answer is not written yet; else what it printed."""
    failed = any(output["output_type"] == "error" for output in cell["outputs"])
    if failed and cell["id"].startswith("check-") and given.get("outputs"):
        return [_told("What a right answer prints:"), *given["outputs"]]
    return [_without_widget(output) for output in cell["outputs"]]


def _told(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": [f"{text}\n"]}


def _without_widget(output: dict[str, Any]) -> dict[str, Any]:
    """An output without what only a running kernel can show; its text or picture stays."""
    data = output.get("data", {})
    if _WIDGET not in data:
        return output
    kept = {kind: value for kind, value in data.items() if kind not in (_WIDGET, _DRAWN)}
    if _DRAWN in data:
        kept["text/html"] = data[_DRAWN]
    if "text/html" in kept:
        kept.pop("image/png", None)
    return {**output, "data": kept}
