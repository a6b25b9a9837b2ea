"""Executors are found by name; what keeps one from working is said before anything runs."""

from __future__ import annotations

import platform
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlkit import __version__
from mlkit.driver.executors import Site, open_executor
from mlkit.driver.executors.dask_cluster import Crew, verdict
from mlkit.driver.executors.dask_task import Sight
from mlkit.driver.executors.threads import ThreadsExecutor
from mlkit.engines.local_server import free_port
from mlkit.errors import UsageError
from mlkit.testing import chain, run_fake

SIGHT = Sight(
    python=platform.python_version(), mlkit=__version__, sees_runs=True, sees_pipeline=True
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A runs folder, without a store."""
    return Site(runs_dir=tmp_path, pipeline_folder=tmp_path)


def test_threads_are_the_default(site: Site) -> None:
    """They take no address."""
    assert isinstance(open_executor("threads", site), ThreadsExecutor)
    with pytest.raises(UsageError, match="threads take no address"):
        open_executor("threads://somewhere", site)


def test_an_unknown_executor_is_named_and_nothing_runs(tmp_path: Path) -> None:
    """With what was probably meant; no run is left behind."""
    file = chain(tmp_path, 1)
    with pytest.raises(UsageError, match=r"no executor 'dsk://x:1'. Did you mean 'dask'"):
        run_fake(file, executor="dsk://x:1")
    assert not list((tmp_path / "runs").glob("*/run.json"))


def test_a_scheduler_that_does_not_answer_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within seconds, with how one is started."""
    from mlkit.driver.executors import dask_cluster

    monkeypatch.setattr(dask_cluster, "ANSWER_WITHIN_S", 1)
    began = time.monotonic()
    with pytest.raises(UsageError, match="Start one with 'dask scheduler'"):
        open_executor(f"dask://127.0.0.1:{free_port()}", site)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("sight", "fact"),
    [
        (replace(SIGHT, sees_runs=False), "does not see the runs folder"),
        (replace(SIGHT, sees_pipeline=False), "does not see the pipeline's folder"),
        (replace(SIGHT, python="3.0.1"), "on Python 3.0.1, here is mlkit"),
        (replace(SIGHT, mlkit="9.9"), "has mlkit 9.9"),
        (ModuleNotFoundError("No module named 'mlkit'"), "Install the same mlkit"),
    ],
)
def test_a_worker_that_cannot_do_the_work_is_named(sight: object, fact: str, site: Site) -> None:
    """Which one, what it lacks, and what to do."""
    with pytest.raises(UsageError) as caught:
        verdict({"tcp://good:1": SIGHT, "tcp://bad:2": sight}, site)
    assert fact in str(caught.value)
    assert "tcp://bad:2" in str(caught.value)


def test_a_store_stands_in_for_a_shared_folder(site: Site) -> None:
    """Workers that do not see the runs folder fetch and send by digest."""
    apart = replace(SIGHT, sees_runs=False)
    with_store = replace(site, store_url="s3://b/s")
    assert verdict({"w": SIGHT}, site)
    assert not verdict({"w": SIGHT, "v": apart}, with_store)
    with pytest.raises(UsageError, match="has no worker"):
        verdict({}, site)


class DyingCluster:
    """A cluster of two workers, one of which dies over the first question."""

    scheduler = SimpleNamespace(identity=None)

    def run(self, *_: object, **__: object) -> dict[str, object]:
        """What each worker answers."""
        gone = type("CommClosedError", (OSError,), {})
        return {"tcp://good:1": SIGHT, "tcp://gone:2": gone("Stream is closed")}

    def sync(self, *_: object, **__: object) -> dict[str, object]:
        """The workers as the scheduler knows them: it may not have noticed yet."""
        return {"workers": {"tcp://good:1": {"nthreads": 3}, "tcp://gone:2": {"nthreads": 1}}}


def test_a_worker_that_dies_over_the_question_is_none(site: Site) -> None:
    """It was not too poor to work, so the run begins with the others."""
    crew = Crew(DyingCluster(), site)
    assert (crew.fit, crew.refused) == ({"tcp://good:1": 3}, {})
    assert crew.is_shared
    assert list(site.runs_dir.iterdir()) == []
