"""The fingerprint of a stage: everything its result depends on.

The *parts* are known before a stage runs: code cells, parameters, input digests, output names, the
version of Python. What it *observed* shows only when it has run: the project modules and packages
that the notebook really imported. A result is found by the parts' key and holds while what it
observed is unchanged.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from mlkit.core.configuration import Bound
from mlkit.core.pipeline import Stage
from mlkit.core.values import canonical
from mlkit.notebook.cells import NotebookSource

__all__ = ["Digests", "Parts", "parts_of", "python_version"]

Digests = Mapping[str, str | Sequence[str] | None]
"""Input name to digest; a list of them from a mapped stage; None where the input was not made."""


def python_version() -> str:
    """The version of this interpreter, which kernels share."""
    return platform.python_version()


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What is known of a stage's result before it runs.

    Parameters
    ----------
    cells : tuple of (str, str)
        Digest and title of each code cell, in order.
    parameters : mapping of str to str
        Each bound parameter's value in canonical form; secrets are left out.
    inputs : mapping
        Input name to digest or list of digests.
    outputs : mapping of str to str
        Output name to file name.
    python : str
        The version of Python.
    """

    cells: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, str]
    python: str

    @property
    def key(self) -> str:
        """The digest of all parts; prose, titles and cell ids are none of them."""
        document = {
            "cells": [digest for digest, _ in self.cells],
            "parameters": dict(self.parameters),
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
            "python": self.python,
        }
        return sha256(canonical(document).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The parts as JSON."""
        return {
            "cells": [list(cell) for cell in self.cells],
            "parameters": dict(self.parameters),
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
            "python": self.python,
        }


def parts_of(
    stage: Stage, notebook: NotebookSource, bound: Mapping[str, Bound], inputs: Digests
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
    """
    return Parts(
        cells=tuple((cell.digest, cell.title) for cell in notebook.code_cells),
        parameters={
            name: canonical(item.public)
            for name, item in sorted(bound.items())
            if not stage.declared[name].spec.is_secret
        },
        inputs={
            name: digest if isinstance(digest, str | None) else list(digest)
            for name, digest in sorted(inputs.items())
        },
        outputs=dict(sorted(stage.outputs.items())),
        python=python_version(),
    )
