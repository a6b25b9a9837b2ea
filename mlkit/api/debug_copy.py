"""Open a stage of a run for a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.api.records import find_run
from mlkit.api.resuming import own_layers, run_pipeline
from mlkit.api.runs_place import runs_folder
from mlkit.core.pipeline import Pipeline
from mlkit.driver.debugging import write_debug_notebook
from mlkit.load.parameters import configure

__all__ = ["debug_notebook"]


def debug_notebook(
    run_id: str,
    stage: str,
    pipeline: Pipeline | Path | str,
    *,
    runs_dir: Path | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Path:
    """Write a stage's notebook with the parameters and inputs of a run, for a person to open.

    Parameters
    ----------
    run_id : str
        The run's id, its only beginning that fits, or `latest`.
    stage : str
        `STAGE` or `STAGE[VALUE]`.
    pipeline : Pipeline, Path or str
        The pipeline.
    runs_dir : Path or str, optional
        The runs folder.
    parameters : mapping, optional
        Values that differ from the run's.
    environ : mapping of str to str, optional
        Where `${NAME}` is found; default: this process's environment.

    Returns
    -------
    Path
        The copy of the notebook.
    """
    record = find_run(run_id, runs_folder(pipeline, runs_dir), files=True)
    current = run_pipeline(record, pipeline)
    configuration = configure(current, own_layers(record, current, parameters or {}, environ))
    return write_debug_notebook(current, configuration, record, stage)
