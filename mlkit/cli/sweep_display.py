"""A sweep in words, as `sweep`, `show` and `resume` tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from mlkit.cli.output import print_json, say
from mlkit.core.states import RunStatus
from mlkit.core.values import plain
from mlkit.observe.layout import columns, fits, paragraph, terminal_width
from mlkit.observe.signs import RUN_SIGNS
from mlkit.reports.metrics import columns_of_metrics, numbers_by_name, unmeasured
from mlkit.reports.run_table import NOTHING, number_text, value_text

if TYPE_CHECKING:
    from mlkit.api.sweeping import Member
    from mlkit.core.record import RunRecord
    from mlkit.store.sweeps import Sweep

__all__ = ["show_sweep", "sweep_code"]

MOST_METRICS = 6

Row = tuple[dict[str, Any], "RunRecord | None", dict[str, float]]


def show_sweep(
    found: Sweep, made: Sequence[Member], chosen: list[str] | None = None, *, as_json: bool
) -> None:
    """Show the runs of a sweep below each other, and how to go on where some are missing.

    Parameters
    ----------
    found : Sweep
        The sweep.
    made : sequence of Member
        Its combinations with their runs.
    chosen : list of str, optional
        The metrics that were asked for.
    as_json : bool
        Print a document on stdout.
    """
    rows: list[Row] = [
        (m.values, m.record, {} if m.record is None else numbers_by_name(m.record, chosen or ()))
        for m in made
    ]
    missing = [m for m in made if m.record is None or not m.record.ok]
    go_on = f"{len(missing)} of {len(made)} have not succeeded; to go on: mlkit resume {found.name}"
    if any(m.record is not None and m.record.status is RunStatus.RUNNING for m in made):
        go_on = f"sweep: {found.name}, under way: {len(missing)} of {len(made)} are to come"
    if as_json:
        print_json({"group": found.name, "runs": [_document(row) for row in rows]})
        if missing:
            say(go_on)
        return
    typer.echo(_table(rows, chosen))
    for sentence in unmeasured(chosen or (), [found for _, _, found in rows]):
        say(f"warning: {sentence}")
    typer.echo(go_on if missing else f"sweep: {found.name}")


def sweep_code(made: Sequence[Member]) -> int:
    """The exit code of a sweep: as that of a run, for all of its runs."""
    statuses = [None if m.record is None else m.record.status for m in made]
    if RunStatus.CANCELLED in statuses:
        return 130
    return 0 if set(statuses) <= {RunStatus.SUCCEEDED} else 1


def _document(row: Row) -> dict[str, Any]:
    values, record, metrics = row
    return {
        "run_id": None if record is None else record.run_id,
        "labels": [] if record is None else list(record.labels),
        "parameters": plain(values),
        "status": "to_come" if record is None else record.status.value,
        "seconds": None if record is None else round(record.seconds, 3),
        "metrics": metrics,
    }


def _table(rows: Sequence[Row], chosen: list[str] | None) -> str:
    """Runs below each other; of the metrics, those asked for or the first that differ and fit."""
    every = list(dict.fromkeys(name for _, _, found in rows for name in found))
    differing = [n for n in every if len({found.get(n) for _, _, found in rows}) > 1]
    metrics = columns_of_metrics(chosen or (), [found for _, _, found in rows])
    metrics = metrics or (differing or every)[:MOST_METRICS]
    width = terminal_width()
    while True:
        head, body = _cells(rows, metrics)
        if chosen or len(metrics) <= 1 or fits([head, *body], width, whole=(0,)):
            break
        metrics = metrics[:-1]
    text = columns(body, width, head=head, whole=(0,))
    others = [name for name in differing or every if name not in metrics]
    return text if chosen or not others else f"{text}\n{_hint(others, width)}"


def _cells(rows: Sequence[Row], metrics: list[str]) -> tuple[list[str], list[list[str]]]:
    names = list(dict.fromkeys(name for values, _, _ in rows for name in values))
    body = [
        _told(record)
        + [value_text(values[name]) if name in values else NOTHING for name in names]
        + [number_text(found[name]) if name in found else NOTHING for name in metrics]
        for values, record, found in rows
    ]
    return ["RUN", "STATE", *names, *metrics], body


def _told(record: RunRecord | None) -> list[str]:
    """The run by its name, if it has one, and how it ended."""
    if record is None:
        return [NOTHING, "to come"]
    return [record.labels[0] if record.labels else record.run_id, str(RUN_SIGNS[record.status])]


def _hint(others: list[str], width: int) -> str:
    named = others[:MOST_METRICS]
    more = f" and {len(others) - len(named)} more" if len(others) > len(named) else ""
    return paragraph(f"Also measured (--metric NAME): {', '.join(named)}{more}", width)
