"""Run again what an edit affects, at every save: what `mlkit run --watch` does.

One thread looks at the files; another one, the caller's, decides and runs. What has changed, and
whether that means anything, the planner says, as for any run: looking only asks it.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mlkit.api.choices import with_profile, with_values
from mlkit.api.forecasting import forecast
from mlkit.api.local_run import run
from mlkit.api.runs_place import runs_folder, url_of_runs
from mlkit.api.server_words import sentence
from mlkit.api.watched_files import Contents, Tree, WatchedFiles
from mlkit.core.configuration import Configuration
from mlkit.core.graph import descendants, edges
from mlkit.core.instances import stage_of
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.record import RunRecord
from mlkit.core.states import SUCCESSFUL, RunStatus, Status
from mlkit.driver.interrupts import interruptible
from mlkit.driver.options import RunOptions
from mlkit.driver.selecting import select
from mlkit.driver.services import Services
from mlkit.driver.surroundings import kernel_environment
from mlkit.driver.warm import WarmKernels
from mlkit.errors import MlkitError, UsageError
from mlkit.load.parameters import Layers, configure
from mlkit.load.pipeline_file import find_pipeline_file
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.notebook.source import SUFFIXES
from mlkit.planner.checkout import Checkout
from mlkit.planner.forecast import Forecast
from mlkit.planner.interpreter import interpreter, program_of
from mlkit.planner.sources import Sources, sources_of
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.rounds import keep_newest

__all__ = ["Notice", "Watch", "WatchSettings"]

KEPT_ROUNDS = 10
"""So many rounds of one watch stay in the record, and what `latest` points at."""

_MOST_INSTANCES = 50
"""Of a map so many instances are asked what they read; the others read the same code."""

_TRACES = 2
"""Of an instance so many of the newest results are asked."""

_OWN = (*SUFFIXES, ".yaml", ".yml", ".toml", ".sql", ".R", ".r")
"""What is written by people: it counts also if it changes while a stage runs."""

_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something that a watch has to say.

    Parameters
    ----------
    kind : str
        `round` before a round, `ended` after it; `waiting`, `unchanged`, `broken`, `stale`,
        `ignored`.
    text : str
        A sentence.
    reasons : tuple of str
        Of a round: why, a line for each stage, in the planner's words.
    record : RunRecord, optional
        Of an end.
    """

    kind: Literal["round", "ended", "waiting", "unchanged", "broken", "stale", "ignored"]
    text: str
    reasons: tuple[str, ...] = ()
    record: RunRecord | None = None
    pipeline: Pipeline | None = None


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


@dataclass(frozen=True, kw_only=True)
class _Read:
    """The pipeline and its parameters as they stand at one moment."""

    pipeline: Pipeline
    configuration: Configuration
    layers: Layers
    runs_dir: Path

    def differing(self, other: _Read) -> set[str]:
        """The stages that are not the same in both, or receive other values."""
        mine, theirs = self.pipeline.stages, other.pipeline.stages
        return {
            name
            for name in {*mine, *theirs}
            if _bare(mine.get(name)) != _bare(theirs.get(name))
            or self._values(name) != other._values(name)
        }

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


@dataclass(kw_only=True)
class _Round:
    """A round that goes on."""

    read: _Read
    cancellation: Cancellation


class Watch:
    """Watches one pipeline.

    Parameters
    ----------
    settings : WatchSettings
        What is asked for.
    tell : callable
        Takes each notice, in the thread of `run`, but for `stale` ones.
    services_for : callable
        Opens the surroundings of a round.
    """

    def __init__(
        self,
        settings: WatchSettings,
        tell: Callable[[Notice], None],
        services_for: Callable[[], contextlib.AbstractContextManager[Services]] = (
            lambda: contextlib.nullcontext(Services())
        ),
    ) -> None:
        self.settings = settings
        self.rounds: list[tuple[tuple[str, ...], RunRecord]] = []
        self.interrupted = False
        self._asked_to_end = False
        self._tell, self._services_for = tell, services_for
        self._cancellation = Cancellation()
        self._warm = WarmKernels()
        self._files, self._contents = WatchedFiles(), Contents()
        self._lock = threading.Lock()
        self._news, self._over = threading.Event(), threading.Event()
        self._saved: set[str] = set()
        self._pending: set[str] = set()
        self._round: _Round | None = None
        self._read: _Read | None = None
        self._sources: Mapping[str, Sources] = {}
        self._installed: frozenset[str] = frozenset()
        self._record: RunRecord | None = None
        self._restless: frozenset[str] = frozenset()
        self._meanwhile: set[str] = set()
        self._before: set[str] = set()
        self._ignored: set[str] = set()
        self._span = (0.0, 0.0)
        self._is_broken = False

    def stop(self) -> None:
        """End the watch, and the round that goes on; from any thread."""
        self._cancellation.request()

    def run(self) -> None:
        """Run once, then at every save what it affects, until `stop`, Ctrl-C or SIGTERM.

        Raises
        ------
        MlkitError
            If something is wrong before the first round.
        """
        read = self._load()
        folder = RunsFolder(read.runs_dir)
        folder.make()
        with folder.claim(f"watch {read.pipeline.name}") as mine:
            if not mine:
                raise UsageError(
                    f"'{read.pipeline.name}' is watched already",
                    folder.path,
                    remedy="Stop the other 'mlkit run --watch', or choose another --runs-dir",
                    code="E103",
                )
            with interruptible(self._cancellation), self._looking():
                self._cancellation.subscribe(self._news.set)
                self._go_on(read)

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        looker = threading.Thread(target=self._look, name="mlkit-watch", daemon=True)
        looker.start()
        try:
            yield
        finally:
            self._over.set()
            looker.join()
            self._warm.close()

    def _go_on(self, read: _Read) -> None:
        self._follow(read)
        self._play(read, ())
        while not self._is_over:
            self._news.wait()
            self._news.clear()
            if not self._is_over:
                self._consider()

    @property
    def _is_over(self) -> bool:
        return self._cancellation.requested or self._asked_to_end

    # What was saved, in the thread that looks

    def _look(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            saved, pause = self._files.look()
            if saved:
                self._take(saved)

    def _take(self, saved: frozenset[str]) -> None:
        """Take in what was saved; of a round that goes on, withdraw what it makes stale."""
        counting = self._contents.counting(saved)
        with self._lock:
            going = self._round
            self._ignored -= {place for place in saved if not self._is_during_round(place)}
            counting = frozenset(
                p for p in counting if not (self._is_during_round(p) and self._is_of_stages(p))
            )
            self._saved |= saved - self._ignored
            self._pending |= counting
        if going is not None and counting:
            self._withdraw(going, counting)
        self._news.set()

    def _is_during_round(self, place: str) -> bool:
        """Whether a file changed in the round that goes on, or in the last one."""
        begun, ended = self._span
        try:
            return begun <= Path(place).stat().st_mtime <= ended
        except OSError:
            return self._round is not None

    def _is_of_stages(self, place: str) -> bool:
        """Whether a file that changes while stages run is theirs.

        What people write is not. Of what a stage was seen to read, the first change counts; in the
        round that follows from it, it does not: otherwise a stage that writes what it reads would
        run without end.
        """
        if place.endswith(_OWN) or (self._read and place in self._inputs(self._read)):
            return False
        known = any(place in each.files for each in self._sources.values())
        self._meanwhile.add(place)
        if known and place not in self._before:
            return False
        if known and place not in self._ignored:
            self._tell(
                Notice(
                    kind="ignored",
                    text=f"{self._shown([place])} changes in every round, as if a stage wrote it: "
                    "that starts nothing",
                )
            )
        self._ignored.add(place)
        return True

    @staticmethod
    def _inputs(read: _Read) -> set[str]:
        return set(map(str, read.configuration.files.values()))

    def _withdraw(self, going: _Round, counting: frozenset[str]) -> None:
        affected = self._affected(going.read, counting)
        if not affected:
            return
        graph = edges(going.read.pipeline)
        stale = affected | descendants(graph, affected)
        self._tell(
            Notice(kind="stale", text=f"{self._shown(counting)} changed: this round is withdrawn")
        )
        going.cancellation.withdraw(lambda name: name.partition("[")[0] in stale)

    def _affected(self, read: _Read, counting: frozenset[str]) -> set[str]:
        """The stages of a round that a save is about."""
        names = {n for n, sources in self._sources.items() if sources.touched(counting)}
        if counting & self._described(read):
            with contextlib.suppress(MlkitError):  # it is told when the round has ended
                names |= read.differing(self._load())
        return names & select(read.pipeline, self.settings.options).stages

    # What is done about it, in the caller's thread

    def _consider(self) -> None:
        """Ask the planner what the saves mean, and run that."""
        with self._lock:
            saved, self._saved = self._saved, set()
            pending = set(self._pending)
        if not saved and not pending:
            return
        if pending & self._installed:
            self._warm.renew()
        if not pending:
            self._say_unchanged(saved)
            return
        try:
            read = self._load()
            found = self._forecast(read)
        except MlkitError as error:
            self._tell(Notice(kind="broken", text=sentence(error)))
            self._is_broken = True
            assert self._read is not None
            self._follow(self._read)
            return
        self._is_broken = False
        reasons = self._due(found, pending)
        with self._lock:
            self._pending -= pending
        if reasons:
            self._follow(read)
            self._play(read, reasons, pending)
        else:
            self._read = read
            self._restless = frozenset(n for n, item in found.items() if item.action == "run")
            self._follow(read)
            self._say_unchanged(saved)

    def _play(self, read: _Read, reasons: tuple[str, ...], pending: Collection[str] = ()) -> None:
        """One round."""
        self._read = read
        names = self._shown(pending)
        text = f"{names} changed" if names else f"first round of {read.pipeline.name}"
        self._tell(Notice(kind="round", text=text, reasons=reasons, pipeline=read.pipeline))
        going = _Round(read=read, cancellation=Cancellation())
        unsubscribe = self._cancellation.subscribe(going.cancellation.request)
        with self._lock:
            self._round, self._before, self._meanwhile = going, self._meanwhile, set()
            self._span = (time.time(), math.inf)
        first = self._record is None
        options = self.settings.options if first else replace(self.settings.options, force=False)
        record = None
        try:
            with self._services_for() as services:
                record = run(
                    read.pipeline,
                    layers=read.layers,
                    options=options,
                    runs_dir=self.settings.runs_dir,
                    services=replace(services, cancellation=going.cancellation, warm=self._warm),
                )
        except MlkitError as error:
            if first:
                raise
            self._tell(Notice(kind="broken", text=sentence(error)))
        finally:
            with self._lock:
                self._round, self._span = None, (self._span[0], time.time())
            unsubscribe()
        if record is not None:
            failed_fast = options.fail_fast and record.status is RunStatus.FAILED
            self._asked_to_end = going.cancellation.requested and not failed_fast
            self.interrupted = self._asked_to_end and record.status is RunStatus.CANCELLED
            self._end(read, reasons, record)

    def _end(self, read: _Read, reasons: tuple[str, ...], record: RunRecord) -> None:
        self._record = record
        self.rounds.append((reasons, record))
        self._tell(Notice(kind="ended", text="", record=record, pipeline=read.pipeline))
        if self._is_over:
            return
        if url_of_runs(self.settings.runs_dir) is None:
            ids = [each.run_id for _, each in self.rounds]
            keep_newest(RunsFolder(read.runs_dir), ids, KEPT_ROUNDS)
        self._follow(read)
        with self._lock:
            settled = not self._pending
        if settled:
            self._restless = self._unsettled(read, record)
            places = len(self._known(read))
            self._tell(Notice(kind="waiting", text=f"waiting for a change of {places} files"))

    def _unsettled(self, read: _Read, record: RunRecord) -> frozenset[str]:
        """What the planner would run again at once, though it has just ended well.

        Of such stages a change is told by the places that they depend on.
        """
        try:
            found = self._forecast(read)
        except MlkitError:
            return frozenset()
        fine = {name for name, item in record.stages.items() if _is_fine(item.status)}
        return frozenset(
            name for name, item in found.items() if item.action == "run" and name in fine
        )

    def _due(self, found: Mapping[str, Forecast], pending: set[str]) -> tuple[str, ...]:
        """Why a round is due, a line for each stage; none if it is not."""
        record = self._record
        stages = {} if record is None else record.stages
        why: dict[str, list[str]] = {}
        for name, item in found.items():
            stage = stage_of(name)
            before = stages.get(name)
            if item.action == "run":
                sources = self._sources.get(stage)
                if name in self._restless and sources and not sources.touched(pending):
                    continue
                said = item.reasons
                if before is not None and not _is_fine(before.status):
                    said = (*said, f"{before.status.value.replace('_', ' ')} in the last round")
                why.setdefault(f"{stage}: {'; '.join(said)}", []).append(name)
            elif item.action == "reuse":
                if before is None or before.result != item.result:
                    why.setdefault(f"{stage}: an earlier result holds again", []).append(name)
            elif not item.waits and before is not None and before.status in SUCCESSFUL:
                why.setdefault(f"{stage}: {'; '.join(item.reasons)}", []).append(name)
        for name, before in stages.items():
            if (
                name not in found
                and _is_fine(before.status)
                and stage_of(name)
                not in {
                    stage_of(other) for other, item in found.items() if item.action == "unknown"
                }
            ):
                why.setdefault(f"{before.stage}: is gone", []).append(name)
        if not why and record is not None and not record.ok:
            why["the last round did not succeed"] = [""]
        return tuple(
            reason if len(names) == 1 else f"{reason} ({len(names)} instances)"
            for reason, names in why.items()
        )

    def _known(self, read: _Read) -> set[str]:
        """The files that the pipeline is made of, and those that its stages depend on."""
        files = {place for item in self._sources.values() for place in item.files}
        return files | self._described(read)

    def _say_unchanged(self, saved: set[str]) -> None:
        """Say that a save means nothing, if somebody saved something that is known."""
        read = self._read
        if read is None:
            return
        told = saved & self._known(read)
        if told:
            text = f"{self._shown(told)} saved, nothing changed"
            self._tell(Notice(kind="unchanged", text=text))

    # What is looked at

    def _load(self) -> _Read:
        settings, layers = self.settings, with_values(None, self.settings.layers())
        pipeline, _ = with_profile(settings.path, settings.options)
        configuration = configure(pipeline, layers)
        return _Read(
            pipeline=pipeline,
            configuration=configuration,
            layers=layers,
            runs_dir=runs_folder(pipeline, settings.runs_dir),
        )

    def _forecast(self, read: _Read) -> dict[str, Forecast]:
        options = replace(self.settings.options, force=False)
        return forecast(
            read.pipeline, read.configuration, read.runs_dir, options, ignore_policy=True
        )

    def _described(self, read: _Read) -> set[str]:
        files = (find_or_itself(self.settings.path), *self.settings.described)
        return {str(read.pipeline.file), *(os.path.abspath(file) for file in files)}

    def _follow(self, read: _Read) -> None:
        """Look at what the pipeline depends on as it stands now; its results tell what it read."""
        runs, environ = RunsFolder(read.runs_dir), kernel_environment(os.environ)
        ids: dict[str, list[str]] = {name: [name] for name in read.pipeline.stages}
        for name, item in ({} if self._record is None else self._record.stages).items():
            if item.stage in ids and len(ids[item.stage]) < _MOST_INSTANCES:
                ids[item.stage].append(name)
        sources: dict[str, Sources] = {}
        checkouts: set[Checkout] = set()
        with contextlib.closing(Database(runs.database, only_looks=True)) as database:
            for name, stage in read.pipeline.stages.items():
                checkout = Checkout(
                    str(Path(stage.notebook).parent),
                    str(read.pipeline.folder),
                    (str(runs.path),),
                    program_of(stage),
                )
                checkouts.add(checkout)
                traces = (
                    result.observed
                    for each in dict.fromkeys(ids[name])
                    for result in database.results(read.pipeline.name, each, limit=_TRACES)
                )
                sources[name] = sources_of(stage, read.configuration, traces, checkout, environ)
        self._sources = sources
        self._installed = _installation()
        files = self._known(read)
        folders = {p for item in sources.values() for p in item.folders}
        marks = {p: how for item in sources.values() for p, how in item.marks.items()}
        notebooks = {str(stage.notebook) for stage in read.pipeline.stages.values()}
        outside = {
            Tree(root=folder, counts=lambda _: True)
            for folder in folders
            if folder in self._inputs(read)
        }
        self._contents.follow(files, notebooks)
        self._files.follow(
            files | folders | self._installed,
            [*outside, *self._projects(checkouts)],
            {} if self._record is None else marks,
        )

    def _projects(self, checkouts: Collection[Checkout]) -> list[Tree]:
        """The folders of the project, while some stage has not succeeded.

        What it was about to read nobody knows: any save there may mend it.
        """
        if not self._is_broken and (self._record is None or self._record.ok):
            return []
        roots = {each.notebook: each for each in checkouts}
        roots |= {each.pipeline: each for each in checkouts}
        outer = [
            root
            for root in sorted(roots)
            if not any(root != other and root.startswith(other + os.sep) for other in roots)
        ]
        return [Tree(root=root, counts=roots[root].counts) for root in outer]

    def _shown(self, places: Collection[str]) -> str:
        """Some files as people name them."""
        home = str(self.settings.path if self.settings.path.is_dir() else self.settings.path.parent)
        names = sorted(os.path.relpath(place, os.path.abspath(home)) for place in places)
        if len(names) > _MOST_NAMED:
            names[_MOST_NAMED:] = [f"{len(names) - _MOST_NAMED} more"]
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def find_or_itself(path: Path) -> Path:
    """The pipeline.yaml of a path; the path itself where there is none any longer."""
    try:
        return find_pipeline_file(path)
    except MlkitError:
        return path / "pipeline.yaml" if path.is_dir() else path


def _is_fine(status: Status) -> bool:
    return status in SUCCESSFUL or status is Status.SKIPPED


def _installation() -> frozenset[str]:
    """The folders in which packages come and go: kernels that are kept would not notice."""
    return frozenset(interpreter().sites)
