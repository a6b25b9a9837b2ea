"""The notebook of a new stage: it declares what pipeline.yaml wires, and runs at once.

Until somebody writes the stage's own work into it, it reads its inputs and passes something fitting
on, so that the pipeline stays green while it grows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import PurePosixPath
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["Given", "Wanted", "code_cell", "notebook_of", "stage_notebook"]

_TABLES = {
    ".csv": "pd.read_csv({})",
    ".parquet": "pd.read_parquet({})",
    ".feather": "pd.read_feather({})",
}
_READERS = {
    **_TABLES,
    ".json": "json.loads(Path({}).read_text())",
    ".joblib": "joblib.load({})",
    ".npy": "np.load({})",
    ".txt": "Path({}).read_text()",
    ".md": "Path({}).read_text()",
}
_TABLE_WRITERS = {
    ".csv": "{}.to_csv({}, index=False)",
    ".parquet": "{}.to_parquet({})",
    ".feather": "{}.to_feather({})",
}
_WRITERS = {
    ".json": "Path({1}).write_text(json.dumps({0}, default=str))",
    ".joblib": "joblib.dump({0}, {1})",
}
_IMPORTS = {
    "json": "import json",
    "Path": "from pathlib import Path",
    "joblib": "import joblib",
    "plt": "import matplotlib.pyplot as plt",
    "np": "import numpy as np",
    "pd": "import pandas as pd",
}
_PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, kw_only=True)
class Given:
    """An input: its name, and the path at which it is found by hand; several of a mapped stage.

    One that may be missing arrives as None.
    """

    name: str
    path: str
    many: bool = False
    optional: bool = False

    @property
    def suffix(self) -> str:
        """What tells how it is read."""
        return PurePosixPath(self.path).suffix

    @property
    def declaration(self) -> str:
        """Its line in the parameters cell."""
        if self.many:
            return f"{self.name}: list[str] = []"
        kind = "str | None" if self.optional else "str"
        return f"{self.name}: {kind} = {json.dumps(self.path, ensure_ascii=False)}"

    @property
    def read(self) -> str:
        """The name that its content has in the notebook."""
        return f"{self.name}_read"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An output: its name and its file's name."""

    name: str
    file: str

    @property
    def declaration(self) -> str:
        """Its line in the parameters cell; `scratch/` is where a notebook writes by hand."""
        path = f"scratch/{PurePosixPath(self.file).name}"
        return f"{self.name}: str = {json.dumps(path, ensure_ascii=False)}"


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """Lines of code, and the names that they want imported."""

    lines: list[str] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)

    def add(self, line: str) -> None:
        self.lines.append(line)
        self.wanted.update(name for name in _IMPORTS if f"{name}." in line or f"{name}(" in line)

    def imports(self) -> str:
        own = [line for name, line in _IMPORTS.items() if name in self.wanted]
        standard = [line for line in own if line in (_IMPORTS["json"], _IMPORTS["Path"])]
        others = [line for line in own if line not in standard]
        return "\n".join([*standard, *([""] if standard and others else []), *others])


def stage_notebook(
    stage: str,
    *,
    parameters: Mapping[str, Any],
    inputs: tuple[Given, ...],
    outputs: tuple[Wanted, ...],
) -> dict[str, Any]:
    """Make the notebook of a new stage.

    Returns
    -------
    dict
        A notebook of format 4.5.
    """
    declared = [f"{name} = {value!r}" for name, value in parameters.items()]
    declared += [given.declaration for given in inputs]
    declared += [wanted.declaration for wanted in outputs]
    code = _Lines()
    for given in inputs:
        code.add(f"{given.read} = {_reading(given)}")
    if inputs:
        code.add(inputs[-1].read)
    end = _Lines(wanted=code.wanted)
    for wanted in outputs:
        for line in _writing(wanted, inputs):
            end.add(line)
    title = stage.replace("_", " ").replace("-", " ").capitalize()
    cells = [
        _text("title", f"# {title}\n\nSay here what this stage does, and why."),
        *([code_cell("parameters", "\n".join(declared), "parameters")] if declared else []),
        *([code_cell("imports", code.imports())] if code.wanted else []),
        *([code_cell("read", "\n".join(code.lines))] if code.lines else []),
        *([_text("work", "## The stage's own work")] if inputs or outputs else []),
        *([code_cell("write", "\n".join(end.lines))] if end.lines else []),
    ]
    return notebook_of(cells)


def _reading(given: Given) -> str:
    reader = _READERS.get(given.suffix, "Path({})")
    if not given.many:
        read = reader.format(given.name)
        return f"None if {given.name} is None else {read}" if given.optional else read
    each = f"{reader.format('path')} for path in {given.name}"
    return f"[{each}]"


def _writing(wanted: Wanted, inputs: tuple[Given, ...]) -> list[str]:
    """Lines that write something fitting: what was read, or a first value."""
    suffix = PurePosixPath(wanted.file).suffix
    if wanted.file.endswith("/"):
        return [f'(Path({wanted.name}) / "part-1.txt").write_text("a first part")']
    sure = [item for item in inputs if item.suffix in _TABLES and not item.many | item.optional]
    table = next((item.read for item in sure), None)
    anything = next((item.read for item in inputs if item.suffix in _READERS), '"a first value"')
    if suffix in _TABLE_WRITERS:
        first = table or 'pd.DataFrame({"value": [1, 2, 3]})'
        return [_TABLE_WRITERS[suffix].format(first, wanted.name)]
    if suffix in _PICTURES:
        return [
            "figure, axes = plt.subplots()",
            f"{table}.plot(ax=axes)" if table else "axes.plot([1, 2, 3])",
            f"figure.savefig({wanted.name})",
        ]
    if suffix == ".npy":
        numbers = f'{table}.select_dtypes("number")' if table else "np.arange(3)"
        return [f"np.save({wanted.name}, {numbers})"]
    if suffix in _WRITERS:
        told = f"{table}.describe().to_dict()" if suffix == ".json" and table else anything
        return [_WRITERS[suffix].format(told, wanted.name)]
    return [f"Path({wanted.name}).write_text(str({anything}))"]


def _text(name: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "markdown",
        "id": name,
        "metadata": {},
        "source": source.splitlines(keepends=True),
    }


def notebook_of(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """A Python notebook of format 4.5 with these cells."""
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def code_cell(name: str, source: str, *tags: str) -> dict[str, Any]:
    """A code cell that was not executed; its id is its name."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {"tags": list(tags)} if tags else {},
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }
