"""A sweep in words, as `sweep`, `show` and `resume` tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.core.early_stopping import stopped_early
from mlkit.core.states import RunStatus
from mlkit.core.values import plain
from mlkit.observe.layout import columns, fits, paragraph, terminal_width
from mlkit.observe.signs import RUN_SIGNS
from mlkit.reports.metrics import columns_of_metrics, number_of, numbers_by_name, unmeasured
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
    rows: list[Row] = [(m.values, m.record, _numbers(found, m.record, chosen)) for m in made]
    missing = found.size - sum(member.ok or bool(member.stopped) for member in made)
    go_on = f"{missing} of {found.size} have not succeeded; to go on: mlkit resume {found.name}"
    if any(m.record is not None and m.record.status is RunStatus.RUNNING for m in made):
        go_on = f"sweep: {found.name}, under way: {missing} of {found.size} are to come"
    if as_json:
        print_json(
            {"group": found.name, **_searched(found, made), "runs": list(map(_document, rows))}
        )
        if missing:
            say(go_on)
        return
    typer.echo(_table(rows, chosen))
    for sentence in unmeasured(chosen or (), [found for _, _, found in rows]):
        say(f"warning: {sentence}")
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
    values = ", ".join(f"{key}={_value(value)}" for key, value in member.values.items())
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


def _document(row: Row) -> dict[str, Any]:
    values, record, metrics = row
    return {
        "run_id": None if record is None else record.run_id,
        "labels": [] if record is None else list(record.labels),
        "parameters": plain(values),
        "status": "to_come" if record is None else record.status.value,
        "seconds": None if record is None else round(record.seconds, 3),
        "reason": "" if record is None else stopped_early(record),
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
        + [_value(values[name]) if name in values else NOTHING for name in names]
        + [number_text(found[name]) if name in found else NOTHING for name in metrics]
        for values, record, found in rows
    ]
    return ["RUN", "STATE", *names, *metrics], body


def _value(value: Any) -> str:
    """A value in few signs: of what a search has drawn, sixteen digits tell no more than six."""
    return f"{value:.6g}" if isinstance(value, float) else value_text(value)


def _told(record: RunRecord | None) -> list[str]:
    """The run by its name, if it has one, and how it ended."""
    if record is None:
        return [NOTHING, "to come"]
    sign = RUN_SIGNS[record.status]
    state = f"{sign.glyph} stopped early" if stopped_early(record) else str(sign)
    return [record.labels[0] if record.labels else record.run_id, state]


def _hint(others: list[str], width: int) -> str:
    named = others[:MOST_METRICS]
    more = f" and {len(others) - len(named)} more" if len(others) > len(named) else ""
    return paragraph(f"Also measured (--metric NAME): {', '.join(named)}{more}", width)
