"""What a panel is told, as JSON: a pipeline, a plan, a run, an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.core.graph import edges, levels
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import FINISHED, Status
from mlkit.errors import MlkitError
from mlkit.load.pipeline_file import profile_names
from mlkit.observe.board import Board
from mlkit.observe.signs import RUN_SIGNS, SIGNS
from mlkit.panel.form import field_documents
from mlkit.panel.workspace import Workspace
from mlkit.planner.forecast import Forecast
from mlkit.widgets.views.progress_html import progress_html

__all__ = ["error_document", "pipeline_document", "plan_document", "run_document"]

_MOST_ROWS = 300
"""More are counted: nobody reads them, and the page would be slow."""


def error_document(error: MlkitError, workspace: Workspace) -> dict[str, Any]:
    """An error, with its file as the page may open it, and the others found with it."""
    return {
        "message": error.message,
        "file": error.file,
        "path": None if error.file is None else workspace.path(error.file),
        "line": error.line,
        "remedy": error.remedy,
        "code": error.code,
        "others": [error_document(each, workspace) for each in error.others],
    }


def pipeline_document(pipeline: Pipeline, workspace: Workspace) -> dict[str, Any]:
    """A pipeline that has been read."""
    profile = pipeline.profile
    return {
        "name": pipeline.name,
        "description": pipeline.description,
        "profile": None if profile is None else profile.name,
        "profiles": profile_names(Path(pipeline.file)),
        "fields": field_documents(pipeline),
        "stages": {
            name: {
                "notebook": workspace.path(Path(stage.notebook)),
                "line": stage.line,
                "inputs": {key: str(source) for key, source in stage.inputs.items()},
                "declares": [key for key in stage.declared if key not in stage.outputs],
                "outputs": {key: str(output) for key, output in stage.outputs.items()},
            }
            for name, stage in pipeline.stages.items()
        },
        "levels": [list(level) for level in levels(edges(pipeline))],
    }


def plan_document(found: Mapping[str, Forecast]) -> dict[str, Any]:
    """What a run would do with each instance, and why."""
    rows = [
        {
            "id": key,
            "action": "skip" if item.skipped else item.action,
            "reasons": list(item.reasons),
        }
        for key, item in found.items()
    ]
    actions = [row["action"] for row in rows]
    return {
        "stages": rows[:_MOST_ROWS],
        "more": max(0, len(rows) - _MOST_ROWS),
        "counts": {str(action): actions.count(action) for action in dict.fromkeys(actions)},
    }


def run_document(record: RunRecord, board: Board, said: str) -> dict[str, Any]:
    """A run: its state, a sentence about it, and its stages with how far they have come.

    Parameters
    ----------
    record : RunRecord
        The run, as far as it has come.
    board : Board
        What its events have told; empty for one that has ended.
    said : str
        The sentence.
    """
    stages = [
        {
            "id": key,
            "stage": item.stage,
            "status": item.status.value,
            "sign": str(SIGNS[item.status]),
            "attempts": item.attempts,
        }
        for key, item in list(record.stages.items())[:_MOST_ROWS]
    ]
    return {
        "run_id": record.run_id,
        "status": record.status.value,
        "sign": str(RUN_SIGNS[record.status]),
        "started": record.started,
        "seconds": None if record.ended is None else record.seconds,
        "said": said,
        "going": progress_html(
            {key: line for key, line in board.lines.items() if line.status is Status.RUNNING}
        ),
        "finished": sum(item.status in FINISHED for item in record.stages.values()),
        "total": len(record.stages),
        "stages": stages,
        "more": max(0, len(record.stages) - _MOST_ROWS),
    }
