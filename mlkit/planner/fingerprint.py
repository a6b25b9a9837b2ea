"""The fingerprint of a stage: everything its result depends on.

The *parts* are known before a stage runs: code cells, parameters, input digests, output names, the
version of Python. Its *trace* shows only when it has run: what the notebook really read
(`mlkit.planner.trace`). A result is found by the parts' key and holds while its trace does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from mlkit.core.configuration import Bound
from mlkit.core.pipeline import Stage
from mlkit.core.values import canonical, encode
from mlkit.frozen import dataclass
from mlkit.notebook.cells import Cell, NotebookSource
from mlkit.planner.interpreter import interpreter, program_of

__all__ = ["PARTS_VERSION", "Digests", "Parts", "digest_of_code", "parts_of"]

_compact = json.JSONEncoder(separators=(",", ":")).encode

PARTS_VERSION = 2
"""Counted up whenever a part comes, goes or is written otherwise: results of another version are
told from those of today, and their stages run again, once."""

SELDOM = ("env", "kernel")
"""Parts that most stages do not have: they count where they are, so that the results of all others
still hold that were recorded before these parts came."""

EXECUTION_TAGS = frozenset({"parameters", "raises-exception", "skip-execution"})
"""Tags of a cell that change how it is executed: where values are injected, whether an error ends
the notebook, whether nbclient leaves the cell out."""

Digests = Mapping[str, str | Sequence[str] | None]
"""Input name to digest; a list of them from a mapped stage; None where the input was not made."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What is known of a stage's result before it runs.

    Parameters
    ----------
    cells : tuple of (str, str)
        Digest and title of each code cell, in order; a tag that changes its execution is part of
        both.
    parameters : mapping of str to str
        Each bound parameter's value as JSON, with the order of its mappings, which the notebook
        sees; secrets are left out.
    inputs : mapping
        Input name to digest or list of digests.
    outputs : mapping of str to str
        Output name to file name.
    python : str
        The version of the Python that executes the stage; empty for another language.
    kernel : str
        The Jupyter kernel; empty for mlkit's own Python.
    env : mapping of str to str
        The variables that the pipeline sets; secrets in them by their names.
    """

    cells: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, str]
    python: str
    kernel: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The digest of all parts; prose, titles and cell ids are none of them."""
        document = {**self.to_json(), "cells": [digest for digest, _ in self.cells]}
        for name in SELDOM:
            if not document[name]:
                del document[name]
        return sha256(canonical(document).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The parts as JSON."""
        cells = [list(cell) for cell in self.cells]
        return {"version": PARTS_VERSION, **vars(self), "cells": cells}


def parts_of(
    stage: Stage,
    notebook: NotebookSource,
    bound: Mapping[str, Bound],
    inputs: Digests,
    env: Mapping[str, Bound] | None = None,
) -> Parts:
    """Gather the parts of a stage's fingerprint.

    Parameters
    ----------
    stage : Stage
        The stage.
    notebook : NotebookSource
        Its notebook as it stands now.
    bound : mapping of str to Bound
        The values that it receives.
    inputs : mapping
        The digests of its inputs.
    env : mapping of str to Bound, optional
        The variables that its kernel finds set by the pipeline.
    """
    kernel = stage.kernel
    is_python = kernel is None or kernel.language == "python"
    return Parts(
        cells=tuple(map(_cell, notebook.code_cells)),
        parameters={
            name: _compact(encode(item.public))
            for name, item in sorted(bound.items())
            if not stage.declared[name].spec.is_secret
        },
        inputs={
            name: digest if isinstance(digest, str | None) else list(digest)
            for name, digest in sorted(inputs.items())
        },
        outputs={name: str(output) for name, output in sorted(stage.outputs.items())},
        python=interpreter(program_of(stage)).version if is_python else "",
        kernel="" if kernel is None else kernel.name,
        env={name: str(item.public) for name, item in sorted((env or {}).items())},
    )


def digest_of_code(notebook: NotebookSource) -> str:
    """The digest of what of a notebook may change a result: its code, and what it says runs it."""
    metadata = notebook.document.get("metadata", {})
    spec = metadata.get("kernelspec")
    name = spec.get("name") if isinstance(spec, dict) else None
    cells = [_cell(cell)[0] for cell in notebook.code_cells]
    return sha256(canonical([cells, name, notebook.language]).encode()).hexdigest()


@lru_cache(maxsize=4096)  # the instances of a map have their cells in common
def _cell(cell: Cell) -> tuple[str, str]:
    """What a cell does, and how to name it."""
    tags = sorted(cell.tags & EXECUTION_TAGS)
    if not tags:
        return cell.digest, cell.title
    digest = sha256(" ".join([cell.digest, *tags]).encode()).hexdigest()
    shown = [tag for tag in tags if tag != "parameters"]
    return digest, " ".join([cell.title, *(f"[{tag}]" for tag in shown)])
