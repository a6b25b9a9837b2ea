"""The state machine: rules are edits, and after each of them the pipeline is run and held against
a run from nothing.

Hypothesis draws; it does not shrink. A step costs a second or two, and shrinking takes hundreds of
runs: `shortening` knows what a sequence consists of, and needs about ten.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

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
from tests.planner.never_stale.drawing import PLACES, reads, starts, texts_for, tokens
from tests.planner.never_stale.edits import Edit
from tests.planner.never_stale.state import (
    FOLDERS,
    NOTEBOOK_FOLDERS,
    PACKAGES,
    VARIABLES,
    Stage,
    State,
)
from tests.planner.never_stale.trial import Bench, Finding, Trial
from tests.planner.never_stale.ways import Kind
from tests.planner.never_stale.world import Manner

__all__ = ["Budget", "Failure", "Session", "run_machine"]

STEPS_IN_A_SEQUENCE = 12
SEQUENCES_IN_A_ROUND = 25
"""Hypothesis remembers what it has tried in a round; a round is over soon when nothing is left."""

_EDITED: tuple[Kind, ...] = ("code", "code", "module", "data", "variable", "package")

manners = st.sampled_from(get_args(Manner))


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
        A sequence goes on after a stale result, which is made good; else the next one begins.
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

    def is_mentioned(self, *names: str) -> bool:
        """Whether any file of the project contains one of some names."""
        texts = self.state.project.rendered.values()
        return any(name in text for text in texts for name in names)

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
            finding = self.trial.findings[0]
            self.over = not self.session.goes_on or finding.symptom != "stale"
            self.session.on_failure(
                Failure(start=self.start, edits=tuple(self.taken), finding=finding)
            )
            if not self.over:
                self.trial.make_good()
        if self.session.budget.spent:
            raise _Spent

    def _one_of(self, data: st.DataObject, *choices: str) -> str:
        return data.draw(st.sampled_from(sorted(choices)))

    def _stage(self, data: st.DataObject, *wanted: Stage) -> Stage:
        return data.draw(st.sampled_from(wanted or self.state.stages))

    def _likely(self, paths: Iterable[str]) -> list[str]:
        """Those of some files that a cell is likely to read: most edits should matter."""
        targets = {read.target for stage in self.state.stages for read in stage.reads}
        return sorted(p for p in paths if {p, *Path(p).with_suffix("").parts} & targets)

    @precondition(lambda self: self.over)
    @rule()
    def nothing_is_left_to_do(self) -> None:
        """The sequence has ended."""

    @precondition(_goes_on)
    @rule(data=st.data(), manner=manners, token=tokens)
    def a_file_changes(self, data: st.DataObject, manner: Manner, token: str) -> None:
        """Another value in it."""
        changeable = [path for path in self.state.files if not path.endswith("assets/__init__.py")]
        path = self._one_of(
            data, *(set(self._likely(self.state.files)) & set(changeable) or changeable)
        )
        self.take(edits.rewrite(self.state, path, token, manner))

    @precondition(_goes_on)
    @rule(data=st.data(), manner=manners, token=tokens)
    def a_file_changes_again(self, data: st.DataObject, manner: Manner, token: str) -> None:
        """The commonest edit of all comes up more often."""
        self.a_file_changes(data, manner, token)

    @precondition(_goes_on)
    @rule(data=st.data(), manner=st.sampled_from(("anew", "old date")))
    def a_file_appears(self, data: st.DataObject, manner: Manner) -> None:
        """Where there was none, or quite another text."""
        absent = [path for path in PLACES if path not in self.state.files]
        path = self._one_of(data, *(self._likely(absent) or absent or PLACES))
        text = data.draw(texts_for(path))
        self.take(edits.appear(self.state, path, text, manner))

    @precondition(_goes_on)
    @rule(data=st.data())
    def a_file_is_rewritten(self, data: st.DataObject) -> None:
        """With another text, which reads something else."""
        modules = [p for p in self.state.files if p.endswith(".py") and "assets" not in p]
        path = self._one_of(data, *(set(modules) & set(self._likely(self.state.files)) or modules))
        self.take(edits.appear(self.state, path, data.draw(texts_for(path)), "anew"))

    @precondition(lambda self: _goes_on(self) and len(self.state.files) > 4)
    @rule(data=st.data())
    def a_file_vanishes(self, data: st.DataObject) -> None:
        """Perhaps another one is found in its place."""
        path = self._one_of(data, *(self._likely(self.state.files) or self.state.files))
        self.take(edits.vanish(self.state, path))

    @precondition(_goes_on)
    @rule(data=st.data())
    def a_file_is_renamed(self, data: st.DataObject) -> None:
        """To a place where it is found, or not."""
        path = self._one_of(data, *(self._likely(self.state.files) or self.state.files))
        ending = path.rpartition(".")[2]
        free = [p for p in PLACES if p not in self.state.files and p.endswith(ending)]
        if free:
            self.take(edits.rename(self.state, path, self._one_of(data, *free)))

    @precondition(lambda self: _goes_on(self) and self.is_mentioned(*VARIABLES))
    @rule(data=st.data(), value=st.one_of(st.none(), tokens.map("value-{}".format)))
    def a_variable_is_set(self, data: st.DataObject, value: str | None) -> None:
        """Set, changed or unset."""
        name = self._one_of(data, *filter(self.is_mentioned, VARIABLES))
        if name not in self.state.variables:
            value = value or "value-first"
        self.take(edits.set_variable(self.state, name, value))

    @precondition(
        lambda self: _goes_on(self) and any(p.startswith("more/") for p in self.state.files)
    )
    @rule(folders=st.sampled_from((("lib",), ("lib", "more"), ("more", "lib"))))
    def the_search_path_changes(self, folders: tuple[str, ...]) -> None:
        """PYTHONPATH."""
        self.take(edits.search_in(self.state, folders))

    @precondition(lambda self: _goes_on(self) and self.is_mentioned(*PACKAGES))
    @rule(data=st.data(), number=st.integers(10, 29))
    def a_package_is_installed(self, data: st.DataObject, number: int) -> None:
        """In another version, or another text of one that was only copied."""
        name = self._one_of(data, *filter(self.is_mentioned, PACKAGES))
        present = self.state.packages.get(name)
        metadata = data.draw(st.booleans()) if present is None else present.metadata
        self.take(edits.install(self.state, name, number, metadata=metadata))

    @precondition(lambda self: _goes_on(self) and self.is_mentioned(*PACKAGES))
    @rule(data=st.data(), number=st.integers(10, 29))
    def a_package_comes_otherwise(self, data: st.DataObject, number: int) -> None:
        """Copied in place of installed, or the other way round, or gone."""
        name = self._one_of(data, *filter(self.is_mentioned, PACKAGES))
        present = self.state.packages.get(name)
        if present is None or data.draw(st.booleans()):
            metadata = present is not None and not present.metadata
            self.take(edits.install(self.state, name, number, metadata=metadata))
        else:
            self.take(edits.uninstall(self.state, name))

    @precondition(lambda self: _goes_on(self) and self.is_mentioned("STARTED"))
    @rule(text=st.one_of(st.none(), tokens.map('STARTED = "{}"\n'.format)))
    def the_start_up_file_changes(self, text: str | None) -> None:
        """IPython's own."""
        self.take(edits.set_start_up(self.state, text))

    @precondition(_goes_on)
    @rule(data=st.data())
    def a_cell_is_edited(self, data: st.DataObject) -> None:
        """A new one, or another one in the place of one."""
        stage = self._stage(data)
        key = f"r{data.draw(st.integers(0, 3))}"
        read = data.draw(reads(key, _EDITED, self.state.files))
        self.take(edits.add_cell(self.state, stage, read))

    @precondition(_goes_on)
    @rule(data=st.data())
    def cells_are_moved(self, data: st.DataObject) -> None:
        """One is removed, or they stand in another order."""
        stage = self._stage(data)
        if len(stage.reads) > 1 and data.draw(st.booleans()):
            self.take(edits.swap_cells(self.state, stage))
        elif len(stage.reads) > 1:
            key = data.draw(st.sampled_from([read.key for read in stage.reads]))
            self.take(edits.drop_cell(self.state, stage, key))

    @precondition(_goes_on)
    @rule(data=st.data())
    def a_cell_is_tagged(self, data: st.DataObject) -> None:
        """With a tag that nbclient obeys."""
        stage = self._stage(data)
        if stage.reads:
            key = data.draw(st.sampled_from([read.key for read in stage.reads]))
            self.take(edits.tag_cell(self.state, stage, key, "skip-execution"))

    @precondition(lambda self: _goes_on(self) and any(s.parameters for s in self.state.stages))
    @rule(data=st.data(), number=st.integers(3, 99))
    def a_parameter_changes(self, data: st.DataObject, number: int) -> None:
        """Its value, the order of its keys, or the variable that it comes from."""
        stage = self._stage(data, *(s for s in self.state.stages if s.parameters))
        name = data.draw(st.sampled_from(sorted(stage.parameters)))
        if name == "options" and data.draw(st.booleans()):
            self.take(edits.order_parameters(self.state, stage))
        elif name == "options":
            self.take(edits.set_parameter(self.state, stage, name, {"low": number, "high": 2}))
        elif "SETTING_A" in self.state.variables:
            choices = st.sampled_from(("${SETTING_A}", f"month-{number}"))
            self.take(edits.set_parameter(self.state, stage, name, data.draw(choices)))
        else:
            self.take(edits.set_parameter(self.state, stage, name, f"month-{number}"))

    @precondition(lambda self: _goes_on(self) and any(s.values for s in self.state.stages))
    @rule(
        data=st.data(),
        values=st.sampled_from((("lr", "rf"), ("xgb", "svm"), ("rf", "lr"), ("lr",))),
    )
    def a_stage_is_mapped_otherwise(self, data: st.DataObject, values: tuple[str, ...]) -> None:
        """Over other values."""
        stage = self._stage(data, *(s for s in self.state.stages if s.values))
        if values != stage.values:
            self.take(edits.set_values(self.state, stage, values))

    @precondition(_goes_on)
    @rule(data=st.data(), folder=st.sampled_from(NOTEBOOK_FOLDERS))
    def a_notebook_is_moved(self, data: st.DataObject, folder: str) -> None:
        """To the other folder, where other modules may stand."""
        elsewhere = [stage for stage in self.state.stages if stage.folder != folder]
        if elsewhere:
            self.take(edits.move_notebook(self.state, self._stage(data, *elsewhere), folder))

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
    @rule(data=st.data(), manner=st.sampled_from(("anew", "old date")), token=tokens)
    def a_file_changes_during_a_run(self, data: st.DataObject, manner: Manner, token: str) -> None:
        """After it was read, or before."""
        paths = [p for p in self._likely(self.state.files) if not p.endswith("assets/__init__.py")]
        if paths:
            edit = edits.rewrite(self.state, self._one_of(data, *paths), token, manner)
            self.take(edits.during_a_run(edit))

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
