"""Run a pipeline without kernels and without waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlkit.api.local_run import run
from mlkit.core.events import Observer
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.driver.notifying import Notifier
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import NotebookRunner
from mlkit.testing.fake_clock import FakeClock, InlineExecutor
from mlkit.testing.recording import RecordingNotifier
from mlkit.testing.runner import FakeRunner

__all__ = ["fake_services", "run_fake"]


def fake_services(
    *,
    runner: NotebookRunner | None = None,
    clock: FakeClock | None = None,
    notifier: Notifier | None = None,
    observers: Sequence[Observer] = (),
) -> Services:
    """The driver's surroundings without kernels, threads, waiting, messages or an environment."""
    return Services(
        clock=clock or FakeClock(),
        notifier=notifier or RecordingNotifier(),
        observers=observers,
        runner=runner or FakeRunner(),
        executor=lambda workers: InlineExecutor(),
        environ={},
    )


def run_fake(
    pipeline: Pipeline | Path | str,
    *,
    runner: NotebookRunner | None = None,
    clock: FakeClock | None = None,
    notifier: Notifier | None = None,
    observers: Sequence[Observer] = (),
    parameters: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    runs_dir: Path | str | None = None,
    **options: Any,
) -> RunRecord:
    """Run a pipeline in this process, on a clock that jumps; by default nothing leaves it.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    runner : NotebookRunner, optional
        Executes notebooks; by default a `FakeRunner`, which runs the code cells with `exec`.
    clock : FakeClock, optional
        Time.
    notifier : Notifier, optional
        Takes messages; by default a `RecordingNotifier`.
    observers : sequence of callable
        Are told of every event.
    parameters : mapping, optional
        Values for `NAME` or `STAGE.NAME`.
    environ : mapping of str to str, optional
        The environment, for `${NAME}` and `MLKIT_PARAM_NAME`; by default it is empty.
    runs_dir : Path or str, optional
        The runs folder.
    **options : object
        The fields of `mlkit.RunOptions`, such as `only`, `until`, `force` and `verify`.

    Returns
    -------
    RunRecord
        How it went.
    """
    return run(
        pipeline,
        parameters=parameters,
        runs_dir=runs_dir,
        layers=Layers(environ=environ or {}),
        options=RunOptions(**options),
        services=fake_services(runner=runner, clock=clock, notifier=notifier, observers=observers),
    )
