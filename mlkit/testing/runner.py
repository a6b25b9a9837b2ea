"""A notebook runner without kernels: cells run in this process, or a stage does as it is told."""

from __future__ import annotations

import copy
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from mlkit.core.progress import News, first_line
from mlkit.core.record import ErrorRecord
from mlkit.core.states import Status
from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.inside.measuring import METRICS_VARIABLE, logged_to
from mlkit.inside.secret import Secret
from mlkit.inside.skipping import StageSkipped
from mlkit.notebook.injection import (
    INJECTED_TAG,
    PARAMETERS_TAG,
    injected_cell,
    injection_source,
    place_to_inject,
)
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest, ExecutionResult, OnCell
from mlkit.planner.trace import file_marks

__all__ = ["Behaviour", "FakeRunner", "Raises", "Returns", "Skips"]


Behaviour = Callable[[ExecutionRequest], ExecutionResult | None]
"""What a stage does in place of its notebook; None: it runs its cells after all."""


@dataclass(frozen=True, kw_only=True)
class Raises:
    """The stage fails.

    Parameters
    ----------
    type : str
        The class that its notebook raised.
    message : str
        The exception's text.
    bases : tuple of str
        Its bases, beside itself.
    """

    type: str = "RuntimeError"
    message: str = "as it was told"
    bases: tuple[str, ...] = ("builtins.Exception", "builtins.BaseException")

    def __call__(self, request: ExecutionRequest) -> ExecutionResult:
        """Fail."""
        bases = (f"there.{self.type}", *self.bases)
        error = ErrorRecord(type=self.type, message=self.message, bases=bases, cell=1)
        return ExecutionResult(status=Status.FAILED, error=error)


@dataclass(frozen=True, kw_only=True)
class Skips:
    """The stage ends early, as `mlkit.skip` would have it.

    Parameters
    ----------
    reason : str
        Why there is nothing to do.
    """

    reason: str = "nothing to do"

    def __call__(self, request: ExecutionRequest) -> ExecutionResult:
        """Skip."""
        return ExecutionResult(status=Status.SKIPPED, reason=self.reason)


@dataclass(frozen=True, kw_only=True)
class Returns:
    """The stage runs its cells, and tells of these imports.

    Parameters
    ----------
    modules : mapping of str to str
        Project modules with their files.
    imported : tuple of str
        Top-level modules.
    """

    modules: Mapping[str, str] = field(default_factory=dict)
    imported: tuple[str, ...] = ()

    def __call__(self, request: ExecutionRequest) -> None:
        """Run the cells."""


class FakeRunner:
    """Executes the code cells of notebooks in this process, with `exec`.

    There is no kernel, so no magic, no display, no deadline and no dead kernel; a behaviour stands
    in for those. The executed notebook and the log are written as real ones are.

    Parameters
    ----------
    behaviours : mapping of str to sequence of callable
        By stage or instance: what its first, second, … attempt does; the last one is repeated.
        `Raises`, `Skips`, `Returns`, or any function of the request.

    Attributes
    ----------
    executed : list of (str, int)
        Stage and attempt, in the order in which they were started.
    requests : list of ExecutionRequest
        What was asked for, in the same order.
    """

    def __init__(self, behaviours: Mapping[str, Sequence[Behaviour]] | None = None) -> None:
        self.behaviours = dict(behaviours or {})
        self.executed: list[tuple[str, int]] = []
        self.requests: list[ExecutionRequest] = []
        self._lock = threading.Lock()
        self._turns: dict[str, int] = {}

    @property
    def stages(self) -> list[str]:
        """The stages that were executed, in order, a retried one more than once."""
        return [stage for stage, _ in self.executed]

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Execute one notebook; see `mlkit.notebook.notebook_runner.NotebookRunner`.

        Parameters
        ----------
        request : ExecutionRequest
            The notebook, and what it is given.
        on_cell : callable
            Told of each cell that begins.
        cancellation : Cancellation
            Asked whether to stop.
        """
        behaviour = self._behaviour(request)
        told = None if behaviour is None else behaviour(request)
        printed: list[str] = []
        kernel = request.kernel
        if told is None and kernel is not None and kernel.language != "python":
            raise UsageError(
                f"a stage on the kernel '{kernel.name}' cannot be executed without it",
                remedy="Give the stage a behaviour that writes its outputs and returns an "
                "ExecutionResult",
            )
        with logged_to(request.env.get(METRICS_VARIABLE, os.devnull)):
            result = told or _run_cells(request, on_cell, cancellation, printed)
        if isinstance(behaviour, Returns):
            result = ExecutionResult(
                status=result.status,
                reason=result.reason,
                error=result.error,
                modules=behaviour.modules,
                imported=behaviour.imported,
                records=(
                    ["begin", 0, str(request.folder), [str(request.folder), *sys.path]],
                    *(["import", 0, name] for name in behaviour.imported),
                    *(["read", f, None, file_marks(f)] for f in behaviour.modules.values()),
                ),
            )
        _write(request, "".join(printed))
        return result

    def _behaviour(self, request: ExecutionRequest) -> Behaviour | None:
        stage = str(request.metadata.get("stage", ""))
        with self._lock:
            self.executed.append((stage, int(request.metadata.get("attempt", 1))))
            self.requests.append(request)
            script = self.behaviours.get(stage) or self.behaviours.get(stage.partition("[")[0])
            turn = self._turns.get(stage, 0)
            self._turns[stage] = turn + 1
        return script[min(turn, len(script) - 1)] if script else None


def _run_cells(
    request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation, printed: list[str]
) -> ExecutionResult:
    def show(*values: Any, sep: str = " ", end: str = "\n", **_: Any) -> None:
        printed.append(sep.join(map(str, values)) + end)

    names: dict[str, Any] = {"__name__": "__main__", "print": show}
    cells = [(i, c) for i, c in enumerate(request.document["cells"]) if c["cell_type"] == "code"]
    tagged = any(PARAMETERS_TAG in _tags(cell) for _, cell in cells)
    if not tagged:
        _inject(request, names)
    for number, (place, cell) in enumerate(cells, start=1):
        if cancellation.requested:
            return ExecutionResult(status=Status.CANCELLED)
        line = first_line("".join(cell["source"]))
        on_cell(News(cell=number, cells=len(cells), line=line))
        try:
            exec(compile("".join(cell["source"]), f"<cell {number}>", "exec"), names)
        except StageSkipped as skipped:
            return ExecutionResult(status=Status.SKIPPED, reason=skipped.reason)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a notebook's failure is a value
            return ExecutionResult(status=Status.FAILED, error=_record(error, place))
        if PARAMETERS_TAG in _tags(cell):
            _inject(request, names)
    return ExecutionResult(status=Status.SUCCEEDED)


def _tags(cell: Mapping[str, Any]) -> Sequence[str]:
    tags: Sequence[str] = cell.get("metadata", {}).get("tags", ())
    return tags


def _inject(request: ExecutionRequest, names: dict[str, Any]) -> None:
    for item in request.assignments:
        hidden = item.hidden and isinstance(item.value, str)
        names[item.name] = Secret(item.value) if hidden else item.value


def _record(error: BaseException, cell: int) -> ErrorRecord:
    classes = [kind for kind in type(error).__mro__ if kind is not object]
    return ErrorRecord(
        type=type(error).__name__,
        message=str(error),
        bases=tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in classes),
        cell=cell,
        traceback="".join(traceback.format_exception(error)),
    )


def _write(request: ExecutionRequest, log: str) -> None:
    document = copy.deepcopy(dict(request.document))
    cell = injected_cell(injection_source(request.assignments, request.title), INJECTED_TAG)
    document["cells"] = [*document["cells"]]
    document["cells"].insert(place_to_inject(document["cells"]), cell)
    document["metadata"] = {**document.get("metadata", {}), "mlkit": dict(request.metadata)}
    text = json.dumps(request.scrubber.notebook(document), ensure_ascii=False, indent=1)
    request.notebook.write_text(text, encoding="utf-8", errors="backslashreplace")
    shown = request.scrubber.text(log)
    request.log.write_text(shown, encoding="utf-8", errors="backslashreplace")
