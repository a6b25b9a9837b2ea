"""The link `latest` of a runs folder, and what was promoted to it."""

from __future__ import annotations

import json
from typing import Any

from mlkit.core.latest_rule import is_plain, takes_over
from mlkit.core.record import RunRecord
from mlkit.frozen import dataclass
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.writing import write_json

__all__ = ["PROMOTED", "Promotion", "point_latest", "promote", "take_in_promotion"]

PROMOTED = ".promoted.json"
"""The file that tells which run was promoted last."""


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """That a person has made a run `latest`.

    Parameters
    ----------
    run_id : str
        The run.
    after : str
        The run that had begun last by then: those that began later may take its place.
    """

    run_id: str
    after: str

    def to_json(self) -> dict[str, Any]:
        """The promotion as it stands in its file."""
        return {"run_id": self.run_id, "after": self.after}


def point_latest(runs: RunsFolder, database: Database, record: RunRecord) -> None:
    """Point `latest` at a run that has ended, if the rule of `core.latest_rule` says so.

    Which began later is told by the database, where clocks do not matter.
    """
    with runs.pointing():
        shown_id = runs.latest_id()
        shown = None if shown_id is None else database.run_alone(shown_id)
        promotion = _promotion(runs)
        if takes_over(
            record,
            shown,
            began_later=shown is None or database.is_later(record.run_id, shown.run_id),
            began_after_promotion=promotion is None
            or database.is_later(record.run_id, promotion.after),
        ):
            runs.set_latest(record.run_id)


def promote(runs: RunsFolder, database: Database, run_id: str) -> Promotion:
    """Make a run `latest`, whatever the rule says; a later run of the file takes its place."""
    promotion = Promotion(run_id=run_id, after=database.newest_run_id() or run_id)
    with runs.pointing():
        write_json(promotion.to_json(), runs.path / PROMOTED)
        runs.set_latest(run_id)
    return promotion


def take_in_promotion(runs: RunsFolder, database: Database, told: bytes) -> None:
    """Follow a promotion that another machine has made, unless a later run has taken its place."""
    news = _read(told)
    if news is None or news == _promotion(runs) or database.run_alone(news.run_id) is None:
        return
    with runs.pointing():
        write_json(news.to_json(), runs.path / PROMOTED)
        shown_id = runs.latest_id()
        shown = None if shown_id is None else database.run_alone(shown_id)
        newer = shown is not None and database.is_later(shown.run_id, news.after)
        if not (newer and shown is not None and is_plain(shown)):
            runs.set_latest(news.run_id)


def _promotion(runs: RunsFolder) -> Promotion | None:
    try:
        return _read((runs.path / PROMOTED).read_bytes())
    except FileNotFoundError:
        return None


def _read(data: bytes) -> Promotion | None:
    """Read a promotion; None of a file that is none, which nobody but its writer could mend."""
    try:
        told = json.loads(data)
        found = Promotion(run_id=str(told["run_id"]), after=str(told["after"]))
    except (ValueError, KeyError, TypeError):
        return None
    return found if "/" not in found.run_id and not found.run_id.startswith(".") else None
