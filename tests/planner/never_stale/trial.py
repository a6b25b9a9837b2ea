"""Follow a sequence of edits with real runs, and hold each against a run from nothing."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.planner.never_stale.edits import Edit
from tests.planner.never_stale.environment import Environment
from tests.planner.never_stale.state import Package, State
from tests.planner.never_stale.world import Driver, Outcome, StageOutcome, World

__all__ = ["Bench", "Finding", "Trial"]

Symptom = Literal["stale", "wrong", "run again", "refused"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A promise that was broken.

    Parameters
    ----------
    symptom : str
        `stale`: reused, and a run from nothing gives something else. `wrong`: it was run, and
        gives something else. `run again`: nothing that counts had changed. `refused`: the pipeline
        was not run.
    instance : str
        The stage or instance.
    keys : tuple of str
        The values of the stage that differ, if any can be named.
    got, expected, reason : str
        What there was, what there should have been, what the run said.
    """

    symptom: Symptom
    instance: str
    keys: tuple[str, ...] = ()
    got: str = ""
    expected: str = ""
    reason: str = ""

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self.instance.partition("[")[0]


class Bench:
    """What all trials share: the environment, the processes, and the results of runs from nothing.

    Parameters
    ----------
    environment : Environment
        The private environment.
    tried : type of Driver
        What is tried; the results from nothing come from mlkit itself.
    """

    def __init__(self, environment: Environment, tried: type[Driver] = Driver) -> None:
        self.environment = environment
        self._make = tried
        self._threads = ThreadPoolExecutor(2)
        self._reference = Driver(environment)
        self._spare: Driver = tried(environment)
        self._used: tuple[Driver, Mapping[str, Package]] | None = None
        self._known: dict[str, Outcome] = {}
        self._numbers = itertools.count()
        self.forced = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes."""
        self._threads.shutdown()
        self._reference.close()
        self._spare.close()
        if self._used is not None:
            self._used[0].close()

    def driver(self, packages: Mapping[str, Package] | None = None) -> Driver:
        """Give a process that remembers no other packages than these; by default nothing at all.

        One that has run nothing is started ahead, so that the next one need not wait.
        """
        if packages is not None and self._used and self._used[1] == packages:
            taken, self._used = self._used[0], None
            return taken
        taken, self._spare = self._spare, self._make(self.environment)
        return taken

    def take_back(self, driver: Driver, packages: Mapping[str, Package]) -> None:
        """Keep a process that has seen only these packages; a stand-in may remember more."""
        if type(driver) is not Driver:
            driver.close()
            return
        if self._used is not None:
            self._used[0].close()
        self._used = (driver, packages)

    def expected(self, world: World, state: State) -> Future[Outcome]:
        """What a forced run into an empty folder gives; one that gave so is not asked twice."""
        known = self._known.get(state.key)
        if known is not None:
            done: Future[Outcome] = Future()
            done.set_result(known)
            return done
        return self._threads.submit(self._forced, world, state)

    def _forced(self, world: World, state: State) -> Outcome:
        empty = world.folder / f"empty-{next(self._numbers)}"
        self.forced += 1
        outcome = self._reference.ask(world.question(state, runs=empty, force=True, reference=True))
        shutil.rmtree(empty, ignore_errors=True)
        self._known[state.key] = outcome
        return outcome


class Trial:
    """One sequence in a world of its own.

    Parameters
    ----------
    bench : Bench
        What trials share.
    start : State
        The state to begin with; it is run at once.
    """

    def __init__(self, bench: Bench, start: State) -> None:
        self.bench = bench
        self.world = World(bench.environment)
        self.driver = bench.driver(start.packages)
        self.state = start
        self._seen = [start.packages]
        self.expected: Outcome
        self.changed = False
        self.findings: list[Finding] = []
        self.world.follow(start)
        self._look(harmless=False)

    @property
    def is_broken(self) -> bool:
        """Whether some stage cannot succeed in the present state."""
        return any(item.status != "succeeded" for item in self.expected.stages.values())

    def close(self) -> None:
        """Remove the world, and end the process if it has seen packages change."""
        if all(packages == self._seen[0] for packages in self._seen):
            self.bench.take_back(self.driver, self._seen[0])
        else:
            self.driver.close()
        self.world.__exit__(None, None, None)

    def take(self, edit: Edit) -> list[Finding]:
        """Make an edit, run, and say what was wrong."""
        before = self.expected
        if edit.fresh:
            self.driver.close()
            self.driver = self.bench.driver()
            self._seen = []
        self._seen.append(edit.state.packages)
        if edit.meanwhile:
            moves = self.world.prepared(edit.state, edit.manner)
            self.driver.ask(self.world.question(self.state, force=True, meanwhile=moves))
            for source, target in moves:
                if Path(source).exists():
                    Path(source).replace(target)
        for part in edit.parts or (edit,):
            self._make(part)
        self._look(harmless=edit.harmless)
        self.changed = _results(before) != _results(self.expected)
        return self.findings

    def _make(self, edit: Edit) -> None:
        if edit.renamed is not None:
            self.world.rename(*edit.renamed, self.state)
        self.world.follow(edit.state, edit.manner)
        if edit.touched is not None:
            self.world.touch(edit.touched, self.state)
        self.state = edit.state

    def make_good(self) -> None:
        """Run everything, so that the newest results are right."""
        self.driver.ask(self.world.question(self.state, force=True))

    def _look(self, *, harmless: bool) -> None:
        expectation = self.bench.expected(self.world, self.state)
        first = self.driver.ask(self.world.question(self.state))
        self.expected = expectation.result()
        self.findings = _compare(self.state, first, self.expected)
        if harmless and not self.findings:
            self.findings = _not_reused(self.state, first)
        if not self.findings:
            again = self.driver.ask(self.world.question(self.state))
            self.findings = _compare(self.state, again, self.expected) or _not_reused(
                self.state, again
            )


def _results(outcome: Outcome) -> dict[str, str | None]:
    return {name: item.result for name, item in outcome.stages.items()}


def _compare(state: State, got: Outcome, expected: Outcome) -> list[Finding]:
    """What differs, in the order of the stages."""
    if got.refused != expected.refused:
        return [
            Finding(
                symptom="refused", instance="", got=str(got.refused), expected=str(expected.refused)
            )
        ]
    found = []
    for name in _in_order(state, {*got.stages, *expected.stages}):
        mine, right = got.stages.get(name), expected.stages.get(name)
        if mine is None or right is None or mine.result != right.result:
            found.append(
                Finding(
                    symptom="stale" if mine is not None and mine.status == "cached" else "wrong",
                    instance=name,
                    keys=_differing(mine, right),
                    got=str(mine and (mine.text or mine.error or mine.status)),
                    expected=str(right and (right.text or right.error or right.status)),
                    reason=mine.reason if mine is not None else "",
                )
            )
    return found


def _not_reused(state: State, got: Outcome) -> list[Finding]:
    return [
        Finding(symptom="run again", instance=name, reason=got.stages[name].reason)
        for name in _in_order(state, set(got.stages))
        if got.stages[name].status == "succeeded"
    ]


def _in_order(state: State, names: set[str]) -> Sequence[str]:
    order = [stage.name for stage in state.stages]
    return sorted(names, key=lambda name: (order.index(name.partition("[")[0]), name))


def _differing(mine: StageOutcome | None, right: StageOutcome | None) -> tuple[str, ...]:
    """The values that differ between two outputs."""
    if mine is None or right is None or mine.text is None or right.text is None:
        return ()
    one, two = _values(mine.text), _values(right.text)
    keys = tuple(key for key in {**one, **two} if one.get(key, ...) != two.get(key, ...))
    return keys or (tuple(one) if list(one) != list(two) else ())


def _values(text: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(text)["values"]
    return values
