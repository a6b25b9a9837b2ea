"""Hopeless runs of a sweep are stopped, and counted as that."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlkit import api
from mlkit.api.sweeping import Member, resume_sweep, sweep
from mlkit.core.search_space import Choices
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import UsageError
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from mlkit.store.folder import RunsFolder
from mlkit.store.sweeps import Search, Sweep
from mlkit.testing import FakeRunner, Sketch, write_pipeline
from mlkit.testing.recording import RecordingNotifier

BODY = """import mlkit, time
from pathlib import Path
for step in range(6):
    mlkit.log_metric("loss", x + 1 / (step + 1), step=step)
time.sleep(1.5 if x > 50 else 0)
Path(out).write_text(str(x))"""
"""A hopeless one takes long; it is stopped before what comes after it begins."""

SCORE = """import mlkit
from pathlib import Path
mlkit.log_metric("score", float(Path(train).read_text()))
Path(out).write_text("")"""


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return write_pipeline(
        tmp_path,
        Sketch(name="train", declares="x: int = 1", body=BODY),
        Sketch(name="score", upstream=("train",), body=SCORE),
    )


@contextlib.contextmanager
def _observed() -> Iterator[Services]:
    """Without kernels, but with threads and a clock that goes."""
    yield Services(
        notifier=RecordingNotifier(),
        runner=FakeRunner(),
        executor=lambda workers: ThreadPoolExecutor(workers),
        environ={},
    )


def _swept(
    file: Path, values: list[int], said: list[str], search: Search | None = None
) -> tuple[Sweep, list[Member]]:
    return sweep(
        load_pipeline(file),
        [] if search is not None else [{"x": x} for x in values],
        layers=Layers(),
        options=RunOptions(name="g"),
        runs_dir=None,
        observed=_observed,
        say=said.append,
        search=search,
        stop_if="train.loss > median after 3",
    )


def test_a_hopeless_run_is_stopped_and_not_repeated(file: Path) -> None:
    """The sweep goes on after it; it has failed nothing, and resuming leaves it as it is."""
    said = list[str]()
    found, made = _swept(file, [1, 2, 3, 4, 99, 5], said)
    assert [member.ok for member in made] == [True] * 4 + [False, True]
    stopped = made[4].record
    assert stopped is not None
    why = "stopped early: train.loss 99.1667 at step 5 is above the median of 4 runs, 2.66667"
    assert stopped.stages["score"].reason == made[4].stopped == why
    assert stopped.status.value == "cancelled"
    assert f"[5 of 6] {why}" in said
    again = resume_sweep(
        found, load_pipeline(file), runs_dir=None, environ={}, secrets={}, changes={},
        observed=_observed, say=said.append,
    )  # fmt: skip
    assert [member.record and member.record.run_id for member in again] == [
        member.record and member.record.run_id for member in made
    ]
    assert said[-1] == "5 of 6 have succeeded already"


def test_optuna_hears_of_a_stopped_run_as_pruned(file: Path) -> None:
    """With the last that it logged."""
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    space = {"x": Choices(values=(1, 2, 3, 4, 5, 99))}
    search = Search(runs=6, metric="score.score", maximize=False, seed=1, space=space)
    _, made = _swept(file, [], list[str](), search)
    kept = RunsFolder(file.parent / "runs").sweeps.study("g")
    study = optuna.load_study(study_name="g", storage=f"sqlite:///{kept}")
    pruned = study.get_trials(states=[optuna.trial.TrialState.PRUNED])
    stopped = [member for member in made if member.stopped]
    assert stopped
    assert [t.params for t in pruned] == [member.values for member in stopped]
    assert all(t.intermediate_values == {5: t.params["x"] + 1 / 6} for t in pruned)
    assert {member.values["x"] for member in made} == {1, 2, 3, 4, 5, 99}


def test_a_rule_that_cannot_be_is_told_before_anything_runs(file: Path) -> None:
    """With how it is written, or which stage is meant."""
    for rule, fact in (("train.loss", "is no rule"), ("trian.loss > 1", "no stage 'trian'")):
        with pytest.raises(UsageError, match=fact):
            sweep(
                load_pipeline(file), [{"x": 1}], layers=Layers(), options=RunOptions(),
                runs_dir=None, observed=_observed, say=print, stop_if=rule,
            )  # fmt: skip
    assert api.list_runs(file) == []
