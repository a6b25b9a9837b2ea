"""Execute a stage's notebook with Papermill on a kernel of its own.

This is the only module that imports Papermill. Papermill's own engine saves after every cell,
waits at fixed intervals and marks cells as completed that never ran, so mlkit registers an engine
of its own: nbclient underneath, one deadline for the whole attempt, the kernel's death noticed at
once, the notebook written when it is done and every few seconds for those who watch.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import logging
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import IO, Any

from mlkit.notebook.foreign import source_to_inject
from mlkit.notebook.importing import FORMAT_CHECKS, missing, plugins_of, postponed
from mlkit.notebook.injection import (
    INJECTED_TAG,
    injected_cell,
    is_injected,
    place_to_inject,
)
from mlkit.notebook.kernels import Kernels
from mlkit.notebook.kernelspecs import is_named_in_metadata, named_in_metadata
from mlkit.notebook.loaded import load, needs_papermill
from mlkit.notebook.log import AttemptLog
from mlkit.notebook.notebook_runner import (
    Cancellation,
    ExecutionRequest,
    ExecutionResult,
    OnCell,
)

__all__ = ["PapermillRunner", "warm_up"]

ENGINE = "mlkit"
FAREWELL = "KeyboardInterrupt caught in kernel"
"""What ipykernel reports when it is ended as jupyter_client does it: SIGINT first."""

NOT_NEEDED = (*FORMAT_CHECKS, *("boto3", "azure", "gcsfs", "pyarrow.fs", "github"))
"""Optional dependencies of jsonschema and Papermill that take a second to import: checks of
formats, and Papermill's own access to notebooks on S3, Azure, Google Cloud, Hadoop and GitHub
(mlkit hands it notebooks that are read already)."""

LATER = ("requests", "click")
"""What Papermill fetches notebooks from URLs with, and shows a notebook's parameters with; both are
imported if that should ever happen."""

_warming = threading.Lock()
_handed = threading.local()
"""The notebook that is loaded already, in the thread that hands it to Papermill."""


def warm_up() -> None:
    """Import Papermill and register mlkit's engine; without what it can do without.

    Call it before anything else imports nbformat, which imports jsonschema.
    """
    with _warming:
        _warm_up()


@cache  # once: what stands in for modules meanwhile is seen by every thread of this process
def _warm_up() -> None:
    # Only with what it can do without held back, which the imports at the top would bring.
    with missing(*NOT_NEEDED), postponed(*LATER), plugins_of("papermill"):
        import papermill.execute
        from papermill.engines import Engine, papermill_engines

    load_notebook_node = papermill.execute.load_notebook_node
    papermill.execute.load_notebook_node = lambda notebook: (
        notebook if notebook is vars(_handed).get("notebook", ...) else load_notebook_node(notebook)
    )
    logging.getLogger("papermill").setLevel(logging.WARNING)

    class SessionEngine(Engine):  # type: ignore[misc] # Papermill is untyped
        """Hands the notebook to the session that was passed along."""

        @classmethod
        def execute_notebook(cls, nb: Any, kernel_name: str, **kwargs: Any) -> Any:
            for place in ("input_path", "output_path"):  # the notebook once more, and None
                del nb.metadata.papermill[place]
            kwargs["session"].run(nb)
            raise _Executed

    papermill_engines.register(ENGINE, SessionEngine)


class _Executed(Exception):  # noqa: N818 - that is no error
    """Tells Papermill that nothing is left to do.

    It would look for errors, mark them by two more cells, check the notebook and write it as text
    for a file that there is not: a second time what the session has done, and of a notebook of 5 MB
    a second's work.
    """


class PapermillRunner:
    """Executes notebooks with Papermill; one for each driver, safe in threads.

    Parameters
    ----------
    kernels : Kernels
        Where kernels come from.
    """

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Execute one notebook; see `NotebookRunner`."""
        warm_up()
        # With what they import they take half a second, in which the zygote imports already.
        import nbformat
        import papermill

        from mlkit.notebook.session import Session

        document = _prepared(request)
        if needs_papermill(document):
            notebook = nbformat.from_dict(document)  # type: ignore[no-untyped-call] # untyped
        else:
            notebook = load(document)
            _handed.notebook = notebook
        log = AttemptLog(request.log, request.scrubber)
        session = Session(request, self.kernels, on_cell, cancellation, log)
        with tempfile.TemporaryFile() as raw:
            session.kernel_log = Path(f"/dev/fd/{raw.fileno()}")
            try:
                with contextlib.suppress(_Executed):
                    papermill.execute_notebook(
                        notebook,
                        None,
                        engine_name=ENGINE,
                        kernel_name=notebook.metadata.kernelspec.name,
                        progress_bar=False,
                        session=session,
                    )
            finally:
                vars(_handed).pop("notebook", None)
                _take_over(raw, log)
                log.close()
        session.save()
        return session.result()


def _take_over(raw: IO[bytes], log: AttemptLog) -> None:
    """Move what the kernel's process wrote by itself into the log, but for its own farewell.

    It is not scrubbed yet, so it stands in a file without a name, which a killed driver cannot
    leave behind.
    """
    raw.seek(0)
    for line in raw.read().decode(errors="backslashreplace").splitlines(keepends=True):
        if FAREWELL not in line:
            log.write(line)


def _prepared(request: ExecutionRequest) -> dict[str, Any]:
    """The notebook with its injected cell, without outputs of earlier executions."""
    document = copy.deepcopy(dict(request.document))
    cells = [cell for cell in document["cells"] if not is_injected(cell)]
    for cell in cells:
        own = cell.setdefault("metadata", {})
        for holder, key in ((own, "tags"), (cell, "attachments")):
            if holder.get(key, ...) is None:  # as good as not there, but nbclient looks into it
                del holder[key]
        cell["source"] = "".join(cell.get("source", ""))
        if cell.get("cell_type") == "code":
            cell["outputs"] = []
            cell["execution_count"] = None
            for stale in ("execution", "papermill"):
                own.pop(stale, None)
    if not isinstance(document.get("nbformat_minor"), int):
        document["nbformat_minor"] = 5 if any("id" in cell for cell in cells) else 4
    _tell_apart(cells)
    if request.assignments:
        source = source_to_inject(request.assignments, request.title, request.kernel)
        name = INJECTED_TAG if document["nbformat_minor"] >= 5 else None
        cells.insert(place_to_inject(cells), injected_cell(source, name))
    document["cells"] = cells
    metadata = document.setdefault("metadata", {})
    metadata.pop("widgets", None)
    if request.kernel is not None or not is_named_in_metadata(metadata):
        metadata["kernelspec"] = named_in_metadata(request.kernel)
    metadata["mlkit"] = dict(request.metadata)
    return document


def _tell_apart(cells: list[dict[str, Any]]) -> None:
    """Give an id of its own to every cell that has an earlier one's, as a copied cell may.

    nbformat would give a random one and warn of it; this one is the same in every execution.
    """
    taken = {cell.get("id") for cell in cells}
    seen = set()
    for number, cell in enumerate(cells, 1):
        name = cell.get("id")
        if isinstance(name, str) and name in seen:
            name = next(
                new
                for again in itertools.count(number)
                if (new := f"{name[:50]}-{again}") not in taken
            )
            taken.add(name)
            cell["id"] = name
        seen.add(name)
