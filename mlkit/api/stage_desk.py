"""Bring a stage's upstream up to date, and lay out what the stage needs to be worked on."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.api.choices import with_profile, with_values
from mlkit.api.local_run import run
from mlkit.api.run_inputs import with_run_outputs
from mlkit.api.runs_place import runs_folder
from mlkit.core.instances import stage_of
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.driver.editing import choose_instance, known_instance, make_desk
from mlkit.driver.options import RunOptions
from mlkit.driver.selecting import meant
from mlkit.driver.services import Services
from mlkit.errors import ExecutionError
from mlkit.frozen import dataclass
from mlkit.lab.desk import Desk
from mlkit.load.lists import with_lists
from mlkit.load.parameters import Layers, configure

__all__ = ["Editing", "edit"]


@dataclass(frozen=True, kw_only=True)
class Editing:
    """A stage that can be worked on.

    Parameters
    ----------
    desk : Desk
        What it needs.
    record : RunRecord, optional
        The run that brought its upstream up to date; None if nothing is upstream of it.
    root : Path
        The folder that is shown around its notebook.
    """

    desk: Desk
    record: RunRecord | None
    root: Path


@contextlib.contextmanager
def edit(
    stage: str,
    pipeline: Pipeline | Path | str,
    *,
    parameters: Mapping[str, Any] | None = None,
    runs_dir: Path | str | None = None,
    layers: Layers | None = None,
    options: RunOptions | None = None,
    services: Services | None = None,
) -> Iterator[Editing]:
    """Bring what a stage needs up to date, and lay it out in a private folder.

    Parameters
    ----------
    stage : str
        `STAGE`, or `STAGE[VALUE]`; of several instances the first.
    pipeline, parameters, runs_dir, layers, options, services
        As for `run`.

    Yields
    ------
    Editing
        What the stage needs; its folder is gone afterwards.

    Raises
    ------
    UsageError
        If there is no such stage or instance.
    ExecutionError
        If a stage upstream failed, or an input was not made.
    """
    loaded, chosen = with_profile(pipeline, options or RunOptions())
    meant(loaded, stage_of(stage))  # a wrong name is told before a missing value
    whole = with_values(parameters, layers)
    configuration = configure(loaded, whole)
    where = runs_folder(loaded, runs_dir)
    current = with_lists(loaded, configuration)
    current = with_run_outputs(current, replace(chosen, until=stage), where)
    known = known_instance(current, stage)
    name = stage if known is None else known.id
    record = None
    if current.stages[stage_of(name)].upstream:
        record = run(
            loaded,
            layers=whole,
            runs_dir=runs_dir,
            options=replace(chosen, before=name),
            services=services,
        )
        _check(record, name)
    instance = known or choose_instance(current, stage, record)
    with tempfile.TemporaryDirectory(prefix="mlkit-edit-", ignore_cleanup_errors=True) as folder:
        desk = make_desk(
            current,
            configuration,
            instance,
            record,
            os.environ,
            folder=Path(folder).resolve(),
            runs_dir=where,
        )
        yield Editing(desk=desk, record=record, root=_root(current, desk.notebook))


def _check(record: RunRecord, name: str) -> None:
    """Refuse to go on where a stage upstream has failed."""
    if record.status is RunStatus.CANCELLED:
        raise KeyboardInterrupt
    if record.ok:
        return
    failed = next((item for item in record.stages.values() if item.error is not None), None)
    which = "a stage upstream" if failed is None else f"stage '{failed.id}'"
    said = "" if failed is None or failed.error is None else f": {failed.error.message}"
    remedy = f"'mlkit edit {failed.stage}' opens that one" if failed is not None else None
    raise ExecutionError(f"{which} failed, and '{name}' needs it{said}", remedy=remedy)


def _root(pipeline: Pipeline, notebook: Path) -> Path:
    """The pipeline's folder, if the notebook stands in it where JupyterLab shows it."""
    folder = Path(pipeline.folder)
    if not notebook.is_relative_to(folder):
        return notebook.parent
    hidden = any(part.startswith(".") for part in notebook.relative_to(folder).parts[:-1])
    return notebook.parent if hidden else folder
