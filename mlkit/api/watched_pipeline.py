"""A pipeline as it stands at one moment, and the places where a change may mean something to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from mlkit.api.choices import with_profile, with_values
from mlkit.api.forecasting import forecast
from mlkit.api.runs_place import runs_folder
from mlkit.api.watched_files import Tree
from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.policies import Notify
from mlkit.core.record import RunRecord
from mlkit.driver.options import RunOptions
from mlkit.driver.surroundings import kernel_environment
from mlkit.errors import MlkitError
from mlkit.frozen import dataclass
from mlkit.load.parameters import Layers, configure
from mlkit.load.pipeline_file import PIPELINE_FILE, find_pipeline_file
from mlkit.planner.checkout import Checkout
from mlkit.planner.forecast import Forecast
from mlkit.planner.interpreter import interpreter, program_of
from mlkit.planner.stage_places import Sources, sources_of
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder

__all__ = ["Places", "Reading", "WatchSettings", "places_of", "read_now"]

_MOST_INSTANCES = 50
"""Of a map so many instances are asked what they read; the others read the same code."""

_TRACES = 2
"""Of an instance so many of the newest results are asked."""


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """What is watched, and how its rounds run.

    Parameters
    ----------
    path : Path
        A pipeline.yaml or its folder; read again before every round.
    layers : callable
        Gives the parameters of a round.
    options : RunOptions
        What is asked of every round; `force` holds for the first one alone.
    runs_dir : Path or str, optional
        The runs folder.
    described : tuple of Path
        Further files that the parameters come from.
    """

    path: Path
    layers: Callable[[], Layers]
    options: RunOptions = field(default_factory=RunOptions)
    runs_dir: Path | str | None = None
    described: tuple[Path, ...] = ()

    @property
    def files(self) -> set[str]:
        """The files that say what the pipeline is; pipeline.yaml also where it is gone."""
        try:
            file = find_pipeline_file(self.path)
        except MlkitError:
            file = self.path / PIPELINE_FILE if self.path.is_dir() else self.path
        return {os.path.abspath(each) for each in (file, *self.described)}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The pipeline and its parameters as they stand at one moment."""

    pipeline: Pipeline
    configuration: Configuration
    layers: Layers
    runs_dir: Path

    def differing(self, other: Reading) -> set[str]:
        """The stages that are not the same in both, or receive other values."""
        mine, theirs = self.pipeline.stages, other.pipeline.stages
        return {
            name
            for name in {*mine, *theirs}
            if _bare(mine.get(name)) != _bare(theirs.get(name))
            or self._values(name) != other._values(name)
        }

    def forecast(self, options: RunOptions) -> dict[str, Forecast]:
        """What the planner says of each instance: whether anything has changed for it."""
        options = replace(options, force=False)
        return forecast(
            self.pipeline, self.configuration, self.runs_dir, options, ignore_policy=True
        )

    def holds_input(self, place: str) -> bool:
        """Whether a file is one from outside, or stands in a folder from outside."""
        inputs = tuple(map(str, self.configuration.files.values()))
        return place in inputs or place.startswith(tuple(each + os.sep for each in inputs))

    def _values(self, name: str) -> tuple[Any, ...]:
        of, env = self.configuration.stages.get(name, {}), self.configuration.env.get(name, {})
        return (
            {key: bound.value for key, bound in of.items()},
            {key: bound.value for key, bound in env.items()},
            {k: v for k, v in self.configuration.files.items() if k.startswith(f"{name}.")},
        )


def _bare(stage: Stage | None) -> Stage | None:
    """A stage without the line where it stands."""
    return None if stage is None else replace(stage, line=0)


def read_now(settings: WatchSettings) -> Reading:
    """Read a pipeline and its parameters; somebody who watches needs no messages.

    Raises
    ------
    MlkitError
        If something is wrong with them.
    """
    layers = with_values(None, settings.layers())
    pipeline, _ = with_profile(settings.path, settings.options)
    silent = {name: replace(s, notify=Notify()) for name, s in pipeline.stages.items()}
    pipeline = replace(pipeline, stages=silent)
    return Reading(
        pipeline=pipeline,
        configuration=configure(pipeline, layers),
        layers=layers,
        runs_dir=runs_folder(pipeline, settings.runs_dir),
    )


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where a pipeline's changes come from.

    Parameters
    ----------
    sources : mapping of str to Sources
        What each stage depends on.
    described : frozenset of str
        The files that say what the pipeline is.
    installed : frozenset of str
        The folders in which packages come and go: kernels that are kept would not notice.
    notebooks : frozenset of str
        The stages' notebooks.
    inputs : tuple of Tree
        The folders from outside.
    project : tuple of Tree
        The folders of the project.
    """

    sources: Mapping[str, Sources] = field(default_factory=dict)
    described: frozenset[str] = frozenset()
    installed: frozenset[str] = frozenset()
    notebooks: frozenset[str] = frozenset()
    inputs: tuple[Tree, ...] = ()
    project: tuple[Tree, ...] = ()

    @property
    def files(self) -> frozenset[str]:
        """The files that the pipeline is made of, and those that its stages depend on."""
        return self.described.union(*(item.files for item in self.sources.values()))

    @property
    def named(self) -> frozenset[str]:
        """The files that people are told of: a folder that a stage has asked for is none."""
        return frozenset(place for place in self.files if not os.path.isdir(place))

    @property
    def folders(self) -> frozenset[str]:
        """The folders whose names somebody has listed."""
        return frozenset[str]().union(*(item.folders for item in self.sources.values()))

    @property
    def marks(self) -> dict[str, tuple[int, ...]]:
        """How files looked when they were read."""
        return {p: how for item in self.sources.values() for p, how in item.marks.items()}

    def touched(self, changed: Collection[str]) -> set[str]:
        """The stages to which a change of some places may mean something."""
        return {name for name, item in self.sources.items() if item.touched(changed)}


def places_of(settings: WatchSettings, read: Reading, last: RunRecord | None) -> Places:
    """Gather the places of a pipeline; its newest results tell what it was seen to read.

    Parameters
    ----------
    settings : WatchSettings
        What is watched.
    read : Reading
        The pipeline.
    last : RunRecord, optional
        The last round.
    """
    runs, environ = RunsFolder(read.runs_dir), kernel_environment(os.environ)
    ids: dict[str, list[str]] = {name: [name] for name in read.pipeline.stages}
    for name, item in ({} if last is None else last.stages).items():
        if item.stage in ids and len(ids[item.stage]) < _MOST_INSTANCES:
            ids[item.stage].append(name)
    sources: dict[str, Sources] = {}
    checkouts: dict[str, Checkout] = {}
    with contextlib.closing(Database(runs.database, only_looks=True)) as database:
        for name, stage in read.pipeline.stages.items():
            folder, home = str(Path(stage.notebook).parent), str(read.pipeline.folder)
            checkout = Checkout(folder, home, (str(runs.path),), program_of(stage))
            checkouts |= {folder: checkout, home: checkout}
            traces = (
                result.observed
                for each in dict.fromkeys(ids[name])
                for result in database.results(read.pipeline.name, each, limit=_TRACES)
            )
            sources[name] = sources_of(stage, read.configuration, traces, checkout, environ)
    outside = {p for item in sources.values() for p in item.folders if read.holds_input(p)}
    return Places(
        sources=sources,
        described=frozenset({str(read.pipeline.file), *settings.files}),
        installed=frozenset(interpreter().sites),
        notebooks=frozenset(str(stage.notebook) for stage in read.pipeline.stages.values()),
        inputs=tuple(Tree(root=root, counts=lambda _: True) for root in sorted(outside)),
        project=tuple(
            Tree(root=root, counts=checkouts[root].counts) for root in _outermost(checkouts)
        ),
    )


def _outermost(folders: Collection[str]) -> list[str]:
    return [
        folder
        for folder in sorted(folders)
        if not any(folder.startswith(other + os.sep) for other in folders)
    ]
