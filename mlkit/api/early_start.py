"""Start the helpers of kernels before anything else of a run is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mlkit.api.runs_place import runs_folder
from mlkit.driver.ahead import KernelsAhead, is_sure_to_run, kernels_ahead
from mlkit.driver.options import RunOptions

__all__ = ["early_kernels"]


@contextlib.contextmanager
def early_kernels(
    pipeline: Path, runs_dir: str | None, options: RunOptions
) -> Iterator[KernelsAhead | None]:
    """Start the kernels' helpers if something is sure to run, and kernels are forked here.

    Parameters
    ----------
    pipeline : Path
        A pipeline.yaml or its folder.
    runs_dir : str, optional
        The runs folder that was asked for.
    options : RunOptions
        What is asked of the run.
    """
    folder = pipeline if pipeline.is_dir() else pipeline.parent
    sure = bool(options.force) or is_sure_to_run(folder, runs_folder(pipeline, runs_dir))
    if not sure or options.start != "fork" or options.executor != "threads":
        yield None
        return
    with kernels_ahead(warm=options.is_warm) as ahead:
        yield ahead
