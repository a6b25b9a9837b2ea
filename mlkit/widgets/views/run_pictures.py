"""The pictures of a run that several views share."""

from __future__ import annotations

from dataclasses import replace

from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.reports.graph_forms import to_svg
from mlkit.reports.timeline import draw_timeline

__all__ = ["run_pictures"]


def run_pictures(
    pipeline: Pipeline | None, record: RunRecord | None, *, folded: bool = False
) -> list[str]:
    """Draw the DAG, with a run's states if there is one, and then the run's timeline.

    Parameters
    ----------
    pipeline : Pipeline or None
        Its stages; without it the record alone tells of them.
    record : RunRecord or None
        The run.
    folded : bool
        Whether a map's values are counted instead of listed.
    """
    if record is None:
        return [] if pipeline is None else [to_svg(pipeline, styled=False, folded=folded)]
    known = pipeline is not None and {i.stage for i in record.stages.values()} <= set(
        pipeline.stages
    )
    dag = (
        to_svg(pipeline, record, styled=False, folded=folded)
        if pipeline and known
        else to_svg(record, styled=False, folded=folded)
    )
    begun = {k: v for k, v in record.stages.items() if v.status is not Status.WAITING or v.history}
    if not any(item.history for item in begun.values()):
        return [dag]
    return [dag, draw_timeline(replace(record, stages=begun), styled=False)]
