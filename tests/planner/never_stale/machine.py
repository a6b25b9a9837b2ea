"""The state machine: rules are edits, and after each of them the pipeline is run and held against
a run from nothing.

Hypothesis draws; it does not shrink. A step costs a second or two, and shrinking takes hundreds of
runs: `shortening` knows what a sequence consists of, and needs about ten.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.planner.never_stale import edits
from tests.planner.never_stale.changing import changes, changes_during_a_run
from tests.planner.never_stale.drawing import starts, tokens
from tests.planner.never_stale.edits import Edit, together
from tests.planner.never_stale.state import FOLDERS, Stage, State
from tests.planner.never_stale.trial import Bench, Finding, Trial

__all__ = ["Budget", "Failure", "Session", "run_machine"]

STEPS_IN_A_SEQUENCE = 16
SEQUENCES_IN_A_ROUND = 25
"""Hypothesis remembers what it has tried in a round; a round is over soon when nothing is left."""


@dataclass(kw_only=True)
class Budget:
    """How many steps there may be.

    Parameters
    ----------
    least : int
        So many at least, however long they take.
    most : int
        So many at the most.
    seconds : float
        No sequence begins later than this.
    """

    least: int
    most: int
    seconds: float = float("inf")
    began: float = field(default_factory=time.monotonic)
    taken: int = 0

    @property
    def spent(self) -> bool:
        """Whether there is nothing left."""
        late = time.monotonic() - self.began > self.seconds
        return self.taken >= self.most or (late and self.taken >= self.least)

    def stop(self) -> None:
        """Let this be all."""
        self.least = self.most = self.taken


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A sequence that broke a promise: where it began, its edits, and what was wrong at its end."""

    start: State
    edits: tuple[Edit, ...]
    finding: Finding


@dataclass(kw_only=True)
class Session:
    """What the sequences of one run of the machine share.

    Parameters
    ----------
    bench : Bench
        Where they are tried.
    budget : Budget
        How long it goes on.
    on_failure : callable
        What to do with a failure.
    goes_on : bool
        A sequence goes on after a stale result, which is made good, and after one that was computed
        again; else the next one begins.
    effective : int
        So many edits changed what a run from nothing gives.
    meant : int
        So many edits were meant to.
    """

    bench: Bench
    budget: Budget
    on_failure: Callable[[Failure], None]
    goes_on: bool = False
    effective: int = 0
    meant: int = 0
    sequences: int = 0

    @property
    def summary(self) -> str:
        """The session in one line."""
        took = time.monotonic() - self.budget.began
        return (
            f"never stale: {self.budget.taken} steps in {self.sequences} sequences, {took:.0f} s; "
            f"{self.effective} of {self.meant} edits changed a result"
        )


def _goes_on(machine: Machine) -> bool:
    """Whether the next edit may be any: where a stage fails, most are invisible."""
    return not machine.over and (not machine.is_broken or len(machine.taken) % 3 == 0)


class _Spent(BaseException):
    """Nothing is left of the budget; no Exception, so that Hypothesis does not take it for one."""


class Machine(RuleBasedStateMachine):
    """One sequence."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.trial: Trial | None = None
        self.taken: list[Edit] = []
        self.start: State
        self.over = False

    def teardown(self) -> None:
        """End the sequence."""
        if self.trial is not None:
            self.trial.close()

    @property
    def state(self) -> State:
        """What is so now."""
        assert self.trial is not None
        return self.trial.state

    @property
    def is_broken(self) -> bool:
        """Whether some stage cannot succeed now."""
        assert self.trial is not None
        return self.trial.is_broken

    @property
    def last(self) -> str:
        """The kind of the last edit."""
        return self.taken[-1].kind if self.taken else ""

    @property
    def copies_variables(self) -> bool:
        """Whether a cell reads all variables: also PYTHONPATH, which names the checkout."""
        return any(read.way == "copied" for stage in self.state.stages for read in stage.reads)

    @initialize(start=starts())
    def begin(self, start: State) -> None:
        """Run the pipeline for the first time."""
        if self.session.budget.spent:
            raise _Spent
        self.session.sequences += 1
        self.start = start
        self.trial = Trial(self.session.bench, start)
        self._judge()
        self.over = self.over or self.is_broken

    def take(self, edit: Edit) -> None:
        """One step, unless the edit is none."""
        assert self.trial is not None
        if edit.state.key == self.state.key and not (edit.harmless or edit.meanwhile):
            return
        self.taken.append(edit)
        self.session.budget.taken += 1
        self.trial.take(edit)
        self.session.meant += not edit.harmless
        self.session.effective += self.trial.changed
        self._judge()

    def _judge(self) -> None:
        assert self.trial is not None
        if self.trial.findings:
            first, *others = self.trial.findings
            self.over = not (self.session.goes_on and first.symptom in ("stale", "run again"))
            alike = [each for each in others if each.symptom == first.symptom and each.keys]
            for finding in [first, *alike] if self.session.goes_on else [first]:
                self.session.on_failure(
                    Failure(start=self.start, edits=tuple(self.taken), finding=finding)
                )
            if first.symptom == "stale" and not self.over:
                self.trial.make_good()
        if self.session.budget.spent:
            raise _Spent

    def _one_of(self, data: st.DataObject, *choices: str) -> str:
        return data.draw(st.sampled_from(sorted(choices)))

    def _stage(self, data: st.DataObject, *wanted: Stage) -> Stage:
        return data.draw(st.sampled_from(wanted or self.state.stages))

    @precondition(lambda self: self.over)
    @rule()
    def nothing_is_left_to_do(self) -> None:
        """The sequence has ended."""

    @precondition(_goes_on)
    @rule(data=st.data())
    def something_changes(self, data: st.DataObject) -> None:
        """What a cell reads, most often."""
        edit = data.draw(changes(self.state))
        is_installed = edit.state.packages != self.state.packages
        restarts = data.draw(st.integers(0, 1 if is_installed else 9)) == 0
        self.take(replace(edit, fresh=restarts))

    @precondition(_goes_on)
    @rule(data=st.data())
    def something_changes_again(self, data: st.DataObject) -> None:
        """The commonest edits come up more often."""
        self.something_changes(data)

    @precondition(_goes_on)
    @rule(data=st.data())
    def something_else_changes(self, data: st.DataObject) -> None:
        """And more often, as Hypothesis draws some rules alone in each sequence."""
        self.something_changes(data)

    @precondition(_goes_on)
    @rule(data=st.data(), count=st.integers(2, 3))
    def several_things_change(self, data: st.DataObject, count: int) -> None:
        """Before the next run, as people work."""
        parts: list[Edit] = []
        state = self.state
        for _ in range(count):
            edit = data.draw(changes(state))
            if edit.state.key != state.key:
                parts.append(edit)
                state = edit.state
        if parts:
            self.take(together(tuple(parts)))

    @precondition(_goes_on)
    @rule(data=st.data())
    def something_changes_during_a_run(self, data: st.DataObject) -> None:
        """After it was read, or before."""
        edit = data.draw(changes_during_a_run(self.state))
        if edit is not None and data.draw(st.booleans()):
            self.take(edit)

    @precondition(lambda self: not self.over and len(self.taken) > 0)
    @rule(data=st.data())
    def all_is_as_before(self, data: st.DataObject) -> None:
        """An earlier state comes back, as `git checkout` and `pip install` bring it."""
        number = data.draw(st.integers(0, len(self.taken) - 1))
        states = [self.start, *(edit.state for edit in self.taken)]
        self.take(edits.return_to(states[number], number))

    @precondition(_goes_on)
    @rule(
        wanted=st.sampled_from((edits.check_out, edits.restart)),
        _first=st.booleans(),
        _second=st.booleans(),
    )
    def it_is_run_otherwise(
        self,
        wanted: Callable[[State], Edit],
        _first: bool,  # noqa: FBT001 - drawn
        _second: bool,  # noqa: FBT001 - drawn
    ) -> None:
        """Another checkout on the same runs folder, or another process, which remembers nothing.

        Hypothesis begins with the rules of the fewest arguments: two more make it begin elsewhere.
        """
        edit = wanted(self.state)
        if edit.kind != self.last:
            self.take(replace(edit, harmless=edit.harmless and not self.copies_variables))

    @precondition(_goes_on)
    @rule(data=st.data(), token=tokens, choice=st.integers(0, 3))
    def nothing_that_counts_changes(self, data: st.DataObject, token: str, choice: int) -> None:
        """Prose, a new date, a file or a variable that nobody reads."""
        stage = self._stage(data)
        if choice == 0 and stage.reads:
            key = stage.reads[0].key
            self.take(edits.prose(self.state, stage, key, f"# Words {token}"))
        elif choice == 1:
            self.take(edits.touch(self.state, self._one_of(data, *self.state.files)))
        elif choice == 2:
            folder = self._one_of(data, *FOLDERS, ".")
            path = f"{folder}/README.md".removeprefix("./")
            self.take(edits.note_nearby(self.state, path, f"# Read me {token}\n"))
        else:
            self.take(self._unread_variable(token))

    def _unread_variable(self, token: str) -> Edit:
        """A variable that counts only where a cell copies them all."""
        edit = edits.set_variable(self.state, "UNRELATED", token)
        return replace(edit, kind="unrelated variable", harmless=not self.copies_variables)


def run_machine(session: Session, seed: int) -> None:
    """Run sequences until the budget is spent.

    Parameters
    ----------
    session : Session
        Where and how long.
    seed : int
        The same seed draws the same sequences, as long as mlkit answers the same.
    """
    options = settings(
        max_examples=SEQUENCES_IN_A_ROUND,
        stateful_step_count=STEPS_IN_A_SEQUENCE,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )

    class ThisMachine(Machine):
        """A machine of this session: Hypothesis makes it, without arguments."""

        def __init__(self) -> None:
            super().__init__(session)

    with contextlib.suppress(_Spent):
        for number in itertools.count(seed):
            # A failure that depends on timing looks to Hypothesis as if it drew from a strategy
            # that changes; what it has learnt is given up, and the next round begins.
            with contextlib.suppress(FlakyStrategyDefinition):
                seeded = hypothesis.seed(number)(ThisMachine)
                run_state_machine_as_test(seeded, settings=options)
