"""How far a score would move if other days had come: 95 % intervals by a bootstrap over days.

Flights of one day share its weather and its jams, so they are not independent and days are: what is
drawn again, with replacement, are whole days (Efron and Tibshirani, An Introduction to the
Bootstrap, 1993, chapter 8). The ends are percentiles. From few days an interval comes out somewhat
too narrow, and from one day none can be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlkit.frozen import dataclass

__all__ = [
    "Difference",
    "auc_difference",
    "auc_draws",
    "day_draws",
    "mean_draws",
    "pr_auc_draws",
    "ratio_draws",
    "spelled",
    "with_interval",
]

Floats = NDArray[np.float64]

_DRAWS = 1000
_SEED = 2013
"""Fixed, so that equal data have equal intervals, and two scores are drawn on the same days."""
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """By how much one score is above another on the same flights.

    Parameters
    ----------
    value : float
        The difference.
    low, high : float or None
        Its 95 % interval over days; None if there is only one day.
    rows, days : int
        On how many flights, and of how many days.
    """

    value: float
    low: float | None
    high: float | None
    rows: int
    days: int

    @property
    def noise(self) -> float:
        """Half the width of the interval: what days alone make of it; 0 if it is not known."""
        if self.low is None or self.high is None:
            return 0.0
        return (self.high - self.low) / 2


def _codes(day: ArrayLike) -> tuple[NDArray[np.int64], int]:
    """The number of each flight's day, and how many days there are."""
    days, code = np.unique(np.asarray(day), return_inverse=True)
    return code.astype("int64"), len(days)


def day_draws(day: ArrayLike) -> Floats:
    """Draw days with replacement, again and again.

    Parameters
    ----------
    day : array-like of shape (n_flights,)
        The day of each flight.

    Returns
    -------
    ndarray of shape (1000, n_days)
        How often each day was drawn; every row adds up to the number of days.
    """
    _, n_days = _codes(day)
    random = np.random.default_rng(_SEED)
    return random.multinomial(n_days, np.full(n_days, 1 / n_days), size=_DRAWS).astype("float64")


def _by_day(code: NDArray[np.int64], n_days: int, values: ArrayLike) -> Floats:
    """The sum of the values on each day."""
    sums: Floats = np.bincount(
        code, weights=np.asarray(values, dtype="float64"), minlength=n_days
    ).astype("float64")
    return sums


def _over(above: Floats, below: Floats) -> Floats:
    """A quotient; nan where nothing stands below."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def mean_draws(day: ArrayLike, values: ArrayLike) -> Floats:
    """The mean of a value over the flights of each draw.

    Parameters
    ----------
    day, values : array-like of shape (n_flights,)
        The day and the value of each flight.

    Returns
    -------
    ndarray of shape (1000,)
        One mean for each draw of `day_draws`.
    """
    return ratio_draws(day, values, np.ones(len(np.asarray(values))))


def ratio_draws(day: ArrayLike, above: ArrayLike, below: ArrayLike) -> Floats:
    """One sum divided by another in each draw, such as hits by late flights.

    Parameters
    ----------
    day, above, below : array-like of shape (n_flights,)
        The day of each flight, and what is summed up.

    Returns
    -------
    ndarray of shape (1000,)
        One quotient for each draw of `day_draws`; nan where the lower sum is 0.
    """
    code, n_days = _codes(day)
    drawn = day_draws(day)
    return _over(drawn @ _by_day(code, n_days, above), drawn @ _by_day(code, n_days, below))


def _pairs_in_order(
    code: NDArray[np.int64], n_days: int, late: NDArray[np.bool_], probability: Floats
) -> Floats:
    """How many late flights of day i are ranked above flights on time of day j; a tie is half one.

    ROC AUC is their share among all pairs. Counted by day once, each draw is a weighted sum.
    """
    mine, scores = code[late], probability[late]
    columns = []
    for other in range(n_days):
        on_time = np.sort(probability[~late & (code == other)])
        below = np.searchsorted(on_time, scores, "left") + np.searchsorted(on_time, scores, "right")
        columns.append(_by_day(mine, n_days, below / 2))
    return np.column_stack(columns)


def auc_draws(day: ArrayLike, late: ArrayLike, probability: ArrayLike) -> Floats:
    """ROC AUC on the flights of each draw.

    Parameters
    ----------
    day, late, probability : array-like of shape (n_flights,)
        The day, the truth (0 or 1) and the predicted probability of each flight.

    Returns
    -------
    ndarray of shape (1000,)
        One score for each draw of `day_draws`; nan where only one class was drawn.
    """
    code, n_days = _codes(day)
    truth, predicted = np.asarray(late) == 1, np.asarray(probability, dtype="float64")
    drawn = day_draws(day)
    pairs = _pairs_in_order(code, n_days, truth, predicted)
    in_order = np.einsum("bi,ij,bj->b", drawn, pairs, drawn)
    possible = (drawn @ _by_day(code, n_days, truth)) * (drawn @ _by_day(code, n_days, ~truth))
    return _over(in_order, possible)


def pr_auc_draws(day: ArrayLike, late: ArrayLike, probability: ArrayLike) -> Floats:
    """Average precision on the flights of each draw.

    Parameters
    ----------
    day, late, probability : array-like of shape (n_flights,)
        The day, the truth (0 or 1) and the predicted probability of each flight.

    Returns
    -------
    ndarray of shape (1000,)
        One score for each draw of `day_draws`; nan where no late flight was drawn.
    """
    code, _ = _codes(day)
    predicted = np.asarray(probability, dtype="float64")
    order = np.argsort(-predicted, kind="stable")
    truth, code = np.asarray(late, dtype="float64")[order], code[order]
    last_of_equal = np.flatnonzero(np.diff(predicted[order], append=np.nan) != 0)
    return np.array([_precision(drawn[code], truth, last_of_equal) for drawn in day_draws(day)])


def _precision(weight: Floats, truth: Floats, last_of_equal: NDArray[np.int64]) -> float:
    """Average precision of weighted flights in order of falling probability."""
    called = np.cumsum(weight)[last_of_equal]
    hits = np.cumsum(weight * truth)[last_of_equal]
    if hits[-1] == 0:
        return float("nan")
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])


def _ends(draws: Floats) -> tuple[float | None, float | None]:
    """The ends of the interval; None if there is no draw that has a score, or only one day."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return None, None
    low, high = np.quantile(finite, _ENDS)
    return float(low), float(high)


def with_interval(
    name: str, value: float, day: ArrayLike, draws: Floats
) -> dict[str, float | None]:
    """A score with the ends of its interval, under the names that comparisons look for.

    Parameters
    ----------
    name : str
        The score's name.
    value : float
        The score.
    day : array-like of shape (n_flights,)
        The day of each flight.
    draws : ndarray of shape (1000,)
        The score in each draw.

    Returns
    -------
    dict
        `NAME`, `NAME_low` and `NAME_high`; both ends are None if there is only one day.
    """
    low, high = _ends(draws) if _codes(day)[1] > 1 else (None, None)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def auc_difference(
    day: ArrayLike, late: ArrayLike, mine: ArrayLike, other: ArrayLike
) -> Difference:
    """Compare two models on the same flights; each draw holds the same days for both.

    What a bad day does to both cancels out, so this interval is narrower than that of either score.

    Parameters
    ----------
    day, late : array-like of shape (n_flights,)
        The day of each flight, and the truth (0 or 1); both must occur.
    mine, other : array-like of shape (n_flights,)
        The probabilities that the two models predict.

    Returns
    -------
    Difference
        ROC AUC of the first less that of the second.
    """
    truth = np.asarray(late) == 1
    n_days = _codes(day)[1]
    everything = np.zeros(len(truth), dtype="int64")
    pairs = [
        _pairs_in_order(everything, 1, truth, np.asarray(p, dtype="float64")).item()
        for p in (mine, other)
    ]
    draws = auc_draws(day, late, mine) - auc_draws(day, late, other)
    low, high = _ends(draws) if n_days > 1 else (None, None)
    possible = truth.sum() * (~truth).sum()
    value = float((pairs[0] - pairs[1]) / possible)
    return Difference(value=value, low=low, high=high, rows=len(truth), days=n_days)


def spelled(scores: Mapping[str, Any], name: str) -> str:
    """A score with its interval, as it is written everywhere.

    Parameters
    ----------
    scores : mapping
        With `NAME`, and `NAME_low` and `NAME_high` if there is an interval.
    name : str
        The score's name.

    Returns
    -------
    str
        Such as `0.6983 (0.651 to 0.745)`, or the bare number.
    """
    value, low, high = (scores.get(key) for key in (name, f"{name}_low", f"{name}_high"))
    bare = f"{float(scores[name] if value is None else value):.4f}"
    return bare if low is None or high is None else f"{bare} ({low:.3f} to {high:.3f})"
