"""Sweeps: groups of runs, one for each combination of some parameters."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlkit.api.choices import configure_with
from mlkit.api.local_run import run
from mlkit.api.records import list_runs, up_to_date
from mlkit.api.resuming import resume
from mlkit.api.runs_place import runs_folder
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.core.values import canonical, decode, encode
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import UsageError
from mlkit.load.parameters import ENVIRONMENT_PREFIX, Layers
from mlkit.store.folder import RunsFolder, new_run_id
from mlkit.store.remote.files import Remote
from mlkit.store.remote.places import remotes_of
from mlkit.store.sweeps import FOLDER, Combination, Sweep
from mlkit.store.writing import json_text, write_json

__all__ = ["Member", "find_sweep", "members", "resume_sweep", "sweep"]

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


@dataclass(frozen=True, kw_only=True)
class _Work:
    """How the runs of a sweep are made."""

    pipeline: Pipeline
    layers: Layers
    options: RunOptions
    runs_dir: Path | str | None
    observed: Observed
    say: Said
    secrets: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)


def sweep(
    pipeline: Pipeline,
    combinations: Sequence[Mapping[str, Any]],
    *,
    layers: Layers,
    options: RunOptions,
    runs_dir: Path | str | None,
    observed: Observed,
    say: Said,
) -> tuple[Sweep, list[Member]]:
    """Make the runs of a sweep, one after the other; of one that is there, only those it lacks.

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
    asked = [
        (values, configure_with(pipeline, layers, values).overrides) for values in combinations
    ]
    folder, remote = _opened(pipeline, runs_dir)
    folder.make()
    name = options.name or f"sweep-{new_run_id(Services().clock.now())}"
    known = _checked(folder, pipeline, name, named=options.name is not None)
    with _held(folder, name):
        numbers = {_key(item.overrides): item.number for item in known.combinations}
        added: list[Combination] = []
        for values, overrides in asked:
            key = _key(overrides)
            if key not in numbers:
                numbers[key] = len(numbers) + 1
                added.append(
                    Combination(
                        number=numbers[key],
                        values={n: encode(value) for n, value in values.items()},
                        overrides=dict(overrides),
                    )
                )
        recorded = replace(options, name=None, note=None).to_json()
        now = replace(known, options=recorded, combinations=(*known.combinations, *added))
        _write(folder, remote, now)
        work = _Work(
            pipeline=pipeline,
            layers=layers,
            options=options,
            runs_dir=runs_dir,
            observed=observed,
            say=say,
        )
        wanted = {numbers[_key(overrides)] for _, overrides in asked}
        _make(now, work, wanted)
        return now, members(now, runs_dir or runs_folder(pipeline))


def resume_sweep(
    found: Sweep,
    pipeline: Pipeline,
    *,
    runs_dir: Path | str | None,
    environ: Mapping[str, str] | None,
    secrets: Mapping[str, Any],
    changes: Mapping[str, Any],
    observed: Observed,
    say: Said,
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
    observed, say
        As for `sweep`.
    """
    folder, _ = _opened(pipeline, runs_dir)
    if found.pipeline != pipeline.name:
        raise UsageError(
            f"sweep '{found.name}' is one of '{found.pipeline}', not of '{pipeline.name}'",
            remedy=f"Name its pipeline: mlkit resume {found.name} PIPELINE",
        )
    given = dict(os.environ if environ is None else environ)
    own = {k: v for k, v in given.items() if not k.startswith(ENVIRONMENT_PREFIX)}
    options = replace(RunOptions.of_record(found.options), **changes)
    with _held(folder, found.name):
        work = _Work(
            pipeline=pipeline,
            layers=Layers(environ=own),
            options=replace(options, name=found.name if found.named else None),
            runs_dir=runs_dir,
            observed=observed,
            say=say,
            secrets=secrets,
            changes=changes,
        )
        _make(found, work, {item.number for item in found.combinations})
        return members(found, runs_dir or runs_folder(pipeline))


def find_sweep(word: str, runs_dir: Path | str) -> Sweep | None:
    """Find a sweep by its name, or the only beginning of one that fits; None if it is none."""
    folder, _ = up_to_date(runs_dir)
    name = folder.sweeps.find(word)
    return None if name is None else folder.sweeps.read(name)


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


def _make(found: Sweep, work: _Work, wanted: set[int]) -> None:
    """Make or resume the runs that are wanted and have not ended well, until one is cancelled."""
    where = work.runs_dir or runs_folder(work.pipeline)
    due = [
        member
        for member in members(found, where)
        if member.combination.number in wanted and not (member.record and member.record.ok)
    ]
    done = len(wanted) - len(due)
    if done:
        work.say(f"{done} of {len(wanted)} have succeeded already")
    for place, member in enumerate(due, start=1):
        words = ", ".join(f"{name}={value!r}" for name, value in member.values.items())
        work.say(f"[{place} of {len(due)}] {words}")
        with work.observed() as services:
            record = _made(found, member, work, services)
        if record.status is RunStatus.CANCELLED:
            return


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
def _held(folder: RunsFolder, name: str) -> Iterator[None]:
    with folder.claim(f"sweep {name}") as mine:
        if not mine:
            raise UsageError(
                f"sweep '{name}' is alive",
                folder.path,
                remedy="Wait until it has ended, or stop it first",
                code="E103",
            )
        yield


def _write(folder: RunsFolder, remote: Remote | None, found: Sweep) -> None:
    file = folder.sweeps.file(found.name)
    with folder.shared():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(found.to_json(), file)
    if remote is not None:
        remote.write(f".{FOLDER}/{found.name}.json", json_text(found.to_json()).encode())
