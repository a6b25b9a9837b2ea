"""The run's report: one HTML file that needs nothing else and runs no script."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mlkit.core.durations import format_duration
from mlkit.core.graph import edges
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.errors import RunsFolderError
from mlkit.observe.signs import RUN_SIGNS
from mlkit.observe.summary import command, failures, judge_run
from mlkit.reports.bars import draw_bars, finding, number
from mlkit.reports.graph import to_svg
from mlkit.reports.metrics import compare_instances, metric_tables
from mlkit.reports.notebook_page import page_environment, page_style
from mlkit.reports.output_view import Budget
from mlkit.reports.report_artifacts import folders, notes, pictures
from mlkit.reports.report_parts import format_time, parameter_rows, retries, view_stages
from mlkit.reports.timeline import draw_timeline

__all__ = ["render_report", "write_report", "write_text"]

_PICTURE_CHARACTERS = 24_000_000
_MOST_CHARTS = 12


def render_report(
    record: RunRecord, *, pipeline: Pipeline | None = None, folder: Path | None = None
) -> str:
    """Render the report of a run.

    Parameters
    ----------
    record : RunRecord
        The run; notebooks, logs and artifacts are read where it says they are.
    pipeline : Pipeline, optional
        Its pipeline, for the conditions in the picture.
    folder : Path, optional
        Where the suggested commands will be typed; default: the working directory.

    Returns
    -------
    str
        One HTML document.
    """
    where = folder or Path.cwd()
    budget = Budget(_PICTURE_CHARACTERS)
    commands = {
        item.id: command(record, "debug", record.run_id, item.id, folder=where)
        for item in failures(record)
    }
    shown = pictures(record, budget)
    groups = compare_instances(record)
    charts = [group for group in groups if group.varies]
    return (
        page_environment()
        .get_template("report.html")
        .render(
            record=record,
            verdict=judge_run(record, where),
            sign=RUN_SIGNS[record.status],
            started=format_time(record.started),
            took=format_duration(record.seconds),
            style=page_style(),
            graph=_graph(record, pipeline),
            timeline=draw_timeline(record, styled=False),
            parameters=parameter_rows(record),
            stages=view_stages(record, commands, budget),
            retries=retries(record),
            tables=metric_tables(record),
            charts=[(finding(g), draw_bars(g, styled=False)) for g in charts[:_MOST_CHARTS]],
            constants=[finding(group) for group in groups if not group.varies],
            notes=notes(record),
            charts_left_out=max(0, len(charts) - _MOST_CHARTS),
            folders=folders(record),
            pictures=shown,
            number=number,
        )
    )


def _graph(record: RunRecord, pipeline: Pipeline | None) -> str:
    """The run's graph; today's pipeline tells the conditions only if it is still the run's."""
    if pipeline is not None:
        now = edges(pipeline)
        if all(now.get(name) == tuple(above) for name, above in record.edges.items()):
            return to_svg(pipeline, record, styled=False)
    return to_svg(record, styled=False)


def write_report(record: RunRecord, to: Path, *, pipeline: Pipeline | None = None) -> Path:
    """Write the report of a run, whole or not at all.

    Parameters
    ----------
    record : RunRecord
        The run.
    to : Path
        The file; its folder is made if it is missing, an older file is replaced.
    pipeline : Pipeline, optional
        Its pipeline, for the conditions in the picture.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    RunsFolderError
        If it cannot be written.
    """
    return write_text(render_report(record, pipeline=pipeline), to)


def write_text(content: str, to: Path) -> Path:
    """Write a text file, whole or not at all.

    Parameters
    ----------
    content : str
        The text; written as UTF-8.
    to : Path
        The file; its folder is made if it is missing, an older file is replaced.

    Raises
    ------
    RunsFolderError
        If it cannot be written.
    """
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
    except OSError as error:
        raise _refused(to, error) from error
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8", "replace"))
        aside.chmod(0o644)
        aside.replace(to)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise _refused(to, error) from error
    return to


def _refused(to: Path, error: OSError) -> RunsFolderError:
    return RunsFolderError(
        f"the file cannot be written: {error.strerror or error}",
        file=to,
        remedy="Name another file with --out.",
    )
