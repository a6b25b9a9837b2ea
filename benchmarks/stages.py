"""Describe a pipeline once, and write it down for every contender."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Stage", "plan", "write_notebook", "write_pipeline"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One notebook of a workload.

    Parameters
    ----------
    name : str
        Its name, and its notebook's.
    cells : tuple of str
        The code after the parameters cell.
    inputs : Mapping of str to str
        A parameter's name → `STAGE.OUTPUT`.
    outputs : Mapping of str to str
        A parameter's name → a file's name.
    parameters : Mapping of str to object
        Values of further parameters.
    """

    name: str
    cells: tuple[str, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notebook(self) -> str:
        """The notebook's file name."""
        return f"{self.name}.ipynb"


def write_notebook(path: Path, stage: Stage) -> None:
    """Write a stage's notebook, without outputs, parameters cell first."""
    names = {**dict.fromkeys([*stage.inputs, *stage.outputs], ""), **stage.parameters}
    declared = "\n".join(f"{name} = {value!r}" for name, value in names.items())
    cells = [_cell(0, declared, ["parameters"]) if names else None]
    cells += [_cell(number, code) for number, code in enumerate(stage.cells, start=1)]
    document = {
        "cells": [cell for cell in cells if cell is not None],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(document, indent=1))


def write_pipeline(folder: Path, name: str, stages: Sequence[Stage]) -> None:
    """Write pipeline.yaml and the notebooks of a pipeline for mlkit."""
    document: dict[str, Any] = {"name": name, "stages": {}}
    for stage in stages:
        write_notebook(folder / stage.notebook, stage)
        entry: dict[str, Any] = {"notebook": stage.notebook}
        for key in ("inputs", "outputs", "parameters"):
            if getattr(stage, key):
                entry[key] = dict(getattr(stage, key))
        document["stages"][stage.name] = entry
    (folder / "pipeline.yaml").write_text(json.dumps(document, indent=1))  # JSON is YAML too


def plan(folder: Path, stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """The same pipeline as a list of notebooks with parameters, in an order that works.

    Each entry holds `name`, `notebook`, `executed` (where the executed notebook goes),
    `parameters`, and the files `reads` and `writes`; all paths are absolute, under `out/`.
    """
    out = folder / "out"
    places = {
        f"{stage.name}.{output}": str(out / stage.name / file)
        for stage in stages
        for output, file in stage.outputs.items()
    }
    entries = []
    for stage in stages:
        reads = {name: places[source] for name, source in stage.inputs.items()}
        writes = {output: places[f"{stage.name}.{output}"] for output in stage.outputs}
        entries.append(
            {
                "name": stage.name,
                "notebook": str(folder / stage.notebook),
                "executed": str(out / stage.name / "notebook.ipynb"),
                "parameters": {**reads, **writes, **stage.parameters},
                "reads": sorted(reads.values()),
                "writes": sorted(writes.values()),
            }
        )
    return entries


def _cell(number: int, source: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"cell-{number}",
        "metadata": {"tags": list(tags)} if tags else {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }
