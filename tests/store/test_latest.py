"""`latest` follows its rule, whatever happens in whichever order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit import api
from mlkit.core.latest_rule import is_plain, own_settings, takes_over
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.errors import UsageError
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.latest import point_latest, promote
from mlkit.testing import FakeRunner, Raises, run_fake
from mlkit.testing.sketches import Sketch, write_pipeline


@dataclass(frozen=True)
class Begins:
    """A run begins: with which values, whether it is whole, and one of a sweep."""

    rows: int | None = None
    profile: str | None = None
    whole: bool = True
    swept: bool = False


@dataclass(frozen=True)
class Ends:
    """Of the runs that have begun and not ended, one ends."""

    which: int
    ok: bool = True


@dataclass(frozen=True)
class Promotes:
    """Of the whole runs that have succeeded, one is promoted."""

    which: int


BEGINS = st.builds(
    Begins,
    rows=st.sampled_from([None, None, 1, 2]),
    profile=st.sampled_from([None, None, None, "dev"]),
    whole=st.sampled_from([True, True, True, False]),
    swept=st.sampled_from([False, False, False, True]),
)
STEPS = st.lists(
    st.one_of(
        BEGINS,
        st.builds(Ends, which=st.integers(0, 3), ok=st.sampled_from([True, True, False])),
        st.builds(Promotes, which=st.integers(0, 3)),
    ),
    max_size=14,
)


class Model:
    """The rule, slowly: all that has happened is gone through anew for each answer."""

    def __init__(self) -> None:
        self.begun: list[tuple[RunRecord, int]] = []
        self.ended: list[str] = []
        self.promotion: tuple[str, int] | None = None
        self.now = 0

    def latest(self) -> str | None:
        """The newest plain run since the promotion; else the newest that is as the first one."""
        whole = {r.run_id: (r, t) for r, t in self.begun if r.run_id in self.ended and r.complete}
        since = -1 if self.promotion is None else self.promotion[1]
        fresh = [(run, time) for run, time in whole.values() if time > since]
        plain = [run.run_id for run, _ in fresh if is_plain(run)]
        if plain:
            return plain[-1]
        if self.promotion is not None:
            base = whole[self.promotion[0]][0]
        else:
            first = next((run_id for run_id in self.ended if run_id in whole), None)
            if first is None:
                return None
            base, since = whole[first]
        alike = [
            run.run_id
            for run, time in fresh
            if time > since and not run.group and own_settings(run) == own_settings(base)
        ]
        return alike[-1] if alike else base.run_id


def _record(number: int, begins: Begins) -> RunRecord:
    options = {
        "overrides": {} if begins.rows is None else {"rows": begins.rows},
        "profile": begins.profile,
        **({"group": "g"} if begins.swept else {}),
    }
    return RunRecord(
        run_id=f"r{number:03}",
        pipeline="p",
        file="/p/pipeline.yaml",
        runs_dir="/p/runs",
        status=RunStatus.RUNNING,
        started=float(number),
        options=options,
        complete=begins.whole,
    )


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_latest_is_what_the_slow_rule_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Begins | Ends | Promotes]
) -> None:
    """After every step: runs that overlap, fail, are parts, experiments, or promoted."""
    runs, model = RunsFolder(tmp_path_factory.mktemp("runs")), Model()
    database, alive = Database(Path(":memory:")), list[RunRecord]()
    for number, step in enumerate(steps):
        if isinstance(step, Begins):
            record = _record(number, step)
            runs.run(record.run_id).path.mkdir()
            database.save_run(record)
            alive.append(record)
            model.begun.append((record, number))
        elif isinstance(step, Ends) and alive:
            record = alive.pop(step.which % len(alive))
            ended = RunStatus.SUCCEEDED if step.ok else RunStatus.FAILED
            record = replace(record, status=ended, ended=float(number))
            database.save_run(record)
            point_latest(runs, database, record)
            model.ended += [record.run_id] if step.ok else []
        elif isinstance(step, Promotes):
            whole = [r for r, _ in model.begun if r.run_id in model.ended and r.complete]
            if whole:
                chosen = whole[step.which % len(whole)].run_id
                promote(runs, database, chosen)
                model.promotion = (chosen, number)
        assert runs.latest_id() == model.latest()
    database.close()


def _two(folder: Path) -> Path:
    first = Sketch(name="s1", declares='word: str = "x"')
    return write_pipeline(
        folder, first, Sketch(name="s2", upstream=("s1",)), parameters={"word": "a"}
    )


def test_an_experiment_leaves_latest_alone(tmp_path: Path) -> None:
    """Values, parts and sweeps do not move it; a run of the file as it stands does."""
    file = _two(tmp_path)
    plain = run_fake(file)
    for given_ in ({"word": "b"}, {"s1.word": "c"}):
        run_fake(file, parameters=given_)
    run_fake(file, until="s1")
    run_fake(file, group="g")
    assert api.find_run("latest", tmp_path / "runs").run_id == plain.run_id
    same = run_fake(file, parameters={"word": "a"})
    assert api.find_run("latest", tmp_path / "runs").run_id == same.run_id


def test_who_always_gives_values_has_a_latest_too(tmp_path: Path) -> None:
    """The first run is; later ones with the same values follow, and one without displaces it."""
    file, runs = _two(tmp_path), tmp_path / "runs"
    mine = {"word": "mine"}
    first = run_fake(file, parameters=mine)
    assert 'this run, one with -p word="mine"' in str(api.latest_words(first))
    second = run_fake(file, parameters=mine)
    assert api.find_run("latest", runs).run_id == second.run_id
    other = run_fake(file, parameters={"word": "other"})
    assert api.find_run("latest", runs).run_id == second.run_id
    said = str(api.latest_words(other))
    assert said.startswith(f'stays at {second.run_id}: this run is one with -p word="other"')
    assert f"mlkit promote {other.run_id}" in said
    plain = run_fake(file)
    assert api.latest_words(plain) is None
    run_fake(file, parameters=mine)
    assert api.find_run("latest", runs).run_id == plain.run_id


def test_a_promoted_run_stays_until_a_later_run_of_the_file(tmp_path: Path) -> None:
    """What cannot be read whole is not promoted."""
    file, runs = _two(tmp_path), tmp_path / "runs"
    run_fake(file)
    other = run_fake(file, parameters={"word": "b"})
    assert api.promote(other.run_id, file).run_id == other.run_id
    assert api.find_run("latest", runs).run_id == other.run_id
    run_fake(file, parameters={"word": "c"})
    assert api.find_run("latest", runs).run_id == other.run_id
    assert api.latest_words(run_fake(file)) is None
    part = run_fake(file, until="s1")
    failed = run_fake(file, runner=FakeRunner({"s2": [Raises()]}), force=True)
    for bad, fact in ((part, "a part of the pipeline"), (failed, "has not succeeded")):
        with pytest.raises(UsageError, match=fact):
            api.promote(bad.run_id, file)


def test_without_promotion_the_rule_needs_no_clock() -> None:
    """A failed run never takes over; one that is shown already stays."""
    one = _record(1, Begins())
    assert not takes_over(one, None, began_later=True, began_after_promotion=True)
