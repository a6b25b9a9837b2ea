"""Whether a round of a watch is due, and why. Pure: no disk, no clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mlkit.core.instances import stage_of
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL, WELL_ENDED
from mlkit.planner.forecast import Forecast
from mlkit.planner.trace import MEANWHILE

__all__ = ["overtaken", "reasons_of", "restless"]

_OUTDATED = "an earlier result holds again"


def restless(found: Mapping[str, Forecast], record: RunRecord) -> frozenset[str]:
    """What the planner would run again at once, though it has just ended well.

    Of these a change is told by the places that they depend on.
    """
    return frozenset(
        name
        for name, item in found.items()
        if item.action == "run"
        and name in record.stages
        and record.stages[name].status in WELL_ENDED
    )


def overtaken(found: Mapping[str, Forecast]) -> frozenset[str]:
    """The instances that read something which was saved while they ran."""
    return frozenset(
        name
        for name, item in found.items()
        if item.action == "run" and any(MEANWHILE in reason for reason in item.reasons)
    )


def reasons_of(
    found: Mapping[str, Forecast],
    record: RunRecord | None,
    settled: Collection[str] = (),
) -> tuple[str, ...]:
    """Say why a round is due, a line for each stage; none if it is not.

    Parameters
    ----------
    found : mapping of str to Forecast
        What the planner says now.
    record : RunRecord, optional
        The last round.
    settled : collection of str
        Instances that the planner would run in any case, and for which nothing has changed.
    """
    stages = {} if record is None else record.stages
    why: dict[str, list[str]] = {}
    for name, item in found.items():
        said = None if name in settled else _of_one(item, stages.get(name))
        if said:
            why.setdefault(f"{stage_of(name)}: {said}", []).append(name)
    unknown = {stage_of(name) for name, item in found.items() if item.action == "unknown"}
    for name, before in stages.items():
        if name not in found and before.status in WELL_ENDED and before.stage not in unknown:
            why.setdefault(f"{before.stage}: is gone", []).append(name)
    if not why and record is not None and not record.ok:
        why["the last round did not succeed"] = [""]
    return tuple(
        reason if len(names) == 1 else f"{reason} ({len(names)} instances)"
        for reason, names in why.items()
    )


def _of_one(item: Forecast, before: StageRecord | None) -> str:
    """Why one instance makes a round due; empty if it does not."""
    if item.action == "run":
        if before is None or before.status in WELL_ENDED:
            return "; ".join(item.reasons)
        state = before.status.value.replace("_", " ")
        return "; ".join((*item.reasons, f"{state} in the last round"))
    if item.action == "reuse":
        return _OUTDATED if before is None or before.result != item.result else ""
    if item.waits or before is None or before.status not in SUCCESSFUL:
        return ""
    return "; ".join(item.reasons)
