"""Every feature, run, resumed, planned, reported and carried out by Dask on this machine."""

from __future__ import annotations

import html
import re
import signal
import subprocess
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pytest

from mlkit import RunOptions, Services, find_run, list_runs, load_pipeline, plan, run
from mlkit.core.events import Event, EventKind
from mlkit.core.graph import edges, topological_order
from mlkit.core.record import RunRecord
from mlkit.core.states import SUCCESSFUL, RunStatus, Status
from mlkit.load.parameters import Layers
from mlkit.reports.html import render_report
from tests.dask_cluster import cluster
from tests.features.catalogue import (
    ENVIRON,
    FEATURES,
    PROFILE,
    SECRET,
    Feature,
    given,
    write_features,
)
from tests.features.outcomes import SAME, outcomes, settle

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
WITH_R = [feature for feature in FEATURES if "kernel: ir" in feature.stages]
WITHOUT_R = [feature for feature in FEATURES if feature not in WITH_R]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """Features that were run from the first to the last, and what `plan` had said before."""

    features: Sequence[Feature]
    file: Path
    record: RunRecord
    before: Mapping[str, str]

    def layers(self, marker: Path | None = None) -> Layers:
        """What is given beside the file."""
        values = given(self.features, marker or self.file.parent / "marker")
        return Layers(environ=ENVIRON, values=values)

    def write(self, folder: Path, *, interleaved: bool = False) -> Path:
        """Write the same features elsewhere."""
        return write_features(folder, self.features, interleaved=interleaved)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(WITHOUT_R, id="all-but-R"),
        pytest.param(WITH_R, id="R", marks=pytest.mark.r),
    ],
)
def ran(
    request: pytest.FixtureRequest, jupyter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """Run them once; everything else is held against it."""
    features: list[Feature] = request.param
    file = write_features(tmp_path_factory.mktemp("features") / "p", features)
    values = given(features, file.parent / "marker")
    layers = Layers(environ=ENVIRON, values=values)
    options = RunOptions(profile=PROFILE, workers=2)
    before = {key: item.action for key, item in plan(file, layers=layers, options=options).items()}
    record = run(file, layers=layers, options=options)
    return Ran(features=features, file=file, record=record, before=before)


def test_run(ran: Ran) -> None:
    """Each stage ends as it has to, with the artifacts that it has to make; no secret is kept."""
    settle("run", outcomes(ran.features, ran.record))
    kept = [path for path in Path(ran.record.runs_dir).rglob("*") if path.is_file()]
    assert len(kept) > len(ran.record.stages)
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []


def test_plan(ran: Ran) -> None:
    """Before a run nothing is reused; afterwards it says of each instance what a run then does."""
    options = RunOptions(profile=PROFILE, workers=2)
    said = plan(ran.file, layers=ran.layers(), options=options)
    again = run(ran.file, layers=ran.layers(), options=options)
    found = outcomes(ran.features, again, reference=ran.record, undisturbed=False)
    for feature in ran.features:
        for key in feature.expects:
            did = again.stages[key].status
            forecast = said[key].action if key in said else "nothing"
            wanted = "reuse" if did is Status.CACHED else "run"
            if key in feature.undecided or (key in said and said[key].skipped):
                wanted = "unknown"
            if forecast != wanted:
                found[feature.name] = f"{key}: {forecast}, and then it was {did}"
            elif not (said[key].reasons or said[key].waits):
                found[feature.name] = f"{key}: {forecast} without a reason"
            if ran.before.get(key, "run") == "reuse":
                found[feature.name] = f"{key}: reused before it had ever run"
    settle("plan", found)


def test_report(ran: Ran) -> None:
    """Each instance stands there with its state and its digests, and what a feature has to show."""
    page = html.unescape(render_report(ran.record, pipeline=load_pipeline(ran.file)))
    rows = {
        re.sub("<[^>]*>", "", row[2]): (row[1], row[3])
        for row in re.finditer(
            r'<tr class="state-(\w+)">\n<th scope="row">(.*?)</th>(.*?)</tr>', page, re.DOTALL
        )
    }
    found = {}
    for feature in ran.features:
        missing = [text for text in feature.shown if text not in page]
        for key, expected in feature.expects.items():
            state, cells = rows[key]
            artifacts = ran.record.stages[key].artifacts
            wanted = [artifact.digest[:10] for artifact in artifacts.values()]
            missing += [text for text in wanted if text not in cells]
            missing += [] if state == expected.status.value else [f"{key} {expected.status.value}"]
        found[feature.name] = f"the report lacks {missing}" if missing else SAME
    settle("report", found)


KILLED_AFTER = ("part[a]", "chain-2[p]", "link-1[u]", "secret", "r")
"""Instances after whose end a run is killed; every feature is half done at one of these times."""


def test_resume(ran: Ran, tmp_path: Path) -> None:
    """Killed again and again, with each feature half done, a run ends as if nothing had been.

    What had ended is not run again. The stages stand in another order, which changes no result.
    """
    file = ran.write(tmp_path / "p", interleaved=True)
    cut: set[str] = set()
    kept: dict[str, object] = {}
    for key in (key for key in KILLED_AFTER if key in ran.record.stages):
        assert _drive(file, key, ran.features) == -signal.SIGKILL
        (record,) = list_runs(file.parent / "runs")
        assert record.status is RunStatus.KILLED
        done = {k: item for k, item in record.stages.items() if item.status in SUCCESSFUL}
        assert {key: done[key].history for key in kept} == kept
        kept = {key: item.history for key, item in done.items()}
        failed = {k for k, item in record.stages.items() if item.status is Status.FAILED}
        cut |= {item.name for item in ran.features if _is_half_done(item, {*kept, *failed})}
    tried = {feature.name for feature in ran.features if len(_own(feature)) > 1}
    assert tried - cut == set(), sorted(tried - cut)
    assert _drive(file, "", ran.features) == 0
    record = find_run(record.run_id, file.parent / "runs", files=True)
    assert {key: record.stages[key].history for key in kept} == kept
    found = outcomes(ran.features, record, reference=ran.record, undisturbed=False)
    settle("resume", found)


def _own(feature: Feature) -> set[str]:
    """The instances that execute a notebook; the others end with what they stand behind."""
    behind = (Status.UPSTREAM_FAILED, Status.SKIPPED)
    return {key for key, item in feature.expects.items() if item.status not in behind}


def _is_half_done(feature: Feature, ended: Container[str]) -> bool:
    return len({key in ended for key in _own(feature)}) == 2


def _drive(file: Path, key: str, features: Sequence[Feature]) -> int:
    """Run or resume in a process of its own that is killed when an instance has ended."""
    words = [sys.executable, "-m", "tests.features.killed_driver", str(file), key]
    names = [feature.name for feature in features]
    return subprocess.run([*words, *names], cwd=ROOT, check=False).returncode


def test_dask(ran: Ran, tmp_path: Path) -> None:
    """Attempts on the workers of a cluster make what they make here."""
    file = ran.write(tmp_path / "p")
    with cluster(tmp_path / "cluster") as dask:
        options = RunOptions(profile=PROFILE, executor=dask.executor)
        record = run(file, layers=ran.layers(tmp_path / "marker"), options=options)
    settle("dask", outcomes(ran.features, record, reference=ran.record), version("distributed"))


PIECEMEAL = (
    "outputs that are missing",
    "chained maps (`collect[month].parts`)",
    "maps chained over a JSON list",
)


def test_stage_by_stage(ran: Ran, tmp_path: Path) -> None:
    """One call for each instance, as an engine's tasks make it, makes what a whole run makes.

    Engines do that with the features that they take; here are those that some of them refuse.
    """
    features = [item for item in ran.features if item.name in PIECEMEAL] or ran.features
    file = write_features(tmp_path / "p", features)
    layers = Layers(environ=ENVIRON)
    for name in topological_order(edges(load_pipeline(file, profile=PROFILE))):
        for key in [key for key, item in ran.record.stages.items() if item.stage == name]:
            options = RunOptions(profile=PROFILE, only=key, run_id="piecemeal")
            record = run(file, layers=layers, options=options)
    found = outcomes(features, record, reference=ran.record)
    assert {name: text for name, text in found.items() if text != SAME} == {}


@pytest.mark.sandbox
def test_dask_through_a_store(jupyter: Path, tmp_path: Path) -> None:
    """Workers that do not see the runs folder make the same; what is there is not sent again.

    Of the folders of several instances one file is equal: what stands in the store after the first
    of them is what stands there at the end.
    """
    names = ("folders", "outputs", "chained maps", "the executed notebook")
    features = [feature for feature in FEATURES if feature.name.startswith(names)]
    file = write_features(tmp_path / "p", features)
    hidden, store = tmp_path / "hidden" / "runs", tmp_path / "store"
    hidden.mkdir(parents=True)
    wrapper = tmp_path / "apart"
    wrapper.write_text(
        f'#!/bin/sh\nexec bwrap --dev-bind / / --tmpfs {hidden.parent} {sys.executable} "$@"\n'
    )
    wrapper.chmod(0o755)
    shared = sha256(b"the same everywhere").hexdigest()
    seen: list[int] = []

    def look(event: Event) -> None:
        if event.kind is EventKind.STAGE_FINISHED:
            seen.extend(path.stat().st_ino for path in store.rglob(f"*{shared[2:]}"))

    with cluster(tmp_path / "cluster", python=str(wrapper)) as dask:
        options = RunOptions(profile=PROFILE, executor=dask.executor, store=f"file://{store}")
        services = Services(observers=[look])
        layers = Layers(environ=ENVIRON)
        record = run(file, layers=layers, options=options, runs_dir=hidden, services=services)
    assert outcomes(features, record) == dict.fromkeys((item.name for item in features), SAME)
    assert len(seen) > 5
    assert len(set(seen)) == 1
