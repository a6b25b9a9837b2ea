"""A sweep in words, as `sweep`, `show` and `resume` tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.core.run_row import RunRow
from mlkit.core.states import RunStatus
from mlkit.core.values import plain
from mlkit.observe.layout import paragraph, terminal_width
from mlkit.reports.metrics import number_of, numbers_by_name
from mlkit.reports.run_table import RunTable, number_text, value_text

if TYPE_CHECKING:
    from mlkit.api.sweeping import Member
    from mlkit.core.record import RunRecord
    from mlkit.store.sweeps import Sweep

__all__ = ["show_sweep", "sweep_code"]


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
    missing = found.size - sum(member.ok or bool(member.stopped) for member in made)
    go_on = f"{missing} of {found.size} have not succeeded; to go on: mlkit resume {found.name}"
    if any(m.record is not None and m.record.status is RunStatus.RUNNING for m in made):
        go_on = f"sweep: {found.name}, under way: {missing} of {found.size} are to come"
    if as_json:
        print_json(
            {
                "group": found.name,
                **_searched(found, made),
                "runs": [_document(found, member, chosen) for member in made],
            }
        )
        if missing:
            say(go_on)
        return
    typer.echo(_table(found, made, chosen or ()))
    if (best := _best(found, made)) is not None:
        typer.echo(paragraph(best, terminal_width()))
    typer.echo(go_on if missing else f"sweep: {found.name}")


def sweep_code(made: Sequence[Member]) -> int:
    """The exit code of a sweep: as that of a run, for all of its runs."""
    statuses = [None if m.record is None else m.record.status for m in made if not m.stopped]
    if RunStatus.CANCELLED in statuses:
        return 130
    return 0 if set(statuses) <= {RunStatus.SUCCEEDED} else 1


def _numbers(found: Sweep, record: RunRecord | None, chosen: list[str] | None) -> dict[str, float]:
    """What a run has measured, first what a search is about."""
    if record is None:
        return {}
    numbers = numbers_by_name(record, chosen or ())
    if found.search is None:
        return numbers
    metric = found.search.metric
    value = number_of(record, metric) if record.ok else None
    rest = {name: n for name, n in numbers.items() if name != metric.rpartition(".")[2]}
    return rest if value is None else {metric: value, **rest}


def _best(found: Sweep, made: Sequence[Member]) -> str | None:
    """The run of a search that has come furthest, in words."""
    best = api.best_of(found, made)
    if best is None or best[0].record is None or found.search is None:
        return None
    member, number = best
    assert member.record is not None
    name = member.record.labels[0] if member.record.labels else member.record.run_id
    values = ", ".join(f"{key}={value_text(value)}" for key, value in member.values.items())
    so_far = "" if all(m.ok or m.stopped for m in made) and len(made) == found.size else " so far"
    return f"best{so_far}: {name}, {found.search.metric} {number_text(number)} ({values})"


def _searched(found: Sweep, made: Sequence[Member]) -> dict[str, Any]:
    """What a document says of a search."""
    if found.search is None:
        return {}
    best = api.best_of(found, made)
    member, value = best or (None, None)
    record = None if member is None else member.record
    return {
        "search": {
            "metric": found.search.metric,
            "direction": "maximize" if found.search.maximize else "minimize",
            "runs": found.search.runs,
            "seed": found.search.seed,
        },
        "best": None if record is None else {"run_id": record.run_id, "value": value},
    }


def _document(found: Sweep, member: Member, chosen: list[str] | None) -> dict[str, Any]:
    record = member.record
    return {
        "run_id": None if record is None else record.run_id,
        "labels": [] if record is None else list(record.labels),
        "parameters": plain(member.values),
        "status": "to_come" if record is None else record.status.value,
        "seconds": None if record is None else round(record.seconds, 3),
        "reason": member.stopped,
        "metrics": _numbers(found, record, chosen),
    }


def _table(found: Sweep, made: Sequence[Member], chosen: Sequence[str]) -> str:
    """Runs below each other; of the metrics, those asked for or the first that differ and fit."""
    wanted = [*chosen, *([found.search.metric] if found.search is not None else [])]
    given = list(dict.fromkeys(name for member in made for name in member.values))
    rows = [_row(member, wanted) for member in made]
    table = RunTable(rows, given=given, calls_by_name=True)
    width = terminal_width()
    if not chosen:
        for name in wanted:
            table.asked += table.metrics(name)
        return table.to_text(width, option="--metric NAME")
    for sentence in table.unmeasured(chosen):
        say(f"warning: {sentence}")
    keys = [f"parameters.{name}" for name in given]
    keys += [f"metrics.{column.name}" for name in chosen for column in table.metrics(name)]
    return table.to_text(width, ["run", "status", "seconds", *keys])


def _row(member: Member, wanted: Sequence[str]) -> RunRow:
    """A run with what distinguishes it from the others of its group."""
    if member.record is None:
        return RunRow(run_id="", pipeline="", status=None, parameters=member.values)
    row = api.row_of(member.record, api.measured_by(member.record, wanted))
    return replace(row, parameters=member.values, group="", pipeline="")
