"""Run features, or resume their run, in a process that ends itself without warning."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from mlkit import RunOptions, Services, list_runs, resume, run
from mlkit.core.events import Event, EventKind
from mlkit.load.parameters import Layers
from tests.features.catalogue import ENVIRON, FEATURES, PROFILE, given


class KillsItself:
    """Is told of every event, and sends SIGKILL to its own process at one of them.

    Parameters
    ----------
    instance : str
        The one after whose end it does so.
    """

    def __init__(self, instance: str) -> None:
        self.instance = instance

    def __call__(self, event: Event) -> None:
        """Wait for that end."""
        if event.kind is EventKind.STAGE_FINISHED and event.stage == self.instance:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Take the pipeline, the instance after whose end to be killed, and the features."""
    file, instance = Path(sys.argv[1]), sys.argv[2]
    names = set(sys.argv[3:])
    runs = file.parent / "runs"
    services = Services(observers=[KillsItself(instance)])
    # One at a time, so that the order is the same each time; the last part may be quick.
    workers = 1 if instance else 2
    for record in list_runs(runs):
        resume(
            record.run_id, file, runs_dir=runs, services=services, environ=ENVIRON, workers=workers
        )
        return
    values = given([f for f in FEATURES if f.name in names], file.parent / "marker")
    layers = Layers(environ=ENVIRON, values=values)
    run(
        file,
        layers=layers,
        runs_dir=runs,
        options=RunOptions(profile=PROFILE, workers=workers),
        services=services,
    )


if __name__ == "__main__":
    main()
