"""The picture of a pipeline, or of a run: as text, as Mermaid, as SVG."""

from __future__ import annotations

from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.reports.dag import Dag, dag_of_pipeline, dag_of_record
from mlkit.reports.graph_svg import draw_dag
from mlkit.reports.graph_text import draw_mermaid, draw_rails

__all__ = ["to_mermaid", "to_svg", "to_text"]


def _dag(subject: Pipeline | RunRecord, record: RunRecord | None) -> Dag:
    if isinstance(subject, RunRecord):
        return dag_of_record(subject)
    return dag_of_pipeline(subject, record)


def to_text(
    subject: Pipeline | RunRecord, record: RunRecord | None = None, *, width: int = 80
) -> str:
    """Draw the DAG with the characters of a terminal.

    Parameters
    ----------
    subject : Pipeline or RunRecord
        What to draw; a record alone knows no conditions.
    record : RunRecord, optional
        A run of the pipeline, whose states are shown.
    width : int
        The terminal's columns.
    """
    return draw_rails(_dag(subject, record), width)


def to_mermaid(subject: Pipeline | RunRecord, record: RunRecord | None = None) -> str:
    """Write the DAG as a Mermaid flowchart; the parameters are those of `to_text`."""
    return draw_mermaid(_dag(subject, record))


def to_svg(
    subject: Pipeline | RunRecord,
    record: RunRecord | None = None,
    *,
    styled: bool = True,
    folded: bool = False,
) -> str:
    """Draw the DAG as one SVG element.

    Parameters
    ----------
    subject, record
        As in `to_text`.
    styled : bool
        Whether it carries its own style sheet, light and dark.
    folded : bool
        Whether a map's values are counted instead of listed.
    """
    dag = _dag(subject, record)
    return draw_dag(dag.folded() if folded else dag, styled=styled)
