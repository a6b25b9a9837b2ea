"""Which pipeline a command is about: the one that is named, or the one of this folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mlkit.errors import PipelineError
from mlkit.store.typed_path import typed_path

__all__ = ["pipeline_path", "without_pipeline"]

DEFAULT_PIPELINE = Path("notebooks/flights")


def pipeline_path(given: Path | None) -> Path:
    """Give the pipeline that a command is about."""
    if given is not None:
        try:
            is_there = typed_path(given).exists()
        except OSError as error:  # a name that is too long, a folder that may not be entered
            raise PipelineError(
                f"it cannot be looked at: {error.strerror}",
                given,
                remedy="Name a pipeline.yaml that you may read, or its folder",
                code="E212",
            ) from None
        if not is_there:
            raise PipelineError(
                "there is no such pipeline",
                given,
                remedy="Name a pipeline.yaml or its folder; 'mlkit init DIR' writes a first one",
                code="E212",
            )
        return given
    here = Path("pipeline.yaml")
    return DEFAULT_PIPELINE if DEFAULT_PIPELINE.exists() and not here.exists() else here


def without_pipeline(words: Sequence[str], *, least: int) -> tuple[list[str], Path | None]:
    """Part the names of runs from the pipeline that may stand behind them.

    Parameters
    ----------
    words : sequence of str
        What was typed.
    least : int
        How many names there are at least: a word that could be either is a name if it is needed.
    """
    names, last = list(words[:-1]), typed_path(words[-1])
    # no name of a run holds a slash or begins with a dot
    is_path = "/" in words[-1] or words[-1].startswith(".") or last.suffix in (".yaml", ".yml")
    if names and (is_path or (len(names) >= least and os.path.isfile(last / "pipeline.yaml"))):  # noqa: PTH113 - a name may be too long for a path
        return names, last
    return list(words), None
