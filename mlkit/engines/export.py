"""What a compiler is given, and what it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import PurePath
from typing import Any

from mlkit.core.pipeline import Pipeline
from mlkit.frozen import dataclass

__all__ = ["Compiler", "Export", "ExportSettings"]


@dataclass(frozen=True, kw_only=True)
class Export:
    """A pipeline as files of an engine.

    Parameters
    ----------
    engine : str
        The engine's name.
    files : mapping of str to str
        Relative name to text; every text ends in a line break.
    entry : str
        The file that the engine is given.
    """

    engine: str
    files: Mapping[str, str]
    entry: str


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What an export depends on beside the pipeline; same pipeline, same settings: same bytes.

    Parameters
    ----------
    mlkit : PurePath
        The `mlkit` of the core environment, which every task calls; absolute.
    pipeline_file : PurePath
        The pipeline.yaml as the tasks find it; absolute.
    runs_dir : PurePath or str
        The runs folder as the tasks find it; absolute, or a URL.
    parameters : mapping of str to object
        The values of `NAME` or `STAGE.NAME` that were given beside pipeline.yaml, never a secret.
    options : tuple of str
        Further words for every call of `mlkit run`, such as `--force`.
    workers : int, optional
        How many tasks may run at once; by default as many as the engine lets. Kubeflow Pipelines
        can keep to it within each loop only.
    """

    mlkit: PurePath
    pipeline_file: PurePath
    runs_dir: PurePath | str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    workers: int | None = None


Compiler = Callable[[Pipeline, ExportSettings], Export]
"""Writes a pipeline as files of an engine, or raises `UnsupportedByEngineError`. Pure: no disk, no
clock."""
