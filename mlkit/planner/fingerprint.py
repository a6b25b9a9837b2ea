"""The fingerprint of a stage: everything its result depends on.

The *parts* are known before a stage runs: code cells, parameters, input digests, output names, the
version of Python. Its *trace* shows only when it has run: what the notebook really read
(`mlkit.planner.trace`). A result is found by the parts' key and holds while its trace does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
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

SELDOM = ("env", "kernel", "prose")
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
    prose : tuple of (str, str)
        Where the executed notebook is an output of the stage: digest and title of each cell that it
        shows beside the code, in order, and of the code cells' other tags.
    """

    cells: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, str]
    python: str
    kernel: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    prose: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """The digest of all parts; titles and cell ids are none of them."""
        document = {
            **self.to_json(),
            "cells": [digest for digest, _ in self.cells],
            "prose": [digest for digest, _ in self.prose],
        }
        for name in SELDOM:
            if not document[name]:
                del document[name]
        return sha256(canonical(document).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The parts as JSON."""
        cells, prose = ([list(cell) for cell in each] for each in (self.cells, self.prose))
        return {"version": PARTS_VERSION, **vars(self), "cells": cells, "prose": prose}


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
        prose=_prose(notebook, {o.path for o in stage.outputs.values() if o.is_notebook}),
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


CODE = ("code", "")
"""Stands among the prose for a code cell, which counts by itself."""


def _prose(notebook: NotebookSource, written: Set[str]) -> tuple[tuple[str, str], ...]:
    """What an executed notebook that is an output shows beside its code.

    The page has words and the pictures in them; the notebook itself also raw cells and tags.
    """
    if not written:
        return ()
    is_whole = any(path.endswith(".ipynb") for path in written)
    found = []
    for cell, document in zip(notebook.cells, notebook.document["cells"], strict=True):
        tags = sorted(cell.tags - EXECUTION_TAGS) if is_whole else []
        if cell.is_injected or not cell.source.strip() or (cell.kind == "raw" and not is_whole):
            continue
        if cell.kind == "code" and not tags:
            found.append(CODE)
            continue
        text = "" if cell.kind == "code" else cell.source
        shown = [cell.kind, text, tags, document.get("attachments") or {}]
        found.append((sha256(canonical(shown).encode()).hexdigest(), cell.title))
    return tuple(found)
