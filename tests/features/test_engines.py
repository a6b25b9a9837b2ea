"""Every feature on every engine: run for real, or refused before anything is written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mlkit import RunOptions, export, load_pipeline, run_on
from mlkit.engines.environments import engine_python, engine_version
from mlkit.engines.registry import ENGINES
from mlkit.errors import UnsupportedByEngineError
from mlkit.load.parameters import Layers
from tests.features.catalogue import (
    ENVIRON,
    FEATURES,
    PROFILE,
    Feature,
    given,
    with_needs,
    write_features,
)
from tests.features.outcomes import REFUSED, outcomes, settle

R_IS_THERE = shutil.which("R") is not None or bool(os.environ.get("CI"))
"""In CI it is installed; elsewhere who has no R is not held to its row."""


def _layers(features: list[Feature], marker: Path) -> Layers:
    return Layers(environ=ENVIRON, values=given(features, marker))


@pytest.mark.parametrize("engine", [e.name for e in ENGINES.values() if not e.written_only])
def test_what_an_engine_does_not_take_is_refused_at_export(
    engine: str, jupyter: Path, tmp_path: Path
) -> None:
    """With the line of a stage of the feature, the fact and the remedy; the rest is exported."""
    options = RunOptions(profile=PROFILE)
    without_r = [feature for feature in FEATURES if "kernel: ir" not in feature.stages]
    taken = [feature for feature in without_r if engine not in feature.refused]
    file, layers = write_features(tmp_path / "taken", taken), _layers(taken, tmp_path / "marker")
    assert export(file, engine, layers=layers, options=options).entry
    found = {}
    for number, feature in enumerate(without_r):
        if feature in taken:
            continue
        file = write_features(tmp_path / str(number), [feature])
        layers = _layers(with_needs([feature]), tmp_path / "marker")
        with pytest.raises(UnsupportedByEngineError) as caught:
            export(file, engine, layers=layers, options=options)
        error = caught.value
        fact = error.message.removeprefix(f"{ENGINES[engine].title} cannot express stage ")
        name = fact.partition(":")[0].strip("'")
        assert (error.file, error.line) == (file.as_posix(), _line(file, name))
        assert name in {key.partition("[")[0] for key in feature.expects}
        assert feature.refused[engine] in fact
        assert error.remedy
        found[feature.name] = f"{REFUSED}{fact.partition(': ')[2]}. {error.remedy}"
    settle(engine, found, _kept_version(engine))


def _line(file: Path, stage: str) -> int:
    return load_pipeline(file, profile=PROFILE).stages[stage].line


def _kept_version(engine: str) -> str:
    """The version that the engine's lock pins."""
    lock = Path(__file__).parents[2] / f"requirements-{engine}.lock"
    package = ENGINES[engine].package
    lines = lock.read_text(encoding="utf-8").splitlines()
    (pinned,) = [line for line in lines if line.startswith(f"{package}==")]
    return pinned.partition("==")[2].partition(" ")[0]


@pytest.mark.engine
@pytest.mark.kernel
@pytest.mark.timeout(900)
class FeaturesContract:
    """What an engine takes, all of it as one pipeline: a start of an engine takes a while."""

    engine: str

    def test_every_feature(self, jupyter: Path, tmp_path: Path) -> None:
        """States, artifacts to the byte, attempts and errors are those that have to be."""
        features = [
            feature
            for feature in FEATURES
            if self.engine not in feature.refused
            and (R_IS_THERE or "kernel: ir" not in feature.stages)
        ]
        record = run_on(
            write_features(tmp_path / "p", features),
            self.engine,
            layers=_layers(features, tmp_path / "marker"),
            options=RunOptions(profile=PROFILE, workers=2),
        )
        version = engine_version(
            ENGINES[self.engine], engine_python(ENGINES[self.engine], os.environ)
        )
        assert record.warnings == ()
        settle(self.engine, outcomes(features, record), version)


class TestAirflow(FeaturesContract):
    """By `airflow dags test`."""

    engine = "airflow"


class TestKubeflow(FeaturesContract):
    """By kfp's local runner."""

    engine = "kubeflow"


class TestPrefect(FeaturesContract):
    """By Prefect's own server, started for the run."""

    engine = "prefect"


class TestDagster(FeaturesContract):
    """In one process of Dagster's."""

    engine = "dagster"


class TestStepFunctions(FeaturesContract):
    """By a LocalStack, started for the run."""

    engine = "stepfunctions"
