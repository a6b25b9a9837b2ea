"""Sweeps: groups of runs, one for each combination of some parameters."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from mlkit.api.choices import configure_with
from mlkit.api.local_run import run
from mlkit.api.records import list_runs, up_to_date
from mlkit.api.resuming import resume
from mlkit.api.runs_place import runs_folder
from mlkit.api.searching import Study, check_optuna
from mlkit.api.stopping_early import Watches
from mlkit.core.durations import format_duration
from mlkit.core.early_stopping import FORM, RuleError, StopRule, read_rule, stopped_early
from mlkit.core.events import Event, EventKind, Observer
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.core.suggesting import did_you_mean
from mlkit.core.values import canonical, decode, encode
from mlkit.driver.interrupts import interruptible
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.load.merging import is_secret
from mlkit.load.parameters import ENVIRONMENT_PREFIX, Layers
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.reports.metrics import number_of
from mlkit.store.claiming import claimed
from mlkit.store.folder import RunsFolder, new_run_id
from mlkit.store.labels import SWEEPS
from mlkit.store.remote.files import Remote
from mlkit.store.remote.places import remotes_of
from mlkit.store.sweeps import Combination, Search, Sweep
from mlkit.store.writing import json_text, write_json

__all__ = ["Member", "best_of", "members", "resume_sweep", "sweep", "waits_told"]

_PROPOSALS = 100
"""So often is asked for a combination that there is not; then there is none."""

Observed = Callable[[], contextlib.AbstractContextManager[Services]]
Said = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A combination of a sweep, and its run, if it has begun."""

    combination: Combination
    record: RunRecord | None

    @property
    def values(self) -> dict[str, Any]:
        """The values that distinguish it."""
        return {name: decode(value) for name, value in self.combination.values.items()}

    @property
    def ok(self) -> bool:
        """Whether it has succeeded."""
        return self.record is not None and self.record.ok

    @property
    def stopped(self) -> str:
        """Why it was stopped early; empty if it was not."""
        return "" if self.record is None else stopped_early(self.record)

    @property
    def words(self) -> str:
        """The values in words."""
        told = {n: f"{v:.6g}" if isinstance(v, float) else repr(v) for n, v in self.values.items()}
        return ", ".join(f"{name}={value}" for name, value in told.items())


@dataclass(frozen=True, kw_only=True)
class _Work:
    """How the runs of a sweep are made."""

    pipeline: Pipeline
    layers: Layers
    options: RunOptions
    runs_dir: Path | str | None
    observed: Observed
    aside: Observed
    say: Said
    secrets: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)


def sweep(  # noqa: PLR0913 - keywords: each is asked for by its name
    pipeline: Pipeline,
    combinations: Sequence[Mapping[str, Any]],
    *,
    layers: Layers,
    options: RunOptions,
    runs_dir: Path | str | None,
    observed: Observed,
    say: Said,
    aside: Observed = lambda: contextlib.nullcontext(Services()),
    parallel: int = 1,
    search: Search | None = None,
    stop_if: str | None = None,
) -> tuple[Sweep, list[Member]]:
    """Make the runs of a sweep; of one that is there, only those it lacks.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    combinations : sequence of mapping
        The values of each run.
    layers : Layers
        What all of them are given.
    options : RunOptions
        What is asked of each; its name is that of the sweep, which is extended if it is there.
    runs_dir : Path or str, optional
        The runs folder.
    observed : callable
        Gives the surroundings of one run.
    say : callable
        Is told which run begins.
    aside : callable
        Gives the surroundings of one run among several at once.
    parallel : int
        How many runs are made at once.
    search : Search, optional
        Find the combinations so; `combinations` is then empty.
    stop_if : str, optional
        Stop hopeless runs by this rule, `train.loss > median after 5`.

    Returns
    -------
    Sweep
        The sweep as it is now.
    list of Member
        All of its runs; those after one that was cancelled have not begun.

    Raises
    ------
    MlkitError
        If a value is invalid, the name means something else, or the sweep is running; before
        anything ran.
    """
    if stop_if is not None:
        _rule(stop_if, pipeline)
    if search is not None:
        check_optuna()
        search = _with_given(search, pipeline, layers)
    asked = [
        (values, configure_with(pipeline, layers, values).overrides) for values in combinations
    ]
    _refuse_secrets(pipeline, asked)
    folder, remote = _opened(pipeline, runs_dir)
    folder.make()
    name = options.name or f"sweep-{new_run_id(Services().clock.now())}"
    known = _checked(folder, pipeline, name, named=options.name is not None)
    _check_search(known, search)
    with _held(folder, name) as lost:
        if remote is not None:  # another machine may have had it until now
            known = _checked(_opened(pipeline, runs_dir)[0], pipeline, name, named=known.named)
        recorded = replace(options, name=None, note=None).to_json()
        group = _Group(
            replace(
                known,
                options=recorded,
                parallel=parallel,
                search=search or known.search,
                stop_if=stop_if,
            ),
            _Work(
                pipeline=pipeline,
                layers=layers,
                options=options,
                runs_dir=runs_dir,
                observed=observed,
                aside=aside,
                say=say,
            ),
            folder,
            remote,
            lost,
        )
        wanted = group.add(asked)
        group.make(None if search is not None else wanted)
        return group.found, group.members()


def resume_sweep(  # noqa: PLR0913 - keywords: each is asked for by its name
    found: Sweep,
    pipeline: Pipeline,
    *,
    runs_dir: Path | str | None,
    environ: Mapping[str, str] | None,
    secrets: Mapping[str, Any],
    changes: Mapping[str, Any],
    observed: Observed,
    say: Said,
    aside: Observed = lambda: contextlib.nullcontext(Services()),
    parallel: int | None = None,
) -> list[Member]:
    """Finish a sweep: resume the runs that did not end well, and make those that never began.

    Parameters
    ----------
    found : Sweep
        The sweep.
    pipeline : Pipeline
        Its pipeline, as it is today.
    runs_dir : Path or str, optional
        The runs folder.
    environ : mapping of str to str, optional
        Where `${NAME}` and secrets are found; default: this process's environment.
    secrets : mapping
        Secrets, which no record holds.
    changes : mapping
        Options that are to differ from those of the sweep.
    observed, say, aside
        As for `sweep`.
    parallel : int, optional
        So many runs at once from now on; by default as many as so far.
    """
    folder, remote = _opened(pipeline, runs_dir)
    if found.pipeline != pipeline.name:
        raise UsageError(
            f"sweep '{found.name}' is one of '{found.pipeline}', not of '{pipeline.name}'",
            remedy=f"Name its pipeline: mlkit resume {found.name} PIPELINE",
        )
    given = dict(os.environ if environ is None else environ)
    own = {k: v for k, v in given.items() if not k.startswith(ENVIRONMENT_PREFIX)}
    options = replace(RunOptions.of_record(found.options), **changes)
    if found.search is not None:
        check_optuna()
    if parallel is not None:
        found = replace(found, parallel=parallel)
    with _held(folder, found.name) as lost:
        work = _Work(
            pipeline=pipeline,
            layers=Layers(environ=own),
            options=replace(options, name=found.name if found.named else None),
            runs_dir=runs_dir,
            observed=observed,
            aside=aside,
            say=say,
            secrets=secrets,
            changes=changes,
        )
        group = _Group(found, work, folder, remote, lost)
        if parallel is not None:
            group.add(())
        group.make(None)
        return group.members()


def members(found: Sweep, runs_dir: Path | str) -> list[Member]:
    """The combinations of a sweep, each with its run."""
    runs = {
        _key(record.options.get("overrides", {})): record
        for record in list_runs(runs_dir=runs_dir)
        if record.group == found.name
    }
    return [
        Member(combination=item, record=runs.get(_key(item.overrides)))
        for item in found.combinations
    ]


def best_of(found: Sweep, made: Sequence[Member]) -> tuple[Member, float] | None:
    """The run of a search that has come furthest, and its number; None as long as there is none."""
    if found.search is None:
        return None
    numbers = [
        (member, number)
        for member in made
        if member.record is not None and member.record.ok
        for number in [number_of(member.record, found.search.metric)]
        if number is not None
    ]
    sign = 1 if found.search.maximize else -1
    return max(numbers, key=lambda pair: sign * pair[1], default=None)


class _Group:
    """A sweep that is being worked on: what of it is to be run next, and what becomes of it.

    Its methods may be called by the threads of several runs; what is behind the lock, by one.
    """

    def __init__(
        self,
        found: Sweep,
        work: _Work,
        folder: RunsFolder,
        remote: Remote | None,
        lost: Cancellation,
    ) -> None:
        self.found = found
        self._lost = lost
        self._work = work
        self._folder = folder
        self._remote = remote
        self._numbers = {_key(item.overrides): item.number for item in found.combinations}
        self._lock = threading.Lock()
        self._due: list[Member] = []
        self._study: Study | None = None
        self._begun = self._ended = 0
        self._is_over = False
        self._best: float | None = None
        self._watches: Watches | None = None
        if found.stop_if is not None:
            rule = _rule(found.stop_if, work.pipeline)
            self._watches = Watches(rule, folder, work.pipeline.stages)

    def members(self) -> list[Member]:
        return members(self.found, self._folder.path)

    def add(self, asked: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> set[int]:
        """Write down what the sweep is to run; gives the numbers of these combinations."""
        added: dict[str, Combination] = {}
        for values, overrides in asked:
            key = _key(overrides)
            if key not in self._numbers:
                self._numbers[key] = len(self._numbers) + 1
                added[key] = Combination(
                    number=self._numbers[key],
                    values={n: encode(value) for n, value in values.items()},
                    overrides=dict(overrides),
                )
        combinations = (*self.found.combinations, *added.values())
        self.found = replace(self.found, combinations=combinations)
        _write(self._folder, self._remote, self.found)
        return {self._numbers[_key(overrides)] for _, overrides in asked}

    def make(self, wanted: set[int] | None) -> None:
        """Make or resume the runs that have not ended well, of all or of some combinations.

        Cancelling one of its runs means cancelling the sweep.
        """
        every = [m for m in self.members() if wanted is None or m.combination.number in wanted]
        self._due = [member for member in every if not member.ok and not member.stopped]
        done = sum(member.ok for member in every)
        if done:
            of = len(every) if wanted is not None else self.found.size
            self._work.say(f"{done} of {of} have succeeded already")
        for member in self.members() if self._watches is not None else ():
            if self._watches is not None and member.record is not None:
                self._watches.learn(member.combination.number, member.record)
        if self.found.search is not None:
            self._study = Study(self._folder.sweeps.study(self.found.name), self.found)
            for member in every:
                if member.record is not None:
                    self._learn(member, member.record)
        self._total = len(self._due) + self.found.size - len(self.found.combinations)
        if self.found.parallel == 1:
            self._work_on(None)
            return
        cancellation = Cancellation()
        with (
            interruptible(cancellation),
            self._folder.shared(),  # once for all: the mode of new files is one of the process
            ThreadPoolExecutor(self.found.parallel, "sweep") as pool,
        ):
            threads = [pool.submit(self._work_on, cancellation) for _ in range(self.found.parallel)]
        for thread in threads:
            thread.result()

    def _work_on(self, cancellation: Cancellation | None) -> None:
        """Make one run after the other; with others at once, where a cancellation is given."""
        try:
            while True:
                with self._lock:
                    member = self._next()
                    if member is None:
                        return
                    self._begun += 1
                    place = f"[{self._begun} of {self._total}]"
                    self._work.say(f"{place} {member.words}")
                record = self._run(member, cancellation, place)
                with self._lock:
                    self._take(member, record, place, is_quiet=cancellation is not None)
        except BaseException:
            self._is_over = True
            raise

    def _run(self, member: Member, cancellation: Cancellation | None, place: str) -> RunRecord:
        if cancellation is None:
            with self._work.observed() as services, self._given_up(services.cancellation):
                return self._run_watched(member, services)
        with (
            cancellation.part(self.found.name) as part,
            self._given_up(part),
            self._work.aside() as services,
        ):
            telling = waits_told(lambda words: self._work.say(f"{place} {words}"))
            observers = (*services.observers, telling)
            services = replace(services, observers=observers, cancellation=part)
            return self._run_watched(member, services)

    @contextlib.contextmanager
    def _given_up(self, cancellation: Cancellation) -> Iterator[None]:
        """Cancel a run if another machine takes the sweep over meanwhile."""
        forget = self._lost.subscribe(lambda: cancellation.request(self._lost.why))
        try:
            yield
        finally:
            forget()

    def _run_watched(self, member: Member, services: Services) -> RunRecord:
        if self._watches is None:
            return _made(self.found, member, self._work, services)
        number = member.combination.number
        with self._watches.watching(number, services.cancellation) as watch:
            watched = replace(services, observers=[*services.observers, watch])
            return _made(self.found, member, self._work, watched)

    def _next(self) -> Member | None:
        if self._is_over or self._lost.requested:
            return None
        if self._due:
            return self._due.pop(0)
        search, study = self.found.search, self._study
        if search is None or study is None or len(self.found.combinations) >= search.runs:
            return None
        number = len(self.found.combinations) + 1
        given = {name: decode(value) for name, value in search.given.items()}
        every = math.prod(domain.size for domain in search.space.values())
        for attempt in range(_PROPOSALS if number <= every else 0):
            trial, values = study.ask(number, attempt)
            asked = {**given, **values, **self._work.secrets}
            overrides = configure_with(self._work.pipeline, self._work.layers, asked).overrides
            if _key(overrides) not in self._numbers:
                self.add([(values, overrides)])
                return Member(combination=self.found.combinations[-1], record=None)
            study.drop(trial)
        self._work.say(f"nothing is left to try: {number - 1} of {search.runs} runs were made")
        self._is_over = True
        return None

    def _take(self, member: Member, record: RunRecord, place: str, *, is_quiet: bool) -> None:
        """Take in how a run has ended, and tell what its own console has not told."""
        self._ended += 1
        why = stopped_early(record)
        if record.status is RunStatus.CANCELLED and not why:
            self._is_over = True
        if self._watches is not None:
            self._watches.learn(member.combination.number, record)
        value = self._learn(member, record)
        said = [why] if why else []
        if is_quiet and not why:
            said.append(f"{record.status.value} in {format_duration(record.seconds)}")
        if value is not None and self.found.search is not None:
            said.append(f"{self.found.search.metric} {value:g}")
        best = "" if self._best is None else f"best so far {self._best:g}"
        if is_quiet:
            said.append(", ".join(filter(None, (f"{self._ended} of {self._total} runs", best))))
        elif value is not None:
            said[-1] += f", {best}"
        if said:
            self._work.say(f"{place} {'; '.join(said)}")

    def _learn(self, member: Member, record: RunRecord) -> float | None:
        """Tell Optuna how a run has ended."""
        if self._study is None or self.found.search is None:
            return None
        number = member.combination.number
        last = None if self._watches is None else self._watches.last_point(number)
        if last is not None and self._watches is not None:
            agrees = self._watches.rule.above != self.found.search.maximize
            last = (last[0], last[1] if agrees else -last[1])  # Optuna takes one direction for both
        value = self._study.tell(number, member.values, record, last)
        if value is not None:
            better = max if self.found.search.maximize else min
            self._best = value if self._best is None else better(self._best, value)
        return value


def waits_told(say: Said) -> Observer:
    """Give an observer that tells for what stages wait, where no console does."""

    def told(event: Event) -> None:
        if event.kind is EventKind.STAGE_WAITING:
            say(f"{event.stage}: waits for {event.data.get('for', 'a file')}")

    return told


def _made(found: Sweep, member: Member, work: _Work, services: Services) -> RunRecord:
    if member.record is not None:
        return resume(
            member.record.run_id,
            work.pipeline,
            runs_dir=work.runs_dir,
            parameters=work.secrets,
            services=services,
            options=work.changes,
            environ=work.layers.environ,
        )
    number = member.combination.number
    given = {name: decode(value) for name, value in member.combination.overrides.items()}
    return run(
        work.pipeline,
        parameters={**given, **work.secrets},
        layers=work.layers,
        options=replace(
            work.options,
            name=f"{found.name}-{number}" if found.named else None,
            group=found.name,
        ),
        runs_dir=work.runs_dir,
        services=services,
    )


def _rule(text: str, pipeline: Pipeline) -> StopRule:
    """Read a rule by which runs are stopped; a stage in it is one of the pipeline's."""
    try:
        rule = read_rule(text)
    except RuleError as error:
        raise UsageError(f"--stop-if: {error}", remedy=f"Write {FORM}", code="E102") from None
    stage, dot, _ = rule.metric.partition(".")
    near = did_you_mean(stage.partition("[")[0], pipeline.stages) or ""
    if dot and stage.partition("[")[0] not in pipeline.stages and near.startswith("Did"):
        raise UsageError(
            f"--stop-if: there is no stage '{stage}' in '{pipeline.name}'", remedy=near, code="E101"
        )
    return rule


def _with_given(search: Search, pipeline: Pipeline, layers: Layers) -> Search:
    """Add what every run is given; try the ends of each range, and each choice, on the way."""
    first = {name: domain.samples[0] for name, domain in search.space.items()}
    for name, domain in search.space.items():
        for value in domain.samples[1:]:
            configure_with(pipeline, layers, {**first, name: value})
    overrides = configure_with(pipeline, layers, first).overrides
    _refuse_secrets(pipeline, [(first, overrides)])
    given = {name: value for name, value in overrides.items() if name not in search.space}
    return replace(search, given=given)


def _refuse_secrets(
    pipeline: Pipeline, asked: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> None:
    """See that no value is a secret: a sweep's file and tables tell its runs apart by them.

    What only names a variable of the environment is among the overrides, and is told.
    """
    for values, overrides in asked:
        for name in values.keys() - overrides.keys():
            if is_secret(pipeline, name):
                raise UsageError(
                    f"parameter '{name}' is a secret, and a sweep tells the values of its runs",
                    remedy=f"Name a variable of the environment: -p '{name}=${{NAME}}'",
                    code="E404",
                )


def _check_search(known: Sweep, search: Search | None) -> None:
    """See that a further command for a sweep asks for the same search, or a longer one."""
    if not known.combinations and known.search is None:
        return
    was = known.search
    if search is None and was is None:
        return
    same = search is not None and was is not None and replace(search, runs=was.runs) == was
    if not same:
        is_search = "searches" if was is not None else "has its values listed"
        raise UsageError(
            f"sweep '{known.name}' is there, and {is_search}: what is asked for now is another one",
            remedy=f"Choose another name, or go on with it: mlkit resume {known.name}",
            code="E503",
        )


def _key(overrides: Any) -> str:
    return canonical(dict(overrides))


def _opened(pipeline: Pipeline, runs_dir: Path | str | None) -> tuple[RunsFolder, Remote | None]:
    folder, _ = up_to_date(runs_dir or runs_folder(pipeline))
    remotes = remotes_of(folder.path)
    return folder, None if remotes.runs is None else Remote(remotes.runs)


def _checked(folder: RunsFolder, pipeline: Pipeline, name: str, *, named: bool) -> Sweep:
    """The sweep of a name, or a new one; its name means nothing else."""
    known = folder.sweeps.read(name)
    if known is None:
        if named:
            folder.check_label(name)
            had = folder.labels.run_id(name)
            if had is not None:
                raise UsageError(
                    f"the name '{name}' is taken: run {had} has it",
                    remedy="Choose another name for the sweep",
                    code="E503",
                )
        return Sweep(name=name, pipeline=pipeline.name, named=named)
    if known.pipeline != pipeline.name:
        raise UsageError(
            f"the name '{name}' is taken: it is a sweep of '{known.pipeline}'",
            remedy="Choose another name for the sweep",
            code="E503",
        )
    return known


@contextlib.contextmanager
def _held(folder: RunsFolder, name: str) -> Iterator[Cancellation]:
    """Hold a sweep's name among all machines; gives what is requested if another one takes it."""
    lost = Cancellation()
    why = "another machine has taken the sweep over"
    with claimed(folder, f"sweep {name}", lambda: lost.request(why)) as holder:
        if holder:
            raise UsageError(
                f"sweep '{name}' is alive: {holder} has it",
                folder.path,
                remedy="Wait until it has ended, or stop it first",
                code="E103",
            )
        yield lost


def _write(folder: RunsFolder, remote: Remote | None, found: Sweep) -> None:
    file = folder.sweeps.file(found.name)
    with folder.shared():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(found.to_json(), file)
    if remote is not None:
        remote.write(f".{SWEEPS}/{found.name}.json", json_text(found.to_json()).encode())
