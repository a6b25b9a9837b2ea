"""Backfill four months on a runs folder behind a URL, as one of several machines."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from pathlib import Path

from mlkit import load_pipeline
from mlkit.api.filling import Filling, fill, plan_backfill
from mlkit.api.runs_place import runs_folder
from mlkit.api.scheduling import read_schedule, read_span
from mlkit.driver.options import RunOptions
from mlkit.load.parameters import Layers
from mlkit.store.remote import leases
from mlkit.testing.running import fake_services


def main() -> None:
    """Go over the months until each has its run; print what was made of them, and by whom."""
    file, url = sys.argv[1:]
    leases.EVERY_S, leases.DEAD_AFTER_S = 0.5, 10.0  # a busy machine may stop one for seconds
    pipeline = load_pipeline(Path(file))
    filling = Filling(
        pipeline=pipeline,
        layers=Layers(),
        options=RunOptions(),
        runs_dir=runs_folder(pipeline, url),
    )
    span = read_span("2013-01-01", "2013-04-30", dt.UTC)
    made: list[tuple[str, str]] = []
    while True:
        plans, _ = plan_backfill(filling, read_schedule(pipeline), span)
        if all(planned.action == "keep" for planned in plans):
            break
        for planned in plans:
            done = fill(filling, planned, fake_services())
            if done.status != "left_out":
                made.append((f"{planned.interval.start:%m}", done.status))
        time.sleep(0.2)
    sys.stdout.write(json.dumps(made))


if __name__ == "__main__":
    main()
