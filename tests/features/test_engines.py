"""Every feature on every engine: run for real, or refused before anything is written."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mlkit import RunOptions, export, find_run, load_pipeline, run_on
from mlkit.core.record import RunRecord
from mlkit.engines.environments import engine_python, engine_version
from mlkit.engines.registry import ENGINES
from mlkit.errors import UnsupportedByEngineError
from mlkit.load.parameters import Layers
from tests.engines.argo_calls import in_a_process
from tests.engines.argo_workflow import Controller
from tests.engines.constructs import in_image
from tests.features.catalogue import (
    ENVIRON,
    FEATURES,
    PROFILE,
    Feature,
    given,
    with_needs,
    write_features,
)
from tests.features.outcomes import REFUSED, WRITTEN, outcomes, settle

R_IS_THERE = shutil.which("R") is not None or bool(os.environ.get("CI"))
"""In CI it is installed; elsewhere who has no R is not held to its row."""


def _layers(features: list[Feature], marker: Path) -> Layers:
    return Layers(environ=ENVIRON, values=given(features, marker))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_engine_does_not_take_is_refused_at_export(
    engine: str, jupyter: Path, tmp_path: Path
) -> None:
    """With the line of a stage of the feature, the fact and the remedy; the rest is exported."""
    options = RunOptions(profile=PROFILE)
    without_r = [feature for feature in FEATURES if "kernel: ir" not in feature.stages]
    taken = [feature for feature in without_r if engine not in feature.refused]
    file, layers = _written(tmp_path / "taken", taken, engine), _layers(taken, tmp_path / "marker")
    assert export(file, engine, layers=layers, options=options).entry
    found = {}
    for number, feature in enumerate(without_r):
        if feature in taken:
            continue
        file = _written(tmp_path / str(number), [feature], engine)
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


def _written(folder: Path, features: list[Feature], engine: str) -> Path:
    """A pipeline of some features; one that is only written is of pods, which ask for an image."""
    file = write_features(folder / "p", features)
    return in_image(file, engine) if engine in WRITTEN else file


def _line(file: Path, stage: str) -> int:
    return load_pipeline(file, profile=PROFILE).stages[stage].line


def _kept_version(engine: str) -> str | None:
    """The version that the engine's lock pins; None where the lock has no engine that runs."""
    if engine in WRITTEN:
        return None
    lock = Path(__file__).parents[2] / f"requirements-{engine}.lock"
    package = ENGINES[engine].package
    lines = lock.read_text(encoding="utf-8").splitlines()
    (pinned,) = [line for line in lines if line.startswith(f"{package}==")]
    return pinned.partition("==")[2].partition(" ")[0]


@pytest.mark.engine
@pytest.mark.slow  # CI's minutes hold the combined pipeline and flights on each engine
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
        record = self.ran(features, tmp_path)
        assert record.warnings == ()
        settle(self.engine, outcomes(features, record), self.version())

    def ran(self, features: list[Feature], folder: Path) -> RunRecord:
        """Run them as one pipeline."""
        return run_on(
            write_features(folder / "p", features),
            self.engine,
            layers=_layers(features, folder / "marker"),
            options=RunOptions(profile=PROFILE, workers=2),
        )

    def version(self) -> str | None:
        """The engine's own."""
        return engine_version(ENGINES[self.engine], engine_python(ENGINES[self.engine], os.environ))


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


@pytest.mark.slow
class TestArgo(FeaturesContract):
    """Exported, read as Argo's controller does, and carried out by processes in place of pods."""

    engine = "argo"

    def ran(self, features: list[Feature], folder: Path) -> RunRecord:
        """What stands in the Secret is what `${NAME}` finds."""
        made = export(
            _written(folder, features, self.engine),
            self.engine,
            layers=_layers(features, folder / "marker"),
            options=RunOptions(profile=PROFILE),
            runs_dir=folder / "runs",
        )
        controller = Controller(made.files[made.entry], folder / "pods", in_a_process, ENVIRON)
        assert controller.run(**{"run-id": "there"}) == "Failed"  # one of the features is a failure
        return find_run("there", folder / "runs")

    def version(self) -> None:
        """Nothing of Argo's own has run."""
