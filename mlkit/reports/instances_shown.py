"""Which instances of a large map a report shows: the page of ten thousand is to stay readable."""

from __future__ import annotations

from dataclasses import replace

from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL
from mlkit.frozen import dataclass

__all__ = ["MOST_INSTANCES", "Shown", "shown_instances"]

MOST_INSTANCES = 200
"""So many of each stage, if the run has more than `_MANY` of all stages together."""

_MANY = 1000


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A run's record as its report shows it.

    Parameters
    ----------
    record : RunRecord
        With the instances that are shown.
    said : tuple of str
        A sentence for each stage of which some are not.
    """

    record: RunRecord
    said: tuple[str, ...] = ()


def shown_instances(record: RunRecord) -> Shown:
    """Choose what a report shows of a run: all, or of each large map the first that matter.

    Those come first that did not succeed, then those that were tried again, then the others; what
    is chosen stays in its order.

    Parameters
    ----------
    record : RunRecord
        The run.
    """
    if len(record.stages) <= _MANY:
        return Shown(record=record)
    by_stage: dict[str, list[StageRecord]] = {}
    for item in record.stages.values():
        by_stage.setdefault(item.stage, []).append(item)
    kept: set[str] = set()
    said = []
    for stage, items in by_stage.items():
        chosen = sorted(items, key=_urgency)[:MOST_INSTANCES]
        kept.update(item.id for item in chosen)
        if len(items) > len(chosen):
            said.append(
                f"Of stage '{stage}', {len(chosen)} of {len(items):,} instances are shown: first "
                "those that did not succeed or were tried again. run.json has all."
            )
    stages = {key: item for key, item in record.stages.items() if key in kept}
    return Shown(record=replace(record, stages=stages), said=tuple(said))


def _urgency(item: StageRecord) -> int:
    if item.status not in SUCCESSFUL:
        return 0
    return 1 if item.attempts > 1 else 2
