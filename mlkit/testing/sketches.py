"""Write small pipelines: a pipeline.yaml, and a notebook for each stage."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mlkit.core.outputs import Output
from mlkit.frozen import dataclass

__all__ = ["ShownNotebook", "Sketch", "show_notebook", "write_notebook", "write_pipeline"]

BODY = """from pathlib import Path
texts = [Path(path).read_text() for path in {reads} if path is not None]
Path(out).write_text(f"{name}({{','.join(texts)}})")"""


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """A stage in few words; its notebook reads what is upstream and writes one text file.

    Parameters
    ----------
    name : str
        The stage's name.
    upstream : tuple of str
        Stages whose `out` it reads, each as an input of that stage's name.
    body : str, optional
        The notebook's code; by default it writes `NAME(TEXTS,OF,UPSTREAM)` to `out`.
    declares : str
        Further lines of the parameters cell.
    file : str, optional
        The file name of its output `out`; empty for a stage without outputs.
    keys : mapping
        Further keys of the stage in pipeline.yaml; `inputs` and `outputs` are added to.
    """

    name: str
    upstream: tuple[str, ...] = ()
    body: str | None = None
    declares: str = ""
    file: str | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> dict[str, str]:
        """Output name to file name."""
        own = {} if self.file == "" else {"out": self.file or f"{self.name}.txt"}
        return {**own, **self.keys.get("outputs", {})}

    @property
    def stage(self) -> dict[str, Any]:
        """The stage as it stands in pipeline.yaml."""
        inputs = {name: f"{name}.out" for name in self.upstream}
        inputs |= self.keys.get("inputs", {})
        rest = {k: v for k, v in self.keys.items() if k not in ("inputs", "outputs")}
        entry: dict[str, Any] = {"notebook": f"{self.name}.ipynb", **rest}
        if inputs:
            entry["inputs"] = inputs
        if self.outputs:
            entry["outputs"] = self.outputs
        return entry

    @property
    def parameters(self) -> str:
        """The parameters cell."""
        lines = [f"{name}: str | None = None" for name in self.upstream]
        written = {name: Output.of(file) for name, file in self.outputs.items()}
        lines += [
            f'{name}: str = "scratch/{output.path}"'
            for name, output in written.items()
            if not output.is_notebook
        ]
        return "\n".join([*lines, *self.declares.splitlines()])

    @property
    def code(self) -> str:
        """The notebook's code."""
        if self.body is not None:
            return self.body
        reads = f"({''.join(name + ', ' for name in self.upstream)})"
        return BODY.format(reads=reads, name=self.name)


def write_notebook(path: Path, *cells: str, parameters: str | None = None) -> Path:
    """Write a notebook of format 4.5 with some code cells.

    Parameters
    ----------
    path : Path
        The file; its folder exists.
    *cells : str
        The code cells; one that begins with `#%% md` is a Markdown cell of what follows.
    parameters : str, optional
        The cell tagged `parameters`, which comes first.

    Returns
    -------
    Path
        The file.
    """
    sources = [] if parameters is None else [(parameters, ["parameters"])]
    sources += [(cell, []) for cell in cells]
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "cells": [_cell(index, *item) for index, item in enumerate(sources)],
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def _cell(index: int, source: str, tags: list[str]) -> dict[str, Any]:
    common: dict[str, Any] = {"id": f"cell-{index}", "metadata": {"tags": tags} if tags else {}}
    mark = "#%% md\n"
    if source.startswith(mark):
        return {**common, "cell_type": "markdown", "source": source.removeprefix(mark)}
    return {
        **common,
        "cell_type": "code",
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def write_pipeline(folder: Path, *sketches: Sketch, **top: Any) -> Path:
    """Write a pipeline into a folder, which is made.

    Parameters
    ----------
    folder : Path
        The folder.
    *sketches : Sketch
        The stages.
    **top : object
        Further keys of pipeline.yaml, such as `parameters` or `defaults`.

    Returns
    -------
    Path
        The pipeline.yaml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stages = {sketch.name: sketch.stage for sketch in sketches}
    for sketch in sketches:
        path = folder / f"{sketch.name}.ipynb"
        write_notebook(path, sketch.code, parameters=sketch.parameters or None)
    file = folder / "pipeline.yaml"
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # untyped: a switch
    yaml.dump({"name": "sketched", **top, "stages": stages}, file)
    return file


@dataclass(frozen=True, kw_only=True)
class ShownNotebook:
    """The cells of a notebook, to be read inside another one.

    Parameters
    ----------
    path : Path
        The notebook's file.
    """

    path: Path

    def _repr_markdown_(self) -> str:
        """Each code cell as a block below its number and its tags."""
        notebook = json.loads(self.path.read_text(encoding="utf-8"))
        language = notebook["metadata"].get("kernelspec", {}).get("language", "python").lower()
        parts = [f"**{self.path.name}**"]
        for number, cell in enumerate(notebook["cells"], 1):
            source = "".join(cell["source"])
            tags = "".join(f", tag `{tag}`" for tag in cell["metadata"].get("tags", []))
            if cell["cell_type"] == "code":
                parts.append(f"cell {number}{tags}:\n\n```{language}\n{source}\n```")
            else:
                # A heading within an output would stand among those of the notebook that shows it.
                plain = re.sub(r"^#+\s+(.+)$", r"**\1**", source, flags=re.MULTILINE)
                parts.append("\n".join(f"> {line}" for line in plain.splitlines()))
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        """The same as text."""
        return self._repr_markdown_()


def show_notebook(path: Path | str) -> ShownNotebook:
    """Show a notebook's cells inside another notebook.

    Parameters
    ----------
    path : Path or str
        The file.

    Returns
    -------
    ShownNotebook
        The cell's last expression, so that the notebook shows it.
    """
    return ShownNotebook(path=Path(path))
