"""The machine is not blind: its worlds hold what its states say, its edits and its ways of reading
make a difference, and it finds an mlkit that reuses too much or too little.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.planner.never_stale import edits
from tests.planner.never_stale.changing import changes
from tests.planner.never_stale.drawing import starts
from tests.planner.never_stale.edits import Edit
from tests.planner.never_stale.environment import Environment
from tests.planner.never_stale.kinds import kind_of
from tests.planner.never_stale.machine import Budget, Failure, Session, run_machine
from tests.planner.never_stale.shortening import shorten
from tests.planner.never_stale.state import Package, Project, Read, Stage, State, package_text
from tests.planner.never_stale.trial import Bench
from tests.planner.never_stale.ways import WAYS
from tests.planner.never_stale.world import Driver, Manner, Outcome, World

pytestmark = pytest.mark.kernel

TARGETS = {
    **{"code": "10000", "module": "alpha", "script": "tools/tool.py", "data": "data/one.csv"},
    **{"existence": "data/flag.txt", "listing": "data", "resource": "assets"},
    **{"variable": "SETTING_A", "package": "faketwo", "parameter": "options"},
}
FIXED = ("code", "instance", "input names", "nothing", "parameter")
"""What does not depend on anything outside of the notebook and pipeline.yaml."""


def _state(*reads: Read) -> State:
    """Three stages that read by turns, and all that can be read."""
    names = ("a", "b", "c")
    stages = [
        Stage(
            name=name,
            folder="pipe/v1",
            reads=reads[number::3],
            parameters={"options": {"low": 1, "high": 2}},
        )
        for number, name in enumerate(names)
    ]
    script = 'V = "10000"\nif __name__ == "__main__":\n    print(V)\n'
    files = {
        "lib/alpha.py": script,
        "tools/tool.py": script,
        "data/one.csv": "v\n10000\n",
        "lib/assets/__init__.py": "",
        "lib/assets/note.txt": "10000",
    }
    packages = {
        n: Package(version="1.0", text=package_text(n, "00010")) for n in ("fakeone", "faketwo")
    }
    return State(
        projects={"one": Project(files=files, stages=tuple(stages))},
        packages=packages,
        start_up='STARTED = "10000"\n',
    )


def _all_changed(state: State) -> State:
    """The state after a change of everything that can be read."""
    changed = {
        "lib/alpha.py": None,
        "pipe/v1/alpha.py": state.files["lib/alpha.py"].replace("10000", "20000"),
        "data/flag.txt": "20000",
        "data/two.csv": "v\n20000\n",
    }
    files = {path: text.replace("10000", "20000") for path, text in state.files.items()}
    files = {path: text for path, text in {**files, **changed}.items() if text is not None}
    return replace(
        edits.install(state, "faketwo", 29, metadata=True).state.with_files(files),
        variables={"SETTING_A": "value-20000"},
        start_up='STARTED = "20000"\n',
    )


def _values(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in outcome.stages.items():
        assert item.text is not None, f"{name}: {item.error}"
        found |= json.loads(item.text)["values"]
    return found


@pytest.mark.timeout(600)
def test_every_way_of_reading_sees_a_change(environment: Environment) -> None:
    """Each way gives another value when what it reads has changed, in a run from nothing."""
    ways = [way for way in WAYS.values() if way.kind not in FIXED and way.name != "find_spec"]
    reads = [Read(key=way.name, way=way.name, target=TARGETS.get(way.kind, "")) for way in ways]
    before = _state(*reads)
    with Bench(environment) as bench, World(environment) as world:
        world.follow(before)
        first = _values(bench.expected(world, before).result())
        after = _all_changed(before)
        world.follow(after)
        second = _values(bench.expected(world, after).result())
    assert {*first} == {*second} == {way.name for way in ways}
    assert [name for name in first if first[name] == second[name]] == []


@pytest.mark.timeout(120)
def test_the_disk_follows_the_state(environment: Environment) -> None:
    """Whatever comes after whatever: all files of the state are there, and no others."""

    @settings(
        max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(
        states=st.lists(starts(), min_size=2, max_size=4), manner=st.sampled_from(get_args(Manner))
    )
    def follows(states: list[State], manner: Manner) -> None:
        with World(environment) as world:
            for state in states:
                world.follow(state, manner)
                root = world.folder / "one"
                found = {
                    str(path.relative_to(root)): path.read_text()
                    for path in root.rglob("*")
                    if path.is_file() and ".git" not in path.parts
                }
                assert found == state.project.rendered
                assert not any(
                    not any(path.iterdir()) for path in root.rglob("*/") if path.is_dir()
                )
                installed = {
                    name: (environment.site / name / "__init__.py").read_text()
                    for name in state.packages
                }
                assert installed == {name: p.text for name, p in state.packages.items()}

    follows()


def test_manners_leave_the_marks_that_they_name(environment: Environment) -> None:
    """In place keeps size, date and inode; an old or a future date is what it says."""
    state = _state()
    with World(environment) as world:
        world.follow(state)
        path = world.folder / "one" / "data/one.csv"
        marks = {"none": path.stat()}
        for number, manner in enumerate(get_args(Manner)):
            edit = edits.rewrite(state, "data/one.csv", f"{20_000 + number}", manner)
            world.follow(edit.state, manner)
            marks[manner] = path.stat()
            assert path.read_text() == f"v\n{20_000 + number}\n"
    kept, before = marks["in place"], marks["old date"]
    assert (kept.st_size, kept.st_mtime_ns, kept.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
    assert before.st_mtime < marks["none"].st_mtime < marks["future date"].st_mtime
    assert marks["anew"].st_ino != marks["none"].st_ino


@pytest.mark.parametrize(
    "edit",
    [
        edits.rewrite(_state(), "data/one.csv", "20000", "anew"),
        edits.appear(_state(), "more/alpha.py", "V = 1\n", "anew"),
        edits.vanish(_state(), "lib/alpha.py"),
        edits.rename(_state(), "lib/alpha.py", "more/alpha.py"),
        edits.set_variable(_state(), "SETTING_A", "x"),
        edits.search_in(_state(), ("more",)),
        edits.install(_state(), "fakeone", 11, metadata=True),
        edits.install(_state(), "fakeone", 10, metadata=False),
        edits.uninstall(_state(), "fakeone"),
        edits.set_start_up(_state(), None),
        edits.order_parameters(_state(), _state().stages[0]),
        edits.set_parameter(_state(), _state().stages[0], "options", {"low": 2, "high": 2}),
        edits.set_values(_state(), _state().stages[0], ("lr",)),
        edits.move_notebook(_state(), _state().stages[0], "pipe/v2"),
        edits.together(
            (
                edits.set_variable(_state(), "SETTING_A", "x"),
                edits.vanish(edits.set_variable(_state(), "SETTING_A", "x").state, "lib/alpha.py"),
            )
        ),
    ],
    ids=lambda edit: edit.kind,
)
def test_an_edit_is_another_state(edit: Edit) -> None:
    """So its results are computed, not remembered from the state before."""
    assert edit.state.key != _state().key


def test_every_kind_of_edit_is_drawn() -> None:
    """None so seldom that six hundred sequences know nothing of it."""
    kinds: Counter[str] = Counter()

    @settings(
        max_examples=600, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @hypothesis.seed(1)
    @given(data=st.data(), state=starts())
    def draws(data: st.DataObject, state: State) -> None:
        for _ in range(8):
            edit = data.draw(changes(state))
            assert edit.about is None or edit.about in {r for s in state.stages for r in s.reads}
            kinds[edit.kind] += edit.state.key != state.key
            state = edit.state

    draws()
    manners = {f"file changed ({manner})" for manner in get_args(Manner)}
    assert {kind for kind, count in kinds.items() if count} >= manners | {
        *("file appears", "package folder appears", "file rewritten", "file gone", "file renamed"),
        *("variable", "search path", "start-up file", "notebook moved", "tag skip-execution"),
        *("package version", "package copied without metadata", "package gone"),
        *("cell edited", "cell removed", "cells in another order"),
        *("parameter", "order of a parameter's keys", "values of a mapped stage"),
    }


def test_an_equal_checkout_is_no_other_state() -> None:
    """Its results are those of the other one, and it is harmless; an unequal one is neither."""
    equal = edits.check_out(_state())
    assert (equal.state.key, equal.harmless) == (_state().key, True)
    edited = edits.rewrite(equal.state, "data/one.csv", "20000", "anew")
    back = edits.check_out(edited.state)
    assert back.state.key == _state().key != edited.state.key
    assert not back.harmless


class _Forgetful(Driver):
    """An mlkit that reuses the first result for ever."""

    first: Outcome | None = None

    def ask(self, question: Mapping[str, Any]) -> Outcome:
        """Answer as the first time."""
        if question["force"]:
            return super().ask(question)
        if self.first is None:
            self.first = super().ask(question)
            return self.first
        stages = {k: replace(item, status="cached") for k, item in self.first.stages.items()}
        return replace(self.first, stages=stages)


class _Diligent(Driver):
    """An mlkit that reuses nothing."""

    def ask(self, question: Mapping[str, Any]) -> Outcome:
        """Run everything."""
        return super().ask({**question, "force": True})


def _first_failure(environment: Environment, driver: type[Driver]) -> str:
    found: list[Failure] = []
    with Bench(environment, driver) as bench:
        budget = Budget(least=0, most=60)

        def stop(failure: Failure) -> None:
            found.append(failure)
            budget.stop()

        run_machine(Session(bench=bench, budget=budget, on_failure=stop), seed=1)
        assert found
        short = shorten(bench, found[0])
        assert short.reproduced
        assert len(short.failure.edits) <= 1
        assert len(short.failure.start.stages) <= 2
        return f"{kind_of(short)}\n{short.words}"


@pytest.mark.timeout(300)
def test_an_mlkit_that_reuses_for_ever_is_found(environment: Environment) -> None:
    """The sequence is told in words."""
    words = _first_failure(environment, _Forgetful)
    assert "stale: " in words
    assert "1. " in words


@pytest.mark.timeout(300)
def test_an_mlkit_that_reuses_nothing_is_found(environment: Environment) -> None:
    """It is no better: who waits for what was computed already switches the cache off."""
    words = _first_failure(environment, _Diligent)
    assert words.startswith("run again although nothing changed")
