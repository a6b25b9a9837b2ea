"""A run as it is asked for."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from pathlib import Path

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Pipeline
from mlkit.core.scrubbing import Scrubber
from mlkit.driver.engine_ids import EngineIds, engine_ids
from mlkit.driver.options import RunOptions
from mlkit.driver.selecting import Selection, select
from mlkit.driver.services import Services
from mlkit.frozen import dataclass

__all__ = ["Order"]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is to do, and with what surroundings.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    configuration : Configuration
        Its parameters.
    options : RunOptions
        What else is asked for.
    runs_dir : Path
        The runs folder.
    services : Services
        Clock, kernels, notifier, observers, cancellation, environment.
    notes : tuple of str
        What people are told in any case.
    """

    pipeline: Pipeline
    configuration: Configuration
    options: RunOptions
    runs_dir: Path
    services: Services = field(default_factory=Services)
    notes: tuple[str, ...] = ()

    @cached_property
    def selection(self) -> Selection:
        """The part of the pipeline that the run is to end."""
        return select(self.pipeline, self.options)

    @property
    def joins(self) -> bool:
        """Whether other processes work on the same run."""
        return self.options.run_id is not None

    @property
    def called(self) -> str | None:
        """The stage or instance that is called, of a run that others work on too."""
        if not self.joins:
            return None
        return self.selection.wanted or next(iter(self.selection.stages))

    @cached_property
    def engine(self) -> EngineIds | None:
        """The engine that asks, if one does."""
        return engine_ids(self.services.environ) if self.joins else None

    @cached_property
    def scrubber(self) -> Scrubber:
        """Takes the secrets out of what is written and told."""
        return Scrubber(self.configuration.secrets)
