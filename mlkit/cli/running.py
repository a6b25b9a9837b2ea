"""What the commands that run pipelines have in common: progress, the end, the exit code."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.cli.output import print_json, say

if TYPE_CHECKING:
    from mlkit.core.events import Observer
    from mlkit.core.pipeline import Pipeline
    from mlkit.core.record import RunRecord
    from mlkit.driver.services import Services

__all__ = ["exit_code", "observed", "show_end"]

FAILED, SKIPPED, INTERRUPTED = 1, 99, 130


@contextlib.contextmanager
def observed() -> Iterator[Services]:
    """Show progress on stderr, and send spans where the environment asks for them."""
    from mlkit.driver.services import Services
    from mlkit.observe.console import console_for

    with console_for() as console:
        observers: list[Observer] = [console]
        if any(name.startswith("OTEL_") for name in os.environ):
            from mlkit.observe.telemetry import telemetry_from_environment

            spans = telemetry_from_environment(os.environ)
            observers += [] if spans is None else [spans]
        yield Services(observers=observers)


def show_end(
    record: RunRecord,
    pipeline: Pipeline,
    *,
    report: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Say how a run ended, and write its report if it was asked for.

    Parameters
    ----------
    record : RunRecord
        The run.
    pipeline : Pipeline
        Its pipeline.
    report : bool
        Write the HTML report.
    verbose : bool
        Show tracebacks.
    as_json : bool
        Print the record as JSON on stdout, and the text on stderr.
    """
    from mlkit.observe.summary import summary

    page = None
    if report:
        from mlkit.reports.html import write_report

        page = Path(record.runs_dir) / record.run_id / "report.html"
        write_report(record, page, pipeline=pipeline)
    if verbose:
        for stage in record.stages.values():
            if stage.error is not None and stage.error.traceback:
                say(f"\n{stage.id}:\n{stage.error.traceback}")
    text = summary(record, folder=Path.cwd(), report=page)
    if as_json:
        say(text)
        print_json(record.to_json())
    else:
        print_text(text)


def print_text(text: str) -> None:
    """Print text for people on stdout."""
    import typer

    typer.echo(text)


def exit_code(record: RunRecord, joined: str | None = None) -> int:
    """Give the exit code of a run; of one stage of it, if it joined a run."""
    from mlkit.core.states import RunStatus, Status

    if record.status is RunStatus.CANCELLED:
        return INTERRUPTED
    if joined is None:
        return 0 if record.ok else FAILED
    stages = [r for r in record.stages.values() if joined in (r.id, r.stage)]
    mapped_away = [r for r in record.stages.values() if r.id == joined.partition("[")[0]]
    statuses = {item.status for item in stages or mapped_away}
    if Status.CANCELLED in statuses:
        return INTERRUPTED
    if statuses & {Status.FAILED, Status.UPSTREAM_FAILED}:
        return FAILED
    return SKIPPED if statuses == {Status.SKIPPED} else 0
