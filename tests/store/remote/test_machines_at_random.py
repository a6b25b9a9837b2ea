"""Machines on one runs folder behind a URL, at random, held against what each run must give."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mlkit import find_run, list_runs, plan, resume
from mlkit.api.old_runs import clean
from mlkit.store.remote.files import Remote
from mlkit.store.remote.places import working_copy
from mlkit.testing import FakeRunner, Raises, Sketch, run_fake, write_pipeline
from mlkit.testing.running import fake_services

MACHINES = ("one", "two", "three")
STAGES = ("top", "left", "right", "bottom")
FACTORS = ("rows", "seed")
"""What `left` and `right` depend on, each on one."""


def expected(values: Mapping[str, int]) -> dict[str, str]:
    """What each stage writes."""
    left, right = f"left{values['rows']}(top)", f"right{values['seed']}(top)"
    return {"top": "top", "left": left, "right": right, "bottom": f"bottom({left},{right})"}


def write(folder: Path) -> Path:
    """A diamond whose sides depend on a parameter each."""
    reads = "from pathlib import Path\ntext = ','.join(Path(p).read_text() for p in ({},))\n"
    sides = [
        Sketch(
            name=name,
            upstream=("top",),
            body=f"{reads.format('top')}Path(out).write_text(f'{name}{{{factor}}}({{text}})')",
            declares=f"{factor}: int = 0",
        )
        for name, factor in zip(("left", "right"), FACTORS, strict=True)
    ]
    top = Sketch(name="top", body="open(out, 'w').write('top')")
    joins = f"{reads.format('left, right')}Path(out).write_text(f'bottom({{text}})')"
    bottom = Sketch(name="bottom", upstream=("left", "right"), body=joins)
    return write_pipeline(folder, top, *sides, bottom, parameters=dict.fromkeys(FACTORS, 0))


class Machines(RuleBasedStateMachine):
    """Run, fail, resume, clean, lose and damage, on one machine after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machines-"))
        self.file = write(self.folder / "p")
        self.url = f"file://{self.folder}/shared"
        self.environment = mock.patch.dict(os.environ)
        self.environment.start()
        self.values: dict[str, dict[str, int]] = {}
        """What each run was given that is still there."""
        self.failed: list[str] = []
        self.is_harmed = False
        """Whether anything behind the URL was ever lost or damaged."""
        self.go_to("one")

    def teardown(self) -> None:
        """Put everything back."""
        self.environment.stop()
        shutil.rmtree(self.folder)

    def go_to(self, machine: str) -> None:
        """Go on as another machine."""
        os.environ["MLKIT_CACHE_DIR"] = str(self.folder / machine)

    def held(self, run_id: str, values: Mapping[str, int], runs: list[str]) -> None:
        """A run that has succeeded gives what it must, whoever computed it."""
        record = find_run(run_id, self.url, files=True)
        assert record.status == "succeeded", record
        found = {n: Path(s.outputs["out"]).read_text() for n, s in record.stages.items()}
        assert found == expected(values)
        assert len(set(runs)) == len(runs)

    @rule(machine=st.sampled_from(MACHINES))
    def moves(self, machine: str) -> None:
        """The next command is given on another machine."""
        self.go_to(machine)

    @rule(rows=st.integers(0, 2), seed=st.integers(0, 1), force=st.booleans())
    def runs(self, rows: int, seed: int, *, force: bool) -> None:
        """A run gives what its values say; what was computed before is computed again if forced."""
        values, runner = {"rows": rows, "seed": seed}, FakeRunner()
        done = [self.values[run_id] for run_id in self.values.keys() - set(self.failed)]
        told = plan(self.file, parameters=values, runs_dir=self.url)
        record = run_fake(
            self.file, runner=runner, parameters=values, runs_dir=self.url, force=force
        )
        self.held(record.run_id, values, runner.stages)
        self.values[record.run_id] = values
        if force:
            assert sorted(runner.stages) == sorted(STAGES)
        elif values in done and not self.is_harmed:  # whoever made it, and whatever went since
            assert runner.stages == []
        elif not record.warnings:  # what is damaged shows when it is fetched
            assert sorted(runner.stages) == sorted(n for n in STAGES if told[n].action != "reuse")

    @rule(rows=st.integers(0, 2), fails=st.sampled_from(STAGES))
    def fails(self, rows: int, fails: str) -> None:
        """A run in which a stage fails, if it comes to that."""
        values = {"rows": rows, "seed": 0}
        runner = FakeRunner({fails: [Raises()]})
        record = run_fake(self.file, runner=runner, parameters=values, runs_dir=self.url)
        self.values[record.run_id] = values
        if record.status == "failed":
            assert runner.stages.count(fails) == 1
            self.failed.append(record.run_id)
        else:
            self.held(record.run_id, values, runner.stages)

    @precondition(lambda self: self.failed)
    @rule(data=st.data())
    def resumes(self, data: st.DataObject) -> None:
        """A failed run is finished, wherever; no stage that it has finished is repeated."""
        run_id = data.draw(st.sampled_from(self.failed))
        before = find_run(run_id, self.url)
        done = {n for n, s in before.stages.items() if s.status in ("succeeded", "cached")}
        runner = FakeRunner()
        record = resume(run_id, self.file, runs_dir=self.url, services=fake_services(runner=runner))
        assert record.run_id == run_id
        self.failed.remove(run_id)
        self.held(run_id, self.values[run_id], runner.stages)
        if not record.warnings:
            assert not done & set(runner.stages)

    @rule(keep=st.integers(0, 2))
    def cleans(self, keep: int) -> None:
        """Who cleans removes the same for everybody."""
        clean(working_copy(self.url), keep=keep, dry_run=False)
        there = {entry.name.partition("/")[2] for entry in Remote(self.url).entries(".runs")}
        assert there <= self.values.keys()
        self.values = {run_id: self.values[run_id] for run_id in there}
        self.failed = [run_id for run_id in self.failed if run_id in there]

    @rule(machine=st.sampled_from(MACHINES))
    def loses_its_working_copy(self, machine: str) -> None:
        """A machine's disk is made anew."""
        shutil.rmtree(self.folder / machine, ignore_errors=True)

    @rule(data=st.data(), how=st.sampled_from(("cut", "other", "gone")))
    def is_damaged(self, data: st.DataObject, how: str) -> None:
        """An artifact behind the URL is lost, cut short or another."""
        remote = Remote(self.url)
        names = sorted(
            entry.name
            for entry in remote.entries("store")
            if "results" not in entry.name and not entry.name.endswith("trace.key")
        )
        if not names:
            return
        self.is_harmed = True
        name = data.draw(st.sampled_from(names))
        whole = remote.read(name)
        assert whole is not None
        if how == "gone":
            remote.remove([name])
        else:
            remote.write(name, whole[:-1] if how == "cut" else whole[:-1] + b"?")

    @invariant()
    def all_see_the_same_runs(self) -> None:
        """Where there is none left, a machine keeps what it knows: the disk may not be mounted."""
        if self.values:
            assert {record.run_id for record in list_runs(self.url)} == set(self.values)


class Further(Machines):
    """The same, further."""


def walks(count: int, steps: int) -> settings:
    """So many walks of so many steps; each step takes as long as it does."""
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


TestMachines = Machines.TestCase
TestMachines.settings = walks(6, 12)
TestFurther = pytest.mark.long(Further.TestCase)
TestFurther.settings = walks(12, 25)
