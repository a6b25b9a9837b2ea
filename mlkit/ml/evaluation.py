"""Choose on the validation part, and report on the test part once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn import metrics

from mlkit.ml.stage_errors import ModelError

__all__ = [
    "best_threshold",
    "calibration",
    "choose",
    "probability_scores",
    "report",
    "threshold_scores",
]


def probability_scores(
    late: ArrayLike, probability: ArrayLike, known_rate: float
) -> dict[str, float]:
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

    Returns
    -------
    dict
        `roc_auc`, `pr_auc` (average precision), `brier` (mean squared error of the probability),
        `base_rate` (share of late flights: the PR AUC of guessing) and `brier_of_known_rate` (the
        Brier score of saying `known_rate` of every flight).
    """
    truth = np.asarray(late, dtype="float64")
    return {
        "roc_auc": float(metrics.roc_auc_score(late, probability)),
        "pr_auc": float(metrics.average_precision_score(late, probability)),
        "brier": float(metrics.brier_score_loss(late, probability)),
        "base_rate": float(truth.mean()),
        "brier_of_known_rate": float(np.mean((truth - known_rate) ** 2)),
    }


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


def threshold_scores(late: ArrayLike, probability: ArrayLike, threshold: float) -> dict[str, Any]:
    """Compute the scores of the yes-or-no answer at a threshold.

    Parameters
    ----------
    late : array-like of shape (n_flights,)
        The truth, 0 or 1.
    probability : array-like of shape (n_flights,)
        The predicted probability of being late.
    threshold : float
        Flights with at least this probability are called late.

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
    return {
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


def calibration(late: ArrayLike, probability: ArrayLike, bins: int = 10) -> list[dict[str, Any]]:
    """Compare predicted probabilities with what happened, in bins of equal size.

    Parameters
    ----------
    late : array-like of shape (n_flights,)
        The truth, 0 or 1.
    probability : array-like of shape (n_flights,)
        The predicted probability of being late.
    bins : int
        The number of bins.

    Returns
    -------
    list of dict
        For each bin `predicted` (mean probability), `observed` (share of late) and `rows`.
    """
    truth, predicted = np.asarray(late), np.asarray(probability)
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [
        {
            "predicted": float(predicted[part].mean()),
            "observed": float(truth[part].mean()),
            "rows": len(part),
        }
        for part in parts
    ]


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


def report(
    late: ArrayLike, probability: ArrayLike, *, threshold: float, known_rate: float
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
        The share of late flights in the training part.

    Returns
    -------
    dict
        `probability_scores`, `threshold_scores` and `calibration` in one.
    """
    return (
        probability_scores(late, probability, known_rate)
        | threshold_scores(late, probability, threshold)
        | {"calibration": calibration(late, probability)}
    )
