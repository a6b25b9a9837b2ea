"""Whether a stage may start that waits for its own success in the interval before."""

from __future__ import annotations

from collections.abc import Sequence

from mlkit.core.record import RunRecord
from mlkit.core.states import FINISHED, WELL_ENDED
from mlkit.frozen import dataclass

__all__ = ["Earlier", "LookedBack", "look_back"]


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A run of the interval before.

    Parameters
    ----------
    run : RunRecord
        As far as it is.
    is_alive : bool
        Whether a process works on it.
    """

    run: RunRecord
    is_alive: bool


@dataclass(frozen=True, kw_only=True)
class LookedBack:
    """What the interval before says; with neither of these, the stage may start.

    Parameters
    ----------
    waits_for : str
        The run that is still at it.
    trouble : str
        Why the stage must not start.
    """

    waits_for: str = ""
    trouble: str = ""


def look_back(instance_id: str, earlier: Sequence[Earlier], before: str) -> LookedBack:
    """Say what an instance's own state in the interval before means for it. Pure.

    As in Airflow, one that was skipped there has nothing against it, and neither has an interval
    without a run, nor a run without such an instance: the first one has no past.

    Parameters
    ----------
    instance_id : str
        `STAGE` or `STAGE[VALUE]`.
    earlier : sequence of Earlier
        The runs of the interval before, oldest first; one good end is enough.
    before : str
        That interval, for people.
    """
    states = [item.run.stages.get(instance_id) for item in earlier]
    if any(known is not None and known.status in WELL_ENDED for known in states):
        return LookedBack()
    for item, known in zip(earlier, states, strict=True):
        if item.is_alive and (known is None or known.status not in FINISHED):
            return LookedBack(waits_for=item.run.run_id)
    for item, known in reversed(list(zip(earlier, states, strict=True))):
        if known is not None:
            state = known.status.value if known.status in FINISHED else "was not finished"
            return LookedBack(
                trouble=f"in the interval before, {before}, it {_said(state)} (run "
                f"{item.run.run_id})"
            )
    return LookedBack()


def _said(state: str) -> str:
    return {"cancelled": "was cancelled", "upstream_failed": "could not start"}.get(state, state)
