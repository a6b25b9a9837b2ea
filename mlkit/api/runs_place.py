"""Where the runs of a pipeline stand."""

from __future__ import annotations

import os
from pathlib import Path

from mlkit.core.pipeline import Pipeline
from mlkit.store.remote.places import as_typed, is_url, working_copy
from mlkit.store.typed_path import typed_path

__all__ = ["RUNS_DIR_VARIABLE", "runs_folder", "url_of_runs"]

RUNS_DIR_VARIABLE = "MLKIT_RUNS_DIR"


def runs_folder(pipeline: Pipeline | Path | str, runs_dir: Path | str | None = None) -> Path:
    """Give the runs folder of a pipeline: the one named, `MLKIT_RUNS_DIR`, or `runs/` beside it.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    runs_dir : Path or str, optional
        A folder that was asked for, or a URL.

    Returns
    -------
    Path
        Absolute; of a runs folder behind a URL, the working copy on this machine.
    """
    url = url_of_runs(runs_dir)
    if url is not None:
        return working_copy(url)
    chosen = runs_dir or os.environ.get(RUNS_DIR_VARIABLE)
    if chosen:
        return typed_path(chosen).absolute()
    if isinstance(pipeline, Pipeline):
        return Path(pipeline.folder) / "runs"
    place = typed_path(pipeline).absolute()
    return (place if place.is_dir() else place.parent) / "runs"


def url_of_runs(runs_dir: Path | str | None = None) -> str | None:
    """Give the URL behind which runs stand, as `runs_folder` finds it; None if it is a folder."""
    typed = as_typed(runs_dir or os.environ.get(RUNS_DIR_VARIABLE, ""))
    return typed if is_url(typed) else None
