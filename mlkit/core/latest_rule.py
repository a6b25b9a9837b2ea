"""What `latest` is: the one rule by which a run takes the place of the run that it shows.

`latest` shows the newest whole, successful run of the pipeline as its file has it. A run with
values, or a profile, of its own is an experiment: it takes the place only of a run with the same
ones, and of none at all. A promoted run gives way to runs that began after its promotion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkit.core.logical_date import LOGICAL_DATE
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.values import canonical, encode

__all__ = ["differing", "is_plain", "own_settings", "takes_over"]


def takes_over(
    run: RunRecord, shown: RunRecord | None, *, began_later: bool, began_after_promotion: bool
) -> bool:
    """Say whether a run that has ended becomes `latest`. Pure: no disk, no clock.

    Parameters
    ----------
    run : RunRecord
        The run.
    shown : RunRecord, optional
        What `latest` shows; None if it shows nothing, or a run that is gone.
    began_later : bool
        Whether the run began after the one that is shown.
    began_after_promotion : bool
        Whether it began after a run was promoted last; true if none was.
    """
    if not (run.complete and run.ok):
        return False
    if shown is None or not shown.ok or shown.run_id == run.run_id:
        return True
    if not began_after_promotion:
        return False
    if is_plain(run):
        return began_later or not is_plain(shown)
    return began_later and not run.group and own_settings(run) == own_settings(shown)


def is_plain(run: RunRecord) -> bool:
    """Whether a run was one of the pipeline as its file has it."""
    return not run.group and own_settings(run) == {}


def own_settings(run: RunRecord) -> dict[str, Any]:
    """What a run had that the file has not: values by name, and `--profile`.

    The interval of a schedule is no setting: its runs are the pipeline's own.
    """
    given: Mapping[str, Any] = run.options.get("overrides") or {}
    names = run.options.get("differing", list(given))
    own = {n: given[n] for n in names if n in given and n.rpartition(".")[2] != LOGICAL_DATE}
    profile = run.options.get("profile")
    return {**own, **({"--profile": profile} if profile else {})}


def differing(pipeline: Pipeline, overrides: Mapping[str, Any]) -> list[str]:
    """The names that were given a value other than the one that the file has.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline, with its profile.
    overrides : mapping of str to object
        What was given beside pipeline.yaml, encoded, by `NAME` or `STAGE.NAME`.
    """
    profile = {} if pipeline.profile is None else pipeline.profile.parameters
    of_stages = {
        f"{stage.name}.{name}": value
        for stage in pipeline.stages.values()
        for name, value in stage.parameters.items()
    }
    known = {**pipeline.parameters, **of_stages, **profile}
    return [
        name
        for name, value in overrides.items()
        if name not in known or canonical(encode(known[name])) != canonical(value)
    ]
