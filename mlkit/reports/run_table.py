"""The table of runs: parameters and metrics as columns, to filter, to sort and to write down."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from mlkit.core.durations import format_duration
from mlkit.core.filtering import MISSING, Filter, kind_of, plain_value, read_filter
from mlkit.core.run_row import RunRow
from mlkit.core.states import RunStatus, Status
from mlkit.core.suggesting import did_you_mean
from mlkit.core.values import canonical, plain, shown
from mlkit.errors import UsageError
from mlkit.frozen import dataclass, replace
from mlkit.observe.layout import columns as laid_out
from mlkit.observe.layout import counted, fits, fold
from mlkit.observe.signs import RUN_SIGNS, SIGNS

__all__ = ["NOTHING", "Column", "RunTable", "number_text", "run_json", "state_text", "value_text"]

NOTHING = "–"
"""Stands in a cell of which there is no value."""
_OWN = {"state": "status", "took": "seconds", "run_id": "run", "names": "labels", "name": "labels"}
"""What else people call the columns that every run has."""
_TITLES = {
    "run": "RUN",
    "labels": "NAMES",
    "pipeline": "PIPELINE",
    "status": "STATE",
    "started": "STARTED (UTC)",
    "seconds": "TOOK",
    "stages": "STAGES",
    "profile": "PROFILE",
    "group": "GROUP",
    "interval": "INTERVAL",
    "note": "NOTE",
}
_ALWAYS = ("run", "status")
_WHERE_THERE_ARE = ("labels",)
_WHERE_THEY_DIFFER = ("pipeline", "profile")
_OPTIONAL = ("seconds", "started", "stages", "group", "interval", "note")
_NAMED_BELOW = 6
_MOST_DIGITS = 8
_IN_LINES = 6
"""So many parameters and metrics a run has where it is told in lines."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Parameters
    ----------
    key : str
        What it is called in files and in `--columns`.
    kind : str
        `run` for what every run has, `parameter` or `metric`.
    name : str
        The parameter's or the metric's own name.
    title : str
        What stands above it for people.
    """

    key: str
    kind: str
    name: str
    title: str


class RunTable:
    """Runs below each other, with the columns that there are.

    Parameters
    ----------
    rows : sequence of RunRow
        The runs, as they are to be listed.
    total : int, optional
        How many there are altogether, if these are not all.
    given : sequence of str
        Parameters that are always shown: what the runs were made to go through.
    calls_by_name : bool
        Call a run by its name, where it has one, in place of its id.
    """

    def __init__(
        self,
        rows: Sequence[RunRow],
        total: int | None = None,
        *,
        given: Sequence[str] = (),
        calls_by_name: bool = False,
    ) -> None:
        self.rows = list(rows)
        self.given = tuple(given)
        self.calls_by_name = calls_by_name
        self.total = len(self.rows) if total is None else total
        self.is_filtered = False
        self.asked: list[Column] = []
        """The columns by which the runs were chosen and ordered."""

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Every column by its key: those of any run, then parameters, then metrics."""
        parameters = dict.fromkeys(name for row in self.rows for name in row.parameters)
        metrics = sorted(
            dict.fromkeys(name for row in self.rows for name in row.metrics),
            key=lambda name: "[" in name,  # what speaks for the whole run first
        )
        found = {key: Column(key=key, kind="run", name=key, title=t) for key, t in _TITLES.items()}
        for kind, names in (("parameter", parameters), ("metric", metrics)):
            for name in names:
                key = f"{kind}s.{name}" if name in found else name
                found[key] = Column(key=key, kind=kind, name=name, title=key)
        return _with_short_titles(found)

    def resolve(self, name: str) -> list[Column]:
        """The columns that a name means; none, one, or one for each instance or stage.

        Parameters
        ----------
        name : str
            A key; a metric's own name, with or without an instance (`auc`, `auc[tree]`);
            `parameters.NAME` or `metrics.STAGE.NAME` where two columns have one name.
        """
        key = _OWN.get(name, name)
        if key in self.columns:
            return [self.columns[key]]
        for kind in ("parameter", "metric"):
            inner = name.removeprefix(f"{kind}s.")
            if inner != name:
                return [c for c in self.columns.values() if c.kind == kind and c.name == inner]
        return self._by_short_name.get(name, [])

    @cached_property
    def _by_short_name(self) -> dict[str, list[Column]]:
        found: dict[str, list[Column]] = {}
        for column in self.columns.values():
            if column.kind == "metric":
                stage, brackets, metric = _parts(column.name)
                for name in {metric, metric + brackets, f"{stage}.{metric}"}:
                    found.setdefault(name, []).append(column)
        return found

    def metrics(self, name: str) -> list[Column]:
        """The metrics that a name means: `NAME` of any stage or instance, `STAGE.NAME`."""
        found = [c for c in self.columns.values() if c.kind == "metric" and c.name == name]
        return found or self._by_short_name.get(name, [])

    def unmeasured(self, names: Iterable[str]) -> list[str]:
        """Say of each name that was asked for and that no run has measured what could be meant."""
        known = list(self._by_short_name)
        return [
            ". ".join(filter(None, (f"no run measured '{name}'", did_you_mean(name, known))))
            for name in names
            if known and not self.metrics(name)
        ]

    def chosen(self, names: Iterable[str]) -> list[Column]:
        """The columns that somebody asks for.

        Raises
        ------
        UsageError
            If there is no such column.
        """
        found: list[Column] = []
        for name in names:
            columns = self.resolve(name.strip())
            if not columns:
                self._unknown(name.strip(), "--columns")
            found += [column for column in columns if column not in found]
        return found

    def _one(self, name: str, option: str) -> Column:
        columns = self.resolve(name)
        if not columns:
            self._unknown(name, option)
        if len(columns) > 1:
            raise UsageError(
                f"{option}: '{name}' is the name of {len(columns)} columns",
                remedy="Name one of them: " + ", ".join(column.key for column in columns[:8]),
            )
        self.asked += [column for column in columns if column not in self.asked]
        return columns[0]

    def _unknown(self, name: str, option: str) -> None:
        remedy = did_you_mean(name, self.names) or "'mlkit runs --to csv' shows them all"
        raise UsageError(f"{option}: there is no column '{name}'", remedy=remedy)

    @property
    def names(self) -> list[str]:
        """What can be meant: the keys, and the metrics' own names."""
        return [*self.columns, *self._by_short_name]

    def filtered(self, text: str) -> RunTable:
        """The runs that pass a filter; see `mlkit.core.filtering`."""
        passes = self._filter(text)
        rows = [row for row in self.rows if passes(self.values(row))]
        found = self._with(rows, len(rows))
        found.is_filtered = bool(self.rows)
        return found

    def only(self, passes: Callable[[RunRow], bool]) -> RunTable:
        """The runs of which a function says so."""
        rows = [row for row in self.rows if passes(row)]
        return self._with(rows, len(rows))

    def _with(self, rows: Sequence[RunRow], total: int) -> RunTable:
        """Other rows under the same columns: one may still ask for what none of them has."""
        found = RunTable(rows, total, given=self.given, calls_by_name=self.calls_by_name)
        found.__dict__["columns"] = self.columns
        found.is_filtered = self.is_filtered
        found.asked = list(self.asked)
        return found

    def _filter(self, text: str) -> Filter:
        def column(name: str) -> str | None:
            return self._one(name, "--filter").key if self.resolve(name) else None

        words = {"status": [status.value for status in RunStatus]}
        return read_filter(text, column, self.names, words)

    def sorted_by(self, names: Sequence[str]) -> RunTable:
        """The runs in another order; equal ones stay as they are, missing values come last.

        Parameters
        ----------
        names : sequence of str
            Columns, the most important first; `-NAME` puts the greatest value first.
        """
        rows = list(self.rows)
        for name in reversed(names):
            column = self._one(name.removeprefix("-"), "--sort")
            there = [row for row in rows if kind_of(self.value(row, column)) != "missing"]
            absent = [row for row in rows if kind_of(self.value(row, column)) == "missing"]
            there.sort(
                key=lambda row, c=column: _rank(self.value(row, c)),  # type: ignore[misc] # c is bound
                reverse=name.startswith("-"),
            )
            rows = there + absent
        return self._with(rows, self.total)

    def first(self, number: int | None) -> RunTable:
        """The first of the runs; how many there are altogether is kept."""
        return self._with(self.rows[:number], self.total)

    def value(self, row: RunRow, column: Column) -> Any:
        """What stands in a cell: a plain value, or `MISSING`."""
        if column.kind == "metric":
            return row.metrics.get(column.name, MISSING)
        if column.kind == "parameter":
            return plain_value(row.parameters.get(column.name, MISSING))
        match column.name:
            case "run":
                return row.run_id
            case "status":
                return row.state
            case "started":
                return (
                    MISSING
                    if row.status is None
                    else _moment(row.started).isoformat(timespec="seconds").replace("+00:00", "Z")
                )
            case "seconds":
                return MISSING if row.seconds is None else round(row.seconds, 3)
            case "stages":
                return sum(row.counts.values()) if row.counts else MISSING
            case "labels":
                return list(row.labels) or MISSING
        return getattr(row, column.name) or MISSING

    def values(self, row: RunRow) -> Mapping[str, Any]:
        """A run as a filter sees it."""
        return _Cells(self, row)

    def varies(self, column: Column) -> bool:
        """Whether not all runs have the same there."""
        return len({_identity(self.value(row, column)) for row in self.rows}) > 1

    def to_text(
        self, width: int, names: Sequence[str] = (), *, option: str = "--columns NAME,…"
    ) -> str:
        """The table for a terminal: the columns asked for, or those that tell most and fit.

        Parameters
        ----------
        width : int
            The terminal's columns.
        names : sequence of str
            The columns to show.
        option : str
            By which option one asks for columns that found no room.
        """
        if not self.rows and self.is_filtered:
            return "No run passes the filter."
        if not self.rows:
            return "No run yet. Start one with: mlkit run"
        if names:
            chosen, left = self.chosen(names), list[Column]()
        else:
            chosen, left = self._fitting(width)
        head = [column.title for column in chosen]
        body = [[self.text(row, column) for column in chosen] for row in self.rows]
        whole = self._whole(chosen, self._texts)
        if names or not self._fits(chosen, width, narrow=self._texts):
            whole = [i for i, column in enumerate(chosen) if column.name == "run"]
        text = laid_out(body, width, head=head, whole=whole)
        if not left:
            return text
        told = ", ".join(column.title for column in left[:_NAMED_BELOW])
        more = f" and {len(left) - _NAMED_BELOW} more" if len(left) > _NAMED_BELOW else ""
        hint = f"{counted(len(left), 'column')} left out ({option}): {told}{more}"
        return "\n".join([text, *fold(hint, width)])

    def _fitting(self, width: int) -> tuple[list[Column], list[Column]]:
        """The columns that tell most, as many as fit; and those for which there is no room."""
        own = self._first()
        wanted = self.telling()
        if not self._fits(
            own, width, narrow=self._texts
        ):  # each run is some lines: no column takes another's room
            return [*own, *wanted[:_IN_LINES]], wanted[_IN_LINES:]
        found, left = list(own), list[Column]()
        for column in [*wanted[:3], self.columns["seconds"], *wanted[3:]]:
            (found if self._fits([*found, column], width, narrow=self._texts) else left).append(
                column
            )
        for name in _OPTIONAL[1:]:
            column = self.columns[name]
            if not left and self._is_there(column) and self._fits([*found, column], width):
                found.append(column)
        order = list(self.columns)
        shown = sorted(found, key=lambda column: order.index(column.key))
        return shown, [column for column in left if column.kind != "run"]

    def _first(self) -> list[Column]:
        """Which run it is, how it ended, and what else tells runs apart."""
        own = [self.columns[name] for name in _ALWAYS]
        if not self.calls_by_name:
            own += [c for name in _WHERE_THERE_ARE if self._is_there(c := self.columns[name])]
        own += [c for n in _WHERE_THEY_DIFFER if self.varies(c := self.columns[n])]
        return own + self._given()

    def _given(self) -> list[Column]:
        every = self.columns.values()
        return [c for c in every if c.kind == "parameter" and c.name in self.given]

    def telling(self) -> list[Column]:
        """Parameters that differ and metrics by turns, those that differ before the others."""
        there = [c for c in self.columns.values() if c.kind != "run" and self._is_there(c)]
        differing = [column for column in there if self.varies(column)]
        parameters = [c for c in differing if c.kind == "parameter" and c.name not in self.given]
        asked = [column for column in self.asked if column.kind != "run"]
        parameters = [column for column in parameters if column not in asked]
        metrics = [c for c in differing if c.kind == "metric" and c not in asked]
        metrics += [c for c in there if c.kind == "metric" and c not in (*differing, *asked)]
        by_turns = [c for pair in zip(parameters, metrics, strict=False) for c in pair]
        shorter = min(len(parameters), len(metrics))
        return [*asked, *by_turns, *parameters[shorter:], *metrics[shorter:]]

    def _is_there(self, column: Column) -> bool:
        return any(kind_of(self.value(row, column)) != "missing" for row in self.rows)

    def _fits(
        self, columns: Sequence[Column], width: int, *, narrow: Collection[Column] = ()
    ) -> bool:
        head = [column.title for column in columns]
        body = [[self.text(row, column) for column in columns] for row in self.rows]
        return fits([head, *body], width, whole=self._whole(columns, narrow))

    def _whole(self, columns: Sequence[Column], narrow: Collection[Column] = ()) -> list[int]:
        """Where the columns stand whose cells keep to one line; the narrow ones need not.

        A wrapped number is no number; how stages ended may stand in several lines.
        """
        return [i for i, c in enumerate(columns) if c.name != "stages" and c not in narrow]

    @cached_property
    def _texts(self) -> list[Column]:
        """Texts that the runs were given: long ones must not drive out what was measured."""
        given = self._given()
        return [c for c in given if any(isinstance(self.value(r, c), str) for r in self.rows)]

    def text(self, row: RunRow, column: Column) -> str:
        """A cell for people."""
        if column.kind == "run":
            match column.name:
                case "run":
                    name = row.labels[0] if self.calls_by_name and row.labels else row.run_id
                    return name or NOTHING
                case "status":
                    return state_text(row)
                case "started":
                    return (
                        ""
                        if row.status is None
                        else _moment(row.started).strftime("%Y-%m-%d %H:%M")
                    )
                case "seconds":
                    return "" if row.seconds is None else format_duration(row.seconds)
                case "stages":
                    return _remarkable(row.counts) if row.counts else ""
                case "labels":
                    return ", ".join(row.labels)
        value = self.value(row, column)
        if value is MISSING:
            return "" if column.kind == "run" else NOTHING
        return number_text(value) if column.kind == "metric" else value_text(value)

    def to_csv(self, names: Sequence[str] = ()) -> str:
        """The table as CSV, with every column or those asked for; a missing value is empty."""
        chosen = self.chosen(names) if names else self.listed
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([column.key for column in chosen])
        for row in self.rows:
            writer.writerow([_csv_cell(self.value(row, column)) for column in chosen])
        return out.getvalue()

    @property
    def listed(self) -> list[Column]:
        """The columns that files hold: all but those in which nothing stands."""
        return [
            column
            for column in self.columns.values()
            if (column.kind == "run" and column.name in _ALWAYS) or self._is_there(column)
        ]

    @property
    def shown(self) -> list[Column]:
        """The columns that pages show: parameters and what was measured before the rest."""
        first = self._first()
        others = [column for column in self.listed if column.kind != "run" and column not in first]
        return [*first, *others, *self.last()]

    def last(self) -> list[Column]:
        """What every run has, and is of less interest: when it began, how its stages ended."""
        return [c for name in _OPTIONAL if self._is_there(c := self.columns[name])]

    def best(self, most: int) -> list[Column]:
        """The columns that tell most: at most so many parameters and metrics among them."""
        order = list(self.columns)
        kept = sorted(self.telling()[:most], key=lambda column: order.index(column.key))
        return [*self._first(), *kept, *self.last()]

    def to_records(self, names: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The table as rows of plain values by the columns' keys; None where one is missing."""
        chosen = self.chosen(names) if names else self.listed
        return [
            {c.key: None if (v := self.value(row, c)) is MISSING else v for c in chosen}
            for row in self.rows
        ]


def state_text(row: RunRow) -> str:
    """How a run stands, by a sign and in words."""
    if row.status is None:
        return row.said or "to come"
    sign = RUN_SIGNS[row.status]
    return f"{sign.glyph} {row.said}" if row.said else str(sign)


def run_json(row: RunRow) -> dict[str, Any]:
    """One run in the document of `mlkit runs --json`."""
    return {
        "run_id": row.run_id,
        "pipeline": row.pipeline,
        "status": row.state,
        "seconds": round(row.seconds or 0.0, 3),
        "parameters": plain(row.parameters),
        "labels": list(row.labels),
        "note": row.note,
        "group": row.group,
        "started": row.started,
        "ended": row.ended,
        "counts": dict(row.counts),
        "metrics": dict(row.metrics),
    }


class _Cells(Mapping[str, Any]):
    """The cells of a row by the columns' keys, looked up when they are asked for."""

    def __init__(self, table: RunTable, row: RunRow) -> None:
        self.table, self.row = table, row

    def __getitem__(self, key: str) -> Any:
        return self.table.value(self.row, self.table.columns[key])

    def __iter__(self) -> Any:
        return iter(self.table.columns)

    def __len__(self) -> int:
        return len(self.table.columns)


def value_text(value: Any) -> str:
    """A parameter's value in a table: a text without quotes, unless it is empty.

    Of what a search has drawn, sixteen digits tell no more than six.
    """
    if isinstance(value, float):
        text = shown(value)
        return text if len(text) <= _MOST_DIGITS else f"{value:.6g}"
    if isinstance(value, str):
        return shown(value)[1:-1] if value else "''"
    return shown(value)


def number_text(value: float) -> str:
    """A number in a table: whole ones whole, others with four significant digits."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.4g}"


def _parts(name: str) -> tuple[str, str, str]:
    """Take `STAGE[VALUE].NAME` apart; a value may hold dots."""
    bracket, end = name.find("["), name.rfind("].")
    if 0 < bracket < end and "." not in name[:bracket]:
        return name[:bracket], name[bracket : end + 1], name[end + 2 :]
    stage, _, metric = name.partition(".")
    return stage, "", metric


def _with_short_titles(found: Mapping[str, Column]) -> dict[str, Column]:
    """Call a metric by its own name where no other column is called so."""
    short: dict[str, list[str]] = {}
    for column in found.values():
        if column.kind == "metric":
            _, brackets, metric = _parts(column.name)
            short.setdefault(metric + brackets, []).append(column.key)
    titles = {keys[0]: name for name, keys in short.items() if len(keys) == 1 and name not in found}
    return {key: replace(c, title=titles.get(key, c.title)) for key, c in found.items()}


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _rank(value: Any) -> tuple[int, Any]:
    """Where a value stands among others: numbers, truth values, texts, and what has no order."""
    kind = kind_of(value)
    if kind == "other":
        return 3, canonical(value)
    if kind == "number" and value != value:  # nan, which has no place of its own
        return -1, 0
    return ("number", "truth", "text").index(kind), value


def _identity(value: Any) -> Any:
    return value if value is MISSING else (kind_of(value), canonical(value))


def _remarkable(counts: Mapping[str, int]) -> str:
    """`18, 1 skipped`: how many stages there are, and how many ended otherwise than well."""
    others = [
        f"{count} {SIGNS[Status(status)].word}"
        for status, count in counts.items()
        if status != Status.SUCCEEDED.value
    ]
    return ", ".join([str(sum(counts.values())), *others])


def _csv_cell(value: Any) -> Any:
    if value is MISSING:
        return ""
    if kind_of(value) == "other":
        return shown(value)
    return str(value).lower() if isinstance(value, bool) else plain(value)
