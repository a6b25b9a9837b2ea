"""The table of runs as HTML: a page of its own, and the pieces that a view shows too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlkit.core.filtering import kind_of
from mlkit.core.run_row import RunRow
from mlkit.observe.layout import counted
from mlkit.reports.notebook_page import page_environment, page_style
from mlkit.reports.run_table import Column, RunTable, number_text
from mlkit.reports.spark import draw_spark
from mlkit.reports.svg import text

__all__ = ["run_table_html", "run_table_page", "spark_of"]

_NUMBER = ' class="number"'
_FEWEST = 3
"""Two numbers make no course."""


def run_table_page(table: RunTable, names: Sequence[str] = ()) -> str:
    """Write the table as one HTML document that needs nothing else and runs no script.

    Parameters
    ----------
    table : RunTable
        The runs.
    names : sequence of str
        The columns to show; all by default.
    """
    chosen = table.chosen(names) if names else table.shown
    pipelines = dict.fromkeys(row.pipeline for row in table.rows)
    title = f"Runs of {', '.join(pipelines)}" if pipelines else "Runs"
    template = page_environment().get_template("run_table.html")
    return template.render(
        title=title,
        count=counted(len(table.rows), "run"),
        table=run_table_html(table, chosen),
        style=page_style(),
    )


def run_table_html(
    table: RunTable,
    columns: Sequence[Column],
    *,
    heading: Callable[[Column], str] | None = None,
    cell: Callable[[RunRow, Column], str | None] | None = None,
    caption: str = "",
) -> str:
    """Write the table: titles, a spark line below those of numbers, the runs.

    Parameters
    ----------
    table : RunTable
        The runs.
    columns : sequence of Column
        The columns.
    heading : callable, optional
        The HTML of a column's title.
    cell : callable, optional
        The HTML of a cell; None where it is to stand as it is.
    caption : str
        What stands above the table.
    """
    heads = "".join(
        f'<th scope="col"{_NUMBER if _is_number(table, column) else ""}>'
        f"{heading(column) if heading else text(column.title)}</th>"
        for column in columns
    )
    sparks = [spark_of(table, column) for column in columns]
    line = "".join(f"<td>{spark}</td>" for spark in sparks)
    course = f'<tr class="course">{line}</tr>' if any(sparks) else ""
    above = f"<caption>{text(caption)}</caption>" if caption else ""
    body = "".join(
        f"<tr>{''.join(_cell(table, row, column, cell) for column in columns)}</tr>"
        for row in table.rows
    )
    return (
        f'<table class="mlkit-table runs">{above}<thead><tr>{heads}</tr>{course}</thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _cell(
    table: RunTable,
    row: RunRow,
    column: Column,
    own: Callable[[RunRow, Column], str | None] | None,
) -> str:
    content = own(row, column) if own is not None else None
    if content is None:
        content = text(table.text(row, column))
    return f"<td{_NUMBER if _is_number(table, column) else ''}>{content}</td>"


def _is_number(table: RunTable, column: Column) -> bool:
    """Whether the column's values stand one below the other digit by digit."""
    if column.kind == "run":
        return column.name == "seconds"
    return {kind_of(table.value(row, column)) for row in table.rows} <= {"number", "missing"}


def spark_of(table: RunTable, column: Column) -> str:
    """How a metric went, from the oldest of the runs to the newest; empty if that says nothing."""
    if column.kind != "metric" or not table.varies(column):
        return ""
    by_time = sorted(table.rows, key=lambda row: (row.started, row.run_id))
    values = [row.metrics.get(column.name) for row in by_time]
    there = [value for value in values if value is not None]
    if len(there) < _FEWEST:
        return ""
    words = (
        f"{column.key} over {counted(len(there), 'run')}, the oldest first: "
        f"{number_text(min(there))} to {number_text(max(there))}, last {number_text(there[-1])}"
    )
    return draw_spark(values, words)
