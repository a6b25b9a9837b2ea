"""Cleaning removes runs and what only they used, and nothing else."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any

from mlkit.api.old_runs import clean
from mlkit.core.record import StageRecord
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.cleaning import copies_with
from mlkit.store.folder import NOTEBOOK, RunsFolder
from mlkit.store.looking import looked_at
from mlkit.testing import FakeRunner, chain, run_fake


def test_what_is_left_can_still_be_reused(tmp_path: Path) -> None:
    """A dry run removes nothing; the newest run stays whole."""
    file, runs = chain(tmp_path, 2), tmp_path / "runs"
    first = run_fake(file)
    path = tmp_path / "s1.ipynb"
    path.write_text(path.read_text().replace("s1(", "S1("))
    last = run_fake(file)
    told = clean(runs, keep=1)
    assert told.runs == (first.run_id,)
    assert len(told.artifacts) == 2
    assert (runs / first.run_id).is_dir()
    assert clean(runs, keep=1, dry_run=False) == told
    assert not (runs / first.run_id).exists()
    runner = FakeRunner()
    assert run_fake(file, runner=runner, verify=True).status == "succeeded"
    assert runner.stages == []
    assert Path(last.stages["s2"].outputs["out"]).read_text() == "s2(S1())"


def test_what_somebody_debugs_goes_with_its_run_only(tmp_path: Path) -> None:
    """Told before; copies of runs that stay, or that nobody knows, stay, whatever their names."""
    file, runs = chain(tmp_path, 1), tmp_path / "runs"
    for run_id in ("a", "a-b", "c"):
        run_fake(file, only="s1", run_id=run_id)
    for name in ("a-s1", "a-s1-live-1", "a-b-s1", "c-s1", "unknown-s1"):
        (runs / "debug" / name / "outputs").mkdir(parents=True)
        (runs / "debug" / name / "s1.ipynb").write_bytes(b" " * 10_000)
    (runs / "debug" / "a-notes.txt").touch()
    before = {path.name for path in (runs / "debug").iterdir()}
    told = clean(runs, keep=2)
    assert told.runs == ("a",)
    assert told.copies == ("a-s1", "a-s1-live-1")
    assert told.size_bytes > 20_000
    assert {path.name for path in (runs / "debug").iterdir()} == before
    assert clean(runs, keep=2, dry_run=False) == told
    left = {path.name for path in (runs / "debug").iterdir()}
    assert left == before - set(told.copies)
    assert clean(runs).copies == ()


def test_a_copy_that_may_be_of_a_run_that_stays_stays() -> None:
    """`a-b-s` is of stage `b-s` of run `a`, or of stage `s` of run `a-b`."""
    names = ("a-s", "a-b-s", "aa-s", "a")
    assert copies_with(names, ("a",), ("a-b",)) == ("a-s",)
    assert copies_with(names, ("a-b",), ("a",)) == ()
    assert copies_with(names, ("a", "a-b"), ()) == ("a-b-s", "a-s")
    assert copies_with(names, (), ("a",)) == ()


def test_results_that_a_later_run_uses_outlive_their_run(tmp_path: Path) -> None:
    """The run that computed them may go."""
    file = chain(tmp_path, 2)
    run_fake(file)
    run_fake(file)
    clean(tmp_path / "runs", keep=1, dry_run=False)
    runner = FakeRunner()
    run_fake(file, runner=runner)
    assert runner.stages == []


def test_results_go_with_the_last_run_that_uses_them(tmp_path: Path) -> None:
    """Whatever runs and is cleaned in turn: the store holds what runs name, and no more."""
    file, runs, chance = chain(tmp_path, 2), tmp_path / "runs", random.Random(3)
    path = tmp_path / "s1.ipynb"
    texts = {name: path.read_text().replace("s1(", f"{name}(") for name in "xyz"}
    for _ in range(25):
        path.write_text(texts[chance.choice("xyz")])
        record = run_fake(file)
        assert all((runs / record.run_id / name / NOTEBOOK).is_file() for name in ("s1", "s2"))
        if chance.random() < 0.5:
            clean(runs, keep=chance.choice((1, 2)), dry_run=False)
        with looked_at(RunsFolder(runs)) as database:
            stages = [s for r in database.load_runs() for s in r.stages.values()]
        named = {item.digest for stage in stages for item in stage.artifacts.values()}
        assert set(ArtifactStore(runs / "store").digests()) == named
    with contextlib.closing(sqlite3.connect(runs / "mlkit.db")) as connection:
        owners = {row[0] for row in connection.execute("SELECT run_id FROM fingerprints")}
    assert owners <= {entry.name for entry in runs.iterdir()}


def test_what_is_still_named_is_what_the_records_say(tmp_path: Path) -> None:
    """Whichever runs go: SQLite's reading of the documents against the records read as a whole."""
    file, runs = chain(tmp_path, 3), tmp_path / "runs"
    path = tmp_path / "s2.ipynb"
    for turn in range(4):
        if turn % 2:
            path.write_text(path.read_text().replace("s2(", f"s2({turn},"))
        run_fake(file)
    with contextlib.closing(sqlite3.connect(runs / "mlkit.db")) as connection:
        results = connection.execute("SELECT id, run_id, outputs FROM fingerprints").fetchall()
    with looked_at(RunsFolder(runs)) as database:
        records = database.load_runs()
        ids = [record.run_id for record in records]
        for gone in itertools.chain.from_iterable(
            itertools.combinations(ids, count) for count in range(len(ids) + 1)
        ):
            stay = [s for r in records if r.run_id not in gone for s in r.stages.values()]
            wanted = {item.digest for stage in stay for item in stage.artifacts.values()}
            used = {stage.result for stage in stay}
            for number, run_id, outputs in results:
                if run_id not in gone or number in used:
                    wanted |= set(json.loads(outputs).values())
            assert database.digests_without(set(gone)) == wanted


def test_of_runs_that_have_ended_no_stage_is_read(tmp_path: Path) -> None:
    """Ten thousand runs of some stages each are looked through in a moment."""
    file, runs = chain(tmp_path, 2), tmp_path / "runs"
    for _ in range(3):
        run_fake(file)
    read: list[str] = []

    def called(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is StageRecord.from_json.__func__.__code__:  # type: ignore[attr-defined] # a class's method has it
            read.append(frame.f_locals["instance_id"])

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        found = clean(runs, keep=1)
    finally:
        sys.setprofile(before)
    assert len(found.runs) == 2
    assert read == []
