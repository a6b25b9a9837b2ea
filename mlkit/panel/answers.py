"""What panels ask once: tables, pages and details of runs. Each answer is made in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from mlkit.api.cancelling import cancel_run
from mlkit.api.kept import kept_of
from mlkit.api.records import find_run, find_trace
from mlkit.api.resuming import run_pipeline
from mlkit.api.run_tables import read_run_table, so_far
from mlkit.api.runs_place import runs_folder
from mlkit.api.two_runs import compare_several, find_several
from mlkit.api.watched_pipeline import WatchSettings, read_now
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.run_row import RunRow
from mlkit.errors import MlkitError, UsageError
from mlkit.load.pipeline_file import PIPELINE_FILE, load_pipeline
from mlkit.observe.layout import counted
from mlkit.panel.documents import error_document
from mlkit.panel.form import Form
from mlkit.panel.workspace import Workspace
from mlkit.reports.html import render_report
from mlkit.reports.many_runs_page import many_runs_page
from mlkit.reports.run_table import Column, state_text
from mlkit.reports.run_table_page import run_table_html
from mlkit.reports.svg import picture_style, text
from mlkit.reports.trace_listing import trace_text
from mlkit.widgets.kit.server_links import Server
from mlkit.widgets.views.stage_detail import instances_html, pick_button, stage_html

__all__ = [
    "cancel",
    "compared",
    "problem_of",
    "reported",
    "stage_detail",
    "stage_of_notebook",
    "style",
    "table_of_runs",
]

_MOST_RUNS, _MOST_COLUMNS = 100, 6


def style() -> str:
    """The style sheet of the kit's views, which the panel shares."""
    own = files("mlkit.widgets.kit").joinpath("static/panel.css").read_text(encoding="utf-8")
    return f"{picture_style()}\n{own}"


def table_of_runs(file: Path) -> dict[str, Any]:
    """The newest runs of a pipeline as a table, each to be picked, and ticked for a comparison."""
    try:
        name = load_pipeline(file).name
        table = read_run_table(file).only(lambda row: row.pipeline == name)
    except MlkitError:  # its runs are there all the same, beside those of others
        table = read_run_table(file)
    shown = table.first(_MOST_RUNS)
    if not shown.rows:
        return {"html": "<p>No run yet.</p>", "count": 0}
    said = counted(len(table.rows), "run")
    if len(table.rows) > _MOST_RUNS:
        said = f"the newest {_MOST_RUNS} of {said}"
    body = run_table_html(shown, shown.best(_MOST_COLUMNS), cell=_cell, caption=said)
    return {"html": f'<div class="mlkit-scroll tall">{body}</div>', "count": len(table.rows)}


def _cell(row: RunRow, column: Column) -> str | None:
    if column.kind != "run":
        return None
    if column.name == "run":
        label = text(f"compare run {row.run_id}")
        tick = f'<input type="checkbox" data-compare="{text(row.run_id)}" aria-label="{label}">'
        return f"{tick} {pick_button(row.run_id, row.run_id)}"
    if column.name == "status":
        sign = f'<span class="mlkit-state">{state_text(row)}</span>'
        return f'<span class="state-{row.state}">{sign}</span>'
    return None


def compared(file: Path, names: Sequence[str]) -> str:
    """Two or more runs side by side, as a page that runs no script.

    Raises
    ------
    MlkitError
        If there are fewer, or one is not there.
    """
    where = runs_folder(file)
    records = find_several(names, where)
    if len(records) < 2:
        raise UsageError("a comparison needs two runs", remedy="Tick two or more")
    return many_runs_page(compare_several(records, where), records)


def reported(file: Path, name: str) -> str:
    """The report of a run, as a page that runs no script.

    Raises
    ------
    MlkitError
        If there is no such run.
    """
    record = find_run(name, runs_folder(file), files=True)
    try:
        pipeline = run_pipeline(record)
    except MlkitError:  # the panel tells it; without it the graph shows no conditions
        pipeline = None
    return render_report(record, pipeline=pipeline)


def problem_of(file: Path, workspace: Workspace) -> dict[str, Any] | None:
    """What is wrong with a pipeline or its notebooks, with its place; None if nothing is."""
    form = Form(file=file)
    try:
        read_now(WatchSettings(path=file, layers=lambda: form.layers, options=form.options))
    except MlkitError as error:
        return error_document(error, workspace)
    return None


def cancel(file: Path, run_id: str | None) -> None:
    """Ask for the end of a run of a pipeline that goes on outside of this server.

    Raises
    ------
    MlkitError
        If none is named, or it is not to be stopped from here.
    """
    if not isinstance(run_id, str):
        raise UsageError("no run of this pipeline goes on")
    cancel_run(run_id, runs_folder(file))


def stage_detail(
    file: Path, run_id: str, name: str, workspace: Workspace, base_url: str
) -> dict[str, Any]:
    """Everything about one stage of a run, and whether its kernel is kept.

    Raises
    ------
    MlkitError
        If there is no such run.
    """
    record = so_far(find_run(run_id, runs_folder(file), files=True))
    server = Server(root=workspace.root.resolve(), base_url=base_url)
    stage = name.partition("[")[0]
    items = [item for item in record.stages.values() if item.stage == stage]
    chosen = next((item for item in items if item.id == name), None)
    if chosen is None:
        html = instances_html(stage, items) if items else "<p>It was no part of this run.</p>"
        return {"html": html, "kept": False}
    kept = any(each.stage == chosen.id for each in kept_of(record.runs_dir, record.run_id))
    html = stage_html(record, chosen, server, None) + _trace(record, chosen)
    return {"html": html, "kept": kept}


def _trace(record: RunRecord, item: StageRecord) -> str:
    """What the result depends on, folded away; empty where there is no result yet."""
    if item.result is None:
        return ""
    try:
        listed = trace_text(item.id, find_trace(record, item.id, record.runs_dir))
    except UsageError:  # its result was cleaned, and the record stays
        return ""
    summary = "<summary>Trace: what its result depends on</summary>"
    return f"<details>{summary}<pre>{text(listed)}</pre></details>"


def stage_of_notebook(path: str, workspace: Workspace) -> dict[str, Any] | None:
    """Which stage of which pipeline a notebook is; None if it is none.

    The pipeline.yaml of its folder is asked, and of the folders around it as far as the page
    shows them.
    """
    notebook = workspace.file(path)
    for folder in (notebook.parent, *notebook.parent.parents):
        if not folder.is_relative_to(workspace.root):
            return None
        if not (folder / PIPELINE_FILE).is_file():
            continue
        try:
            pipeline = load_pipeline(folder)
        except MlkitError:  # the panel tells it, with its line
            return None
        for name, stage in pipeline.stages.items():
            if Path(stage.notebook).resolve() == notebook.resolve():
                return {
                    "pipeline": workspace.path(Path(pipeline.file)),
                    "name": pipeline.name,
                    "stage": name,
                    "inputs": {key: str(source) for key, source in stage.inputs.items()},
                    "outputs": {key: str(output) for key, output in stage.outputs.items()},
                }
    return None
