"""`mlkit report`: one run as a page."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json, say, show_page
from mlkit.cli.shared_options import (
    JsonOption,
    OpenOption,
    PipelineArgument,
    RunArgument,
    RunsDirOption,
)
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.errors import MlkitError
from mlkit.reports.pdf import find_browser, print_pdf

__all__ = ["report"]


class ReportFormat(StrEnum):
    """The forms that a report can take."""

    HTML = "html"
    PDF = "pdf"


def report(
    run: RunArgument,
    pipeline: PipelineArgument = None,
    *,
    to: Annotated[ReportFormat, typer.Option("--to", help="The form.")] = ReportFormat.HTML,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="The file (default: report.html or report.pdf in the run's folder).",
            show_default=False,
        ),
    ] = None,
    open_it: OpenOption = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Write a run's report: one HTML file that needs nothing else.

    Prints where it is. The verdict first; then failures, the graph, the timeline, parameters,
    stages, metrics and pictures, and each stage's executed notebook. The page runs no script and
    loads nothing from the network, so it can be mailed or kept. A PDF holds the same, with
    everything unfolded; it is printed by an installed Chromium or Chrome (MLKIT_CHROMIUM names
    another one).

    \b
    Examples
      mlkit report latest --open               look at it
      mlkit report latest --out report.html    to mail or to keep
      mlkit report latest --to pdf             to print
    """
    record = api.find_run(run, api.runs_folder(pipeline_path(pipeline), runs_dir), files=True)
    default = Path(record.runs_dir) / record.run_id / f"report.{to.value}"
    file = _write(record, to, out if out is not None else default).absolute()
    api.send_report(record, file)
    if as_json:
        print_json({"run_id": record.run_id, "format": to.value, "file": str(file)})
    else:
        typer.echo(str(file))
    if open_it:
        show_page(file)


def _write(record: RunRecord, to: ReportFormat, target: Path) -> Path:
    """Write the report in the form that was asked for."""
    if to is ReportFormat.HTML:
        return api.write_report(record, target, pipeline=_pipeline(record))

    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="mlkit-report-") as folder:
        page = api.write_report(record, Path(folder) / "report.html", pipeline=_pipeline(record))
        return print_pdf(page, target, browser)


def _pipeline(record: RunRecord) -> Pipeline | None:
    """The run's pipeline as it is today; a report does not need it, so a broken one is no error."""
    try:
        return api.run_pipeline(record)
    except MlkitError as error:
        say(f"The report's graph shows no conditions: {error}")
        return None
