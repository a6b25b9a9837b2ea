"""What a stage depends on, as places on today's disk: there one looks who waits for a change.

A place is none too many: whether a change there means anything, the planner says.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import ExternalFile, Stage
from mlkit.errors import NotebookError
from mlkit.frozen import dataclass
from mlkit.notebook.imports import project_files
from mlkit.notebook.source import read_notebook
from mlkit.planner.checkout import Checkout
from mlkit.planner.trace import TRACE_VERSION

__all__ = ["Sources", "sources_of"]

Marks = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The places of one stage.

    Parameters
    ----------
    files : frozenset of str
        Its notebook, its files from outside, what it was seen to read or to look for, and the
        project's modules that its notebook imports. Some may not be there.
    folders : frozenset of str
        Folders whose names it has listed, and folders from outside.
    marks : mapping of str to tuple of int
        How files looked that it has read.
    """

    files: frozenset[str]
    folders: frozenset[str] = frozenset()
    marks: Mapping[str, Marks] = field(default_factory=dict)

    def touched(self, changed: Collection[str]) -> bool:
        """Whether a change of these places may mean something to the stage."""
        if any(place in self.files or place in self.folders for place in changed):
            return True
        within = tuple(folder + os.sep for folder in self.folders)
        return any(place.startswith(within) for place in changed) if within else False


def sources_of(
    stage: Stage,
    configuration: Configuration,
    traces: Iterable[Mapping[str, Any]],
    checkout: Checkout,
    environ: Mapping[str, str],
) -> Sources:
    """Gather the places of a stage.

    Parameters
    ----------
    stage : Stage
        The stage.
    configuration : Configuration
        Where its files from outside stand.
    traces : iterable of mapping
        What its latest results were seen to depend on.
    checkout : Checkout
        Where its project stands.
    environ : mapping of str to str
        The environment of its kernel.
    """
    notebook = Path(stage.notebook)
    files, folders, marks = {str(notebook)}, set[str](), dict[str, Marks]()
    for name, source in stage.inputs.items():
        if isinstance(source, ExternalFile):
            place = str(configuration.files[f"{stage.name}.{name}"])
            (folders if source.is_folder else files).add(place)
    with contextlib.suppress(NotebookError):  # loading the pipeline says what is wrong
        files.update(map(str, project_files(read_notebook(notebook))))
    for trace in traces:
        if trace.get("version") != TRACE_VERSION or "files" not in trace:
            continue
        for name, item in trace["files"].items():
            place = checkout.place(name, environ)
            files.add(place)
            marks[place] = tuple(item["marks"])
        asked = (trace.get(kind, ()) for kind in ("absent", "present", "itself", "links"))
        for name in itertools.chain.from_iterable(asked):
            files.add(checkout.place(name, environ))
        bases = [*trace["lists"], *(item["base"] for item in trace["globs"])]
        folders.update(checkout.place(name, environ) for name in bases)
    return Sources(files=frozenset(files), folders=frozenset(folders), marks=marks)
