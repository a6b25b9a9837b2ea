"""`mlkit runs`: the history, as a table of parameters and metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption, OutOption, PipelineArgument, RunsDirOption
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.values import plain
from mlkit.observe.layout import counted, paragraph, terminal_width
from mlkit.observe.run_summary import command
from mlkit.reports.page_file import write_text
from mlkit.reports.run_table import RunTable, run_json

__all__ = ["runs"]

SHOWN = 20
_NAME = re.compile(r"(?:[^,\[]|\[[^\]]*\])+")
"""`run,auc[a,b]` are two: a comma within brackets parts nothing."""


class TableFormat(StrEnum):
    """The forms that the table can take."""

    TEXT = "text"
    CSV = "csv"
    HTML = "html"
    JSON = "json"


def runs(
    pipeline: PipelineArgument = None,
    *,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="NAME,…",
            help="Show these columns: run, status, started, seconds, stages, labels, profile, "
            "group, interval, note, a parameter, a metric (roc_auc, evaluate.roc_auc). May be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="CONDITION",
            help="List the runs of which this is true: 'rows > 1000 and status == succeeded'. "
            "== != < <= > >=, in (a, b), is missing, and, or, not.",
            show_default=False,
        ),
    ] = None,
    sort: Annotated[
        list[str] | None,
        typer.Option(
            "--sort",
            metavar="[-]NAME",
            help="Order by a column; -NAME puts the greatest first. May be repeated.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            metavar="N",
            help=f"List at most this many (default: {SHOWN}; with --to all).",
            show_default=False,
        ),
    ] = None,
    to: Annotated[TableFormat, typer.Option("--to", help="The form.")] = TableFormat.TEXT,
    out: OutOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""List the runs, the newest first, with parameters and metrics.

    Columns are the parameters that differ and what the stages measured, as many as fit; the last
    line names what is left out. Other commands take an id from here, the start of one if no other
    starts so, or latest.

    \b
    Examples
      mlkit runs                                the newest 20 of this pipeline
      mlkit runs --sort -roc_auc --limit 5      the best five
      mlkit runs --filter 'rows > 1000 and status == succeeded'
      mlkit runs --columns run,seed,roc_auc     these columns
      mlkit runs --to csv --out runs.csv        all runs and columns, as a file
    """
    folder = api.runs_folder(pipeline_path(pipeline), runs_dir)
    exports = to is not TableFormat.TEXT or out is not None
    most = limit if limit is not None or exports else SHOWN
    whole = exports or any((columns, condition, sort))
    table = api.read_run_table(runs_dir=folder, newest=None if whole else most)
    shown = api.arranged(table, condition, sort or ()).first(most)
    chosen = [name for text in columns or () for name in _NAME.findall(text)]
    if out is not None:
        write_text(_content(shown, to, chosen, folder), out)
        say(f"{counted(len(shown.rows), 'run')} in {out}.")
    if as_json or (to is TableFormat.JSON and out is None):
        if shown.rows:
            shown.chosen(chosen)  # the document is whole, but a column that is none is told
        print_json(_document(shown, folder))
    elif out is None:
        content = _content(shown, to, chosen, folder)
        typer.echo(content, nl=not content.endswith("\n"))
        if shown.total > len(shown.rows):
            others = "more" if sort else "older"
            say(f"and {shown.total - len(shown.rows)} {others}: mlkit runs --limit {shown.total}")
        for each in api.kept_of(folder):
            words = ("debug", each.run_id, each.stage, "--live")
            say(f"kernel kept until {each.clock}: {command(each, *words, folder=Path.cwd())}")
        if sweeps := dict.fromkeys(row.group for row in shown.rows if row.group):
            named = f"of {counted(len(sweeps), 'sweep')} (mlkit show NAME): {', '.join(sweeps)}"
            say(paragraph(named, terminal_width(), hanging="  "))


def _content(table: RunTable, to: TableFormat, names: Sequence[str], folder: Path) -> str:
    match to:
        case TableFormat.CSV:
            return table.to_csv(names)
        case TableFormat.HTML:
            # a table in the terminal need not wait for what makes pages
            from mlkit.reports.run_table_page import run_table_page

            return run_table_page(table, names)
        case TableFormat.JSON:
            return json.dumps(plain(_document(table, folder)), indent=2, allow_nan=False) + "\n"
    return table.to_text(terminal_width(), names)


def _document(table: RunTable, folder: Path) -> dict[str, Any]:
    kept = [each.shown() for each in api.kept_of(folder)]
    rows = [run_json(row) for row in table.rows]
    return {"runs_dir": str(folder), "runs": rows, "kept_kernels": kept}
