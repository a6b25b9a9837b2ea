"""What is imported ahead for a run: for one stage of many, what this one needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mlkit import RunOptions, run
from mlkit.load.parameters import Layers
from mlkit.notebook.kernels.kernel_supply import ForkKernels
from mlkit.testing import Sketch, write_pipeline
from tests.lasting_zygotes import lasting_zygotes

pytestmark = pytest.mark.kernel


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The names of the modules that kernels were told to import ahead, as they are told."""
    told: list[tuple[str, ...]] = []
    preload = ForkKernels.preload

    def listening(kernels: ForkKernels, names: Sequence[str]) -> None:
        told.append(tuple(names))
        preload(kernels, names)

    monkeypatch.setattr(ForkKernels, "preload", listening)
    return told


@pytest.fixture
def zygotes_stay() -> Iterator[None]:
    """Zygotes of these runs may outlive them; none outlives the test."""
    with lasting_zygotes():
        yield


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """Three stages that import different packages."""
    write = "\nopen(out, 'w').write('x')"
    return write_pipeline(
        tmp_path,
        Sketch(name="first", body="import numpy" + write),
        Sketch(name="middle", body="import yaml" + write, upstream=("first",)),
        Sketch(name="last", body="import joblib" + write, upstream=("middle",)),
    )


def test_a_run_of_some_stages_imports_ahead_what_they_import(
    pipeline: Path, ahead: list[tuple[str, ...]]
) -> None:
    """What nobody is going to use takes seconds, and an orchestrator would pay them per task."""
    assert run(pipeline, layers=Layers(), options=RunOptions(until="middle")).ok
    assert run(pipeline, layers=Layers(), options=RunOptions(only="last")).ok
    assert ahead == [("numpy", "yaml"), ("joblib",)]


@pytest.mark.usefixtures("zygotes_stay")
def test_where_a_zygote_stays_it_serves_every_stage(
    pipeline: Path, ahead: list[tuple[str, ...]]
) -> None:
    """The next stage finds what the one before it has left."""
    for stage in ("first", "middle", "last"):
        assert run(pipeline, layers=Layers(), options=RunOptions(only=stage)).ok
    assert ahead == [("joblib", "numpy", "yaml")] * 3
