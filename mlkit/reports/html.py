"""The run's report: one HTML file that needs nothing else and runs no script."""

from __future__ import annotations

from pathlib import Path

from mlkit.core.durations import format_duration
from mlkit.core.graph import edges
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.observe.run_summary import command, failures, judge_run
from mlkit.observe.signs import RUN_SIGNS
from mlkit.reports.bars import draw_bars, finding, number
from mlkit.reports.curves import curve_finding, curve_groups, draw_curves
from mlkit.reports.graph_forms import to_svg
from mlkit.reports.instances_shown import shown_instances
from mlkit.reports.metrics import compare_instances, metric_tables
from mlkit.reports.notebook_page import page_environment, page_style
from mlkit.reports.output_view import Budget
from mlkit.reports.page_file import write_text
from mlkit.reports.report_artifacts import folders, inline_pictures, notes, pictures
from mlkit.reports.report_parts import format_time, parameter_rows, retries, view_stages
from mlkit.reports.timeline import draw_timeline

__all__ = ["render_report", "write_report"]

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
    whole, drawn = record, shown_instances(record)
    record = drawn.record
    budget = Budget(_PICTURE_CHARACTERS)
    commands = {
        item.id: command(record, "debug", record.run_id, item.id, folder=where)
        for item in failures(record)
    }
    shown = pictures(record, budget)
    stages = view_stages(record, commands, budget)
    groups = compare_instances(whole)
    charts = [group for group in groups if group.varies]
    curves = curve_groups(record.stages.values())
    return (
        page_environment()
        .get_template("report.html")
        .render(
            record=record,
            verdict=judge_run(whole, where),
            sign=RUN_SIGNS[record.status],
            started=format_time(record.started),
            took=format_duration(record.seconds),
            style=page_style(),
            graph=_graph(whole, pipeline),
            timeline=draw_timeline(whole, styled=False),
            parameters=parameter_rows(record),
            stages=stages,
            retries=retries(record),
            tables=metric_tables(record),
            charts=[(finding(g), draw_bars(g)) for g in charts[:_MOST_CHARTS]],
            curves=[(curve_finding(group), draw_curves(group)) for group in curves[:_MOST_CHARTS]],
            curves_left_out=max(0, len(curves) - _MOST_CHARTS),
            constants=[finding(group) for group in groups if not group.varies],
            notes=notes(record),
            charts_left_out=max(0, len(charts) - _MOST_CHARTS),
            folders=folders(record),
            not_shown=drawn.said,
            pictures=[*shown, *inline_pictures(stages, shown, budget)],
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
