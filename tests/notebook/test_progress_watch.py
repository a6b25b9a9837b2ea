"""How far the work of an attempt has come, looked at from outside."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

import mlkit
from mlkit.core.progress import Bar
from mlkit.core.scrubbing import Scrubber
from mlkit.driver.logged import read_logged
from mlkit.inside.measuring import METRICS_VARIABLE, logged_to
from mlkit.notebook.progress_watch import ProgressWatch
from tests.notebook.conftest import Bench

TQDM = """import time
from tqdm import tqdm
for n in tqdm(range(16), desc="fit"):
    time.sleep(0.12)"""
OWN = """import mlkit
for n in mlkit.progress(list(range(16)), label="batch"):
    mlkit.log_metric("loss", 1 / (n + 1), step=n)
    time.sleep(0.12)"""


class Seconds:
    """A clock that goes on when it is told."""

    now = 0.0

    def __call__(self) -> float:
        """The present time."""
        return self.now


@pytest.fixture
def clock() -> Seconds:
    """At zero."""
    return Seconds()


@pytest.fixture
def watch(tmp_path: Path, clock: Seconds) -> ProgressWatch:
    """Of an attempt that begins."""
    return ProgressWatch(tmp_path / "metrics.jsonl", Scrubber(), clock)


def test_news_are_few_however_much_is_drawn(watch: ProgressWatch, clock: Seconds) -> None:
    """At most one a second, and of a long attempt some hundreds."""
    told = []
    for tick in range(20 * 3600):
        clock.now = tick / 5
        watch.heard(f"\r{tick % 100}%|x| {tick}/99999 [")
        if (found := watch.look({})) is not None:
            told.append((clock.now, found[0]))
    times = [at for at, _ in told]
    assert all(later - at >= 1 for at, later in itertools.pairwise(times))
    assert 300 < len(told) < 1500
    assert told[0][0] >= 1
    assert watch.look({}) is None, "nothing is new"


def test_what_is_logged_is_read_on_as_far_as_it_stands_there(
    watch: ProgressWatch, clock: Seconds, tmp_path: Path
) -> None:
    """The last point of each metric; half a line waits for its end, and nonsense for nobody."""
    file = tmp_path / "metrics.jsonl"
    with logged_to(str(file)):
        for step in range(3):
            mlkit.log_metric("loss", 1 / (step + 1))
        bar = mlkit.progress(8, label="epoch")
        bar.advance(3)
        bar.close()
    with file.open("a") as more:
        more.write('nonsense\n{"name": "torn", "val')
    clock.now = 2
    assert watch.look({}) == (Bar(done=3, total=8, label="epoch"), {"loss": (2.0, 1 / 3)})
    with file.open("a") as more:
        more.write('ue": 1}\n')
    clock.now = 4
    assert watch.look({}) == (None, {"torn": (0.0, 1.0)})
    watch.begin_cell()
    clock.now = 6
    assert watch.look({}) is None
    assert set(read_logged(file).metrics) == {"loss", "torn"}
    assert read_logged(file).wrong == 1, "progress is no mistake"


def test_a_bar_in_a_notebook_is_a_widget(watch: ProgressWatch, clock: Seconds) -> None:
    """The last one that is under way."""
    made: dict[str, object] = {"_model_name": "FloatProgressModel", "max": 9.0, "value": 9.0}
    going = {**made, "value": 4.0, "description": "rows"}
    widgets: dict[str, dict[str, object]] = {"a": made, "b": going, "c": {"value": 1}}
    clock.now = 2
    assert watch.look(widgets) == (Bar(done=4, total=9, label="rows"), {})


@pytest.mark.kernel
def test_progress_is_told_while_a_cell_runs(forked: Bench) -> None:
    """Tqdm's bar, mlkit's own and a metric; the executed notebook knows nothing of the latter."""
    file = forked.folder / "metrics.jsonl"
    outcome = forked.run(TQDM, OWN, env={METRICS_VARIABLE: str(file)})
    assert outcome.result.error is None
    starts = [one.line for one in outcome.news if one.is_start]
    assert starts == ["import time", "import mlkit"]
    bars = [(one.cell, replace(one.bar, done=0)) for one in outcome.news if one.bar is not None]
    assert (1, Bar(done=0, total=16, label="fit")) in bars
    assert (2, Bar(done=0, total=16, label="batch")) in bars
    assert any("loss" in one.points for one in outcome.news if one.cell == 2)
    assert outcome.notebook["cells"][1]["outputs"] == []
    assert len(json.dumps(outcome.notebook)) < 10_000
