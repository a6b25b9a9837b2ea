"""Engines that are missing fail their tests with what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlkit import run
from mlkit.engines.environments import find_python
from mlkit.engines.registry import ENGINES
from mlkit.engines.stepfunctions.localstack import localstack
from mlkit.load.parameters import Layers
from mlkit.testing.engines import digests, statuses
from tests.engines.flights import FLIGHTS, SMALL, FlightsHere, reran
from tests.lasting_zygotes import lasting_zygotes


@pytest.fixture(scope="session", autouse=True)
def _zygotes_stay(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where engines alone are tested, their tasks fork from what earlier ones left, as at a desk.

    Each task is a process of its own: importing everything anew took most of the suite's minutes.
    """
    if not all(item.get_closest_marker("engine") for item in request.session.items):
        yield
        return
    with lasting_zygotes():
        yield


@pytest.fixture(autouse=True)
def _engine_is_there(request: pytest.FixtureRequest) -> None:
    """A test of an engine needs that engine's environment; it is never passed over."""
    name = getattr(request.cls, "engine", None)
    if name is not None and find_python(ENGINES[name], os.environ) is None:
        pytest.fail(f"{ENGINES[name].title} is not there: run 'make engines'")


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder in whose registry an earlier run of flights has put a model."""
    folder = tmp_path_factory.mktemp("champion") / "runs"
    given = {"rows": 1500, "months": [1], "seed": 7, "tune.n_candidates": 2}
    record = run(FLIGHTS, layers=Layers(environ={}, values=given), runs_dir=folder)
    assert record.ok
    return folder


@pytest.fixture(scope="session")
def flights_here(champion: Path, tmp_path_factory: pytest.TempPathFactory) -> FlightsHere:
    """What every engine is compared with, run twice beside a copy of that registry."""
    folder = tmp_path_factory.mktemp("flights") / "here"
    shutil.copytree(champion, folder, symlinks=True)
    layers = Layers(environ={}, values=SMALL)
    first, second = (run(FLIGHTS, layers=layers, runs_dir=folder) for _ in range(2))
    assert first.ok
    return FlightsHere(statuses=statuses(first), digests=digests(first), reran=reran(second))


@pytest.fixture(scope="session")
def stepfunctions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a LocalStack that all tests of a process share."""
    with localstack(tmp_path_factory.mktemp("localstack")) as server:
        yield server.wait().url
