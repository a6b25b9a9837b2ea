"""Choose on the validation part, and report on the test part once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn import metrics

from mlkit.ml import intervals
from mlkit.ml.stage_errors import ModelError

__all__ = [
    "best_threshold",
    "calibration",
    "cheapest_threshold",
    "choose",
    "compare",
    "costs",
    "probability_scores",
    "report",
    "threshold_scores",
]


def probability_scores(
    late: ArrayLike, probability: ArrayLike, known_rate: float, day: ArrayLike | None = None
) -> dict[str, Any]:
    """Compute the scores that need no threshold.

    Parameters
    ----------
    late : array-like of shape (n_flights,)
        The truth, 0 or 1; both must occur.
    probability : array-like of shape (n_flights,)
        The predicted probability of being late.
    known_rate : float
        The share of late flights in the training part, which is what one would say of every flight
        without a model (the share in the part that is scored is known only afterwards).
    day : array-like of shape (n_flights,), optional
        The day of each flight: with it, the first four come with intervals (`roc_auc_low`, ...).

    Returns
    -------
    dict
        `roc_auc`, `pr_auc` (average precision), `brier` (mean squared error of the probability),
        `base_rate` (share of late flights: the PR AUC of guessing), `expected_rate` (the mean
        probability) and `brier_of_known_rate` (the Brier score of saying `known_rate` of every
        flight).
    """
    truth, predicted = np.asarray(late, dtype="float64"), np.asarray(probability, dtype="float64")
    scores = {
        "roc_auc": float(metrics.roc_auc_score(late, probability)),
        "pr_auc": float(metrics.average_precision_score(late, probability)),
        "brier": float(metrics.brier_score_loss(late, probability)),
        "base_rate": float(truth.mean()),
        "expected_rate": float(predicted.mean()),
        "brier_of_known_rate": float(np.mean((truth - known_rate) ** 2)),
    }
    if day is None:
        return scores
    draws = {
        "roc_auc": intervals.auc_draws(day, late, probability),
        "pr_auc": intervals.pr_auc_draws(day, late, probability),
        "brier": intervals.mean_draws(day, (truth - predicted) ** 2),
        "base_rate": intervals.mean_draws(day, truth),
    }
    return _with_intervals(scores, day, draws)


def _with_intervals(
    scores: dict[str, Any], day: ArrayLike, draws: Mapping[str, intervals.Floats]
) -> dict[str, Any]:
    """The scores, with the ends of an interval for those that were drawn."""
    for name, drawn in draws.items():
        scores |= intervals.with_interval(name, scores[name], day, drawn)
    return scores


def best_threshold(late: ArrayLike, probability: ArrayLike) -> float:
    """The probability from which on to call a flight late, so that F1 is greatest.

    Parameters
    ----------
    late : array-like of shape (n_flights,)
        The truth of the validation part, 0 or 1.
    probability : array-like of shape (n_flights,)
        The predicted probability of being late.
    """
    precision, recall, thresholds = metrics.precision_recall_curve(late, probability)
    product, total = precision * recall, precision + recall
    f1 = np.divide(2 * product, total, out=np.zeros_like(total), where=total > 0)
    return float(thresholds[int(np.argmax(f1[:-1]))])


def costs(
    late: ArrayLike, probability: ArrayLike, threshold: float, missed_cost: float
) -> dict[str, float]:
    """What the answers at a threshold cost, a false alarm being the unit.

    Parameters
    ----------
    late, probability : array-like of shape (n_flights,)
        The truth, 0 or 1, and the predicted probability of being late.
    threshold : float
        Flights with at least this probability are called late.
    missed_cost : float
        What a late flight costs that was called on time; one that was called late costs nothing.

    Returns
    -------
    dict
        For a flight in the mean: `cost`, `cost_of_always_on_time` and `cost_of_always_late`.
    """
    truth = np.asarray(late) == 1
    called = np.asarray(probability) >= threshold
    return {
        "cost": float(missed_cost * (truth & ~called).mean() + (~truth & called).mean()),
        "cost_of_always_on_time": float(missed_cost * truth.mean()),
        "cost_of_always_late": float((~truth).mean()),
    }


def cheapest_threshold(late: ArrayLike, probability: ArrayLike, missed_cost: float) -> float:
    """The probability from which on to call a flight late, so that mistakes cost least.

    Parameters
    ----------
    late : array-like of shape (n_flights,)
        The truth of the validation part, 0 or 1.
    probability : array-like of shape (n_flights,)
        The predicted probability of being late.
    missed_cost : float
        What a late flight costs that was called on time, in false alarms.

    Returns
    -------
    float
        One of the probabilities, or just above the greatest if calling nothing late is cheapest.
        For true probabilities it is near `1 / (1 + missed_cost)`.

    Raises
    ------
    ModelError
        The cost is not above 0.
    """
    if not missed_cost > 0:
        raise ModelError(f"missed_cost={missed_cost!r} is no cost; give a number above 0")
    truth, predicted = np.asarray(late) == 1, np.asarray(probability, dtype="float64")
    order = np.argsort(-predicted, kind="stable")
    saved = np.cumsum(np.where(truth[order], missed_cost, -1.0))
    last_of_equal = np.flatnonzero(np.diff(predicted[order], append=np.nan) != 0)
    best = int(np.argmax(saved[last_of_equal]))
    if saved[last_of_equal[best]] <= 0:
        return float(np.nextafter(predicted.max(), np.inf))
    return float(predicted[order][last_of_equal[best]])


def threshold_scores(
    late: ArrayLike, probability: ArrayLike, threshold: float, day: ArrayLike | None = None
) -> dict[str, Any]:
    """Compute the scores of the yes-or-no answer at a threshold.

    Parameters
    ----------
    late : array-like of shape (n_flights,)
        The truth, 0 or 1.
    probability : array-like of shape (n_flights,)
        The predicted probability of being late.
    threshold : float
        Flights with at least this probability are called late.
    day : array-like of shape (n_flights,), optional
        The day of each flight: with it, the scores come with intervals (`recall_low`, ...).

    Returns
    -------
    dict
        `threshold`, `accuracy`, `accuracy_of_always_on_time`, `precision`, `recall`, `f1`, and
        `confusion` with the four counts.
    """
    truth = np.asarray(late)
    called = (np.asarray(probability) >= threshold).astype(int)
    on_time, false_alarm, missed, hit = metrics.confusion_matrix(
        truth, called, labels=[0, 1]
    ).ravel()
    scores = {
        "threshold": float(threshold),
        "accuracy": float(metrics.accuracy_score(truth, called)),
        "accuracy_of_always_on_time": float(1.0 - truth.mean()),
        "precision": float(metrics.precision_score(truth, called, zero_division=0.0)),
        "recall": float(metrics.recall_score(truth, called, zero_division=0.0)),
        "f1": float(metrics.f1_score(truth, called, zero_division=0.0)),
        "confusion": {
            "on_time_called_on_time": int(on_time),
            "on_time_called_late": int(false_alarm),
            "late_called_on_time": int(missed),
            "late_called_late": int(hit),
        },
    }
    if day is None:
        return scores
    hits = truth * called
    draws = {
        "accuracy": intervals.mean_draws(day, truth == called),
        "precision": intervals.ratio_draws(day, hits, called),
        "recall": intervals.ratio_draws(day, hits, truth),
        "f1": intervals.ratio_draws(day, 2 * hits, called + truth),
    }
    return _with_intervals(scores, day, draws)


def calibration(
    late: ArrayLike, probability: ArrayLike, bins: int = 10, day: ArrayLike | None = None
) -> list[dict[str, Any]]:
    """Compare predicted probabilities with what happened, in bins of equal size.

    Parameters
    ----------
    late : array-like of shape (n_flights,)
        The truth, 0 or 1.
    probability : array-like of shape (n_flights,)
        The predicted probability of being late.
    bins : int
        The number of bins.
    day : array-like of shape (n_flights,), optional
        The day of each flight: with it, `observed` comes with its interval over days.

    Returns
    -------
    list of dict
        For each bin `predicted` (mean probability), `observed` (share of late) and `rows`.
    """
    truth, predicted = np.asarray(late), np.asarray(probability)
    order = np.argsort(predicted, kind="stable")
    found = []
    for part in (part for part in np.array_split(order, bins) if len(part)):
        entry = {
            "predicted": float(predicted[part].mean()),
            "observed": float(truth[part].mean()),
            "rows": len(part),
        }
        if day is not None:
            days = np.asarray(day)[part]
            draws = {"observed": intervals.mean_draws(days, truth[part])}
            entry = _with_intervals(entry, days, draws)
        found.append(entry)
    return found


def choose(candidates: Sequence[Mapping[str, Any]]) -> int:
    """Choose the candidate with the greatest validation ROC AUC; the first one of equals.

    Parameters
    ----------
    candidates : sequence of mapping
        What the training stages wrote: at least `model` and `roc_auc` (validation part).

    Returns
    -------
    int
        The position of the chosen one.

    Raises
    ------
    ModelError
        There is no candidate.
    """
    if not candidates:
        raise ModelError("there is no candidate to choose from; train at least one model")
    return int(np.argmax([float(candidate["roc_auc"]) for candidate in candidates]))


def compare(
    names: Sequence[str], day: ArrayLike, late: ArrayLike, probabilities: Sequence[ArrayLike]
) -> pd.DataFrame:
    """Compare every candidate with the one that ranks best, on the same flights.

    Parameters
    ----------
    names : sequence of str
        The candidates.
    day, late : array-like of shape (n_flights,)
        The day of each flight, and the truth, 0 or 1.
    probabilities : sequence of array-like of shape (n_flights,)
        What each candidate predicts.

    Returns
    -------
    DataFrame of shape (n_candidates, 6)
        By name: `roc_auc`, `roc_auc_low` and `roc_auc_high` (over days), and `behind` (how far it
        is below the best, with days drawn alike for both) with `behind_low` and `behind_high`.
    """
    rows = []
    scores = [float(metrics.roc_auc_score(late, p)) for p in probabilities]
    best = probabilities[int(np.argmax(scores))]
    for score, predicted in zip(scores, probabilities, strict=True):
        draws = intervals.auc_draws(day, late, predicted)
        gap = intervals.auc_difference(day, late, best, predicted)
        behind = {"behind": gap.value, "behind_low": gap.low, "behind_high": gap.high}
        rows.append(intervals.with_interval("roc_auc", score, day, draws) | behind)
    return pd.DataFrame(rows, index=pd.Index(names, name="candidate"))


def report(
    late: ArrayLike,
    probability: ArrayLike,
    *,
    threshold: float,
    known_rate: float,
    day: ArrayLike | None = None,
) -> dict[str, Any]:
    """Everything that is said about the chosen model on the test part.

    Parameters
    ----------
    late : array-like of shape (n_flights,)
        The truth of the test part, 0 or 1.
    probability : array-like of shape (n_flights,)
        The predicted probability of being late.
    threshold : float
        The threshold that was chosen on the validation part.
    known_rate : float
        The share of late flights in the rows that the model was trained on.
    day : array-like of shape (n_flights,), optional
        The day of each flight: with it, every score comes with its interval over days.

    Returns
    -------
    dict
        `probability_scores`, `threshold_scores` and `calibration` in one.
    """
    return (
        probability_scores(late, probability, known_rate, day)
        | threshold_scores(late, probability, threshold, day)
        | {"calibration": calibration(late, probability, day=day)}
    )
