"""What somebody has chosen for a run: the pipeline, its parameters, its options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Pipeline
from mlkit.driver.options import RunOptions, available_cores
from mlkit.errors import UsageError
from mlkit.load.lists import with_lists
from mlkit.load.parameters import Layers, configure
from mlkit.load.pipeline_file import load_pipeline

__all__ = [
    "configure_with",
    "default_workers",
    "loaded",
    "must_be",
    "run_options",
    "with_profile",
    "with_values",
]


def with_values(parameters: Mapping[str, Any] | None, layers: Layers | None) -> Layers:
    """Add values given from Python to layers; by default those of this process's environment."""
    must_be(Mapping, parameters, "the parameters", "Give them by name: {'rows': 5000}")
    must_be(Layers, layers, "the layers", "Give mlkit.Layers(…)")
    layers = layers or Layers(environ=dict(os.environ))
    return replace(layers, values={**layers.values, **(parameters or {})})


def must_be(kind: type, value: Any, name: str, remedy: str) -> None:
    """Refuse what a caller in Python has put in the place of something else; None is left out.

    Raises
    ------
    UsageError
        If the value is of another kind.
    """
    if value is not None and not isinstance(value, kind):
        found = type(value).__name__
        raise UsageError(f"{name} cannot be of the type {found}", remedy=remedy, code="E102")


def loaded(pipeline: Pipeline | Path | str, profile: str | None = None) -> Pipeline:
    """Give a pipeline, read from its file, with a profile, if it is named by path."""
    if isinstance(pipeline, Pipeline):
        return pipeline
    return load_pipeline(pipeline, profile=profile)


def with_profile(
    pipeline: Pipeline | Path | str, options: RunOptions
) -> tuple[Pipeline, RunOptions]:
    """Give a pipeline with the profile that is asked for, and options that name it.

    Raises
    ------
    UsageError
        If a pipeline that is loaded already has another profile.
    """
    must_be(RunOptions, options, "the options", "Give mlkit.RunOptions(verify=True), say")
    current = loaded(pipeline, options.profile)
    name = None if current.profile is None else current.profile.name
    if options.profile is not None and (options.profile or None) != name:
        was = "without a profile" if name is None else f"with the profile '{name}'"
        raise UsageError(
            f"the pipeline was loaded {was}, and the profile '{options.profile}' is asked for",
            remedy=f"Load it so: mlkit.load_pipeline(path, profile={options.profile!r})",
        )
    return current, replace(options, profile=name)


def configure_with(
    pipeline: Pipeline, layers: Layers, parameters: Mapping[str, Any]
) -> Configuration:
    """Check some values, on top of other layers, without running anything; lists, too."""
    configuration = configure(pipeline, with_values(parameters, layers))
    with_lists(pipeline, configuration)
    return configuration


def default_workers(executor: str = "threads") -> int:
    """As many as there are cores that this process may use; as a cluster has threads.

    Parameters
    ----------
    executor : str
        Where attempts run, as for a run.
    """
    if executor != "threads":
        # A run here shall not load what a cluster needs before its own kernels start.
        from mlkit.driver.executors import cluster_size

        return cluster_size(executor)
    return available_cores()


def run_options(given: Mapping[str, Any]) -> RunOptions:
    """Give the options of a run; without a number of workers, as many as fit where it runs.

    Parameters
    ----------
    given : mapping of str to object
        The fields of `RunOptions` that somebody has chosen.
    """
    options = RunOptions(**given)
    workers = given.get("workers") or default_workers(options.executor)
    return replace(options, workers=workers)
