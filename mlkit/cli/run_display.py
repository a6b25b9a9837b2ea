"""What the commands that run pipelines have in common: progress, the end, the exit code."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.core.events import Observer
from mlkit.core.instances import is_named
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.core.values import safe_name
from mlkit.observe.layout import terminal_width
from mlkit.observe.run_summary import summary
from mlkit.observe.terminal import console_for
from mlkit.store.remote.places import remotes_of

__all__ = ["end_text", "exit_code", "observed", "observed_aside", "show_end"]

FAILED, SKIPPED, INTERRUPTED = 1, 99, 130


@contextlib.contextmanager
def observed() -> Iterator[api.Services]:
    """Show progress on stderr, and send spans where the environment asks for them."""
    with console_for() as console:
        yield api.Services(observers=[console, *_spans()])


def observed_aside() -> contextlib.AbstractContextManager[api.Services]:
    """Send spans only: several runs at once share the screen, where their caller tells of them."""
    return contextlib.nullcontext(api.Services(observers=_spans()))


def _spans() -> list[Observer]:
    if not any(name.startswith("OTEL_") for name in os.environ):
        return []
    # Most runs send no spans.
    from mlkit.observe.telemetry import telemetry_from_environment

    spans = telemetry_from_environment(os.environ)
    return [] if spans is None else [spans]


def show_end(
    record: RunRecord,
    pipeline: Pipeline,
    *,
    report: bool,
    verbose: bool,
    as_json: bool,
    joined: str | None = None,
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
    joined : str, optional
        The stage or instance that was run within a run of others: only that one is told.
    """
    text = end_text(record, pipeline, report=report, verbose=verbose, joined=joined)
    if as_json:
        say(text)
        told = record if joined is None else _only(record, joined)
        if joined is None:
            print_json(api.with_kept(told, told.to_json()))
        else:
            print_json(_task_document(told, pipeline))
    else:
        typer.echo(text)


def end_text(
    record: RunRecord,
    pipeline: Pipeline,
    *,
    report: bool,
    verbose: bool,
    joined: str | None = None,
) -> str:
    """Give the text that says how a run ended, its report written if it was asked for."""
    page = None
    if report:
        page = Path(record.runs_dir) / record.run_id / "report.html"
        api.write_report(record, page, pipeline=pipeline)
        api.send_report(record, page)
    if verbose:
        for stage in record.stages.values():
            if stage.error is not None and stage.error.traceback:
                say(f"\n{stage.id}:\n{stage.error.traceback}")
    if joined is not None:
        return _task_text(_only(record, joined))
    return summary(
        record,
        folder=Path.cwd(),
        report=page,
        latest=api.latest_words(record),
        kept=api.kept_clocks(record),
        width=terminal_width(),
    )


def _only(record: RunRecord, joined: str) -> RunRecord:
    """The part of a joined run's record that one task has run, with that part's status."""
    stages = {k: item for k, item in record.stages.items() if is_named(joined, k)}
    found = {item.status for item in stages.values()}
    status = RunStatus.SUCCEEDED
    if found & {Status.FAILED, Status.UPSTREAM_FAILED}:
        status = RunStatus.FAILED
    if Status.CANCELLED in found:
        status = RunStatus.CANCELLED
    times = [item.started for item in stages.values() if item.started is not None]
    ends = [item.ended for item in stages.values() if item.ended is not None]
    return replace(
        record,
        stages=stages,
        status=status,
        started=min(times, default=record.started),
        ended=max(ends, default=record.ended or record.started),
    )


def _task_document(record: RunRecord, pipeline: Pipeline) -> dict[str, Any]:
    """The document of a task: a failure says whether the stage's policy would try again.

    What has had an attempt says where people find its notebook and its log.
    """
    document = record.to_json()
    url = remotes_of(Path(record.runs_dir)).runs
    for key, item in record.stages.items():
        if item.history:
            place = f"{url or record.runs_dir}/{record.run_id}/{safe_name(key)}"
            attempt = f"{place}/attempts/{item.attempts}"
            document["stages"][key]["notebook"] = f"{attempt}/notebook.ipynb"
            document["stages"][key]["log"] = f"{attempt}/log.txt"
        if item.error is not None:
            retry = pipeline.stages[item.stage].retry
            document["stages"][key]["error"]["retryable"] = api.may_retry(item, retry)
    return document


def _task_text(record: RunRecord) -> str:
    """One line for each instance that a task has run."""
    return "\n".join(
        f"{item.id} {item.status.value} in run {record.run_id}"
        + (f": {item.error.type}: {item.error.message}" if item.error else "")
        for item in record.stages.values()
    )


def exit_code(record: RunRecord, joined: str | None = None) -> int:
    """Give the exit code of a run; of one stage of it, if it joined a run."""
    if joined is None:
        ended_otherwise = INTERRUPTED if record.status is RunStatus.CANCELLED else FAILED
        return 0 if record.ok else ended_otherwise
    statuses = {r.status for r in record.stages.values() if is_named(joined, r.id)}
    if Status.CANCELLED in statuses:
        return INTERRUPTED
    if statuses & {Status.FAILED, Status.UPSTREAM_FAILED}:
        return FAILED
    return SKIPPED if statuses == {Status.SKIPPED} else 0
