"""What the parts of the driver share during one run."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.core.record import StageRecord
from mlkit.driver.book import Book
from mlkit.driver.connecting import Stores
from mlkit.driver.executors import AttemptExecutor
from mlkit.driver.order import Order
from mlkit.frozen import dataclass
from mlkit.planner.deciding import Planner

__all__ = ["Context"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """One run under way.

    Parameters
    ----------
    order : Order
        What is asked for.
    stores : Stores
        Where what runs make is kept.
    planner : Planner
        Decides what runs and what is reused.
    attempts : AttemptExecutor
        Where attempts run.
    book : Book
        What has become of the run so far; all that changes stands there.
    previous : mapping of str to StageRecord
        What the run had come to before it was resumed.
    """

    order: Order
    stores: Stores
    planner: Planner
    attempts: AttemptExecutor
    book: Book
    previous: Mapping[str, StageRecord]
