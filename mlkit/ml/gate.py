"""Decide whether a candidate may be registered. Pure: the registry's state comes in as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from mlkit.frozen import dataclass
from mlkit.ml.intervals import Difference, auc_difference, spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Decision", "Rules", "Verdict", "decide", "paired"]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a candidate must reach.

    Parameters
    ----------
    min_roc_auc : float
        The least ROC AUC on the test part.
    tolerance : float
        By how much ROC AUC a candidate may be worse than the champion, whatever the noise. It may
        be worse by the noise in any case: half the 95 % interval over days.
    """

    min_roc_auc: float
    tolerance: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One rule's verdict.

    Parameters
    ----------
    rule : str
        What was asked.
    passed : bool
        Whether it holds.
    detail : str
        The numbers.
    """

    rule: str
    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the gate says, and why.

    Parameters
    ----------
    decision : "register" or "alert"
        Which branch goes on.
    verdicts : tuple of Verdict
        One for each rule, whether it passed or not.
    reason : str
        Why, in a sentence.
    """

    decision: Literal["register", "alert"]
    verdicts: tuple[Verdict, ...]
    reason: str

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The rules that do not hold."""
        return tuple(verdict for verdict in self.verdicts if not verdict.passed)

    def as_dict(self) -> dict[str, Any]:
        """The decision as JSON can hold it."""
        return asdict(self) | {"verdicts": [asdict(verdict) for verdict in self.verdicts]}


def _better_than(metrics: Mapping[str, Any], score: str, guess: str, sign: int) -> Verdict:
    """Whether a score is better than that of guessing; `sign` is -1 where less is better."""
    value, guessed = float(metrics[score]), float(metrics[guess])
    word = "above" if sign > 0 else "below"
    return Verdict(
        rule=f"{score} is {word} {guess}",
        passed=sign * (value - guessed) > 0,
        detail=f"{value:.4f} against {guessed:.4f}",
    )


def paired(mine: pd.DataFrame | None, champions: pd.DataFrame | None) -> Difference | None:
    """Compare the candidate's and the champion's answers, flight by flight.

    Parameters
    ----------
    mine, champions : DataFrame of shape (n_flights, 3) or None
        `day`, `late` and `probability`.

    Returns
    -------
    Difference or None
        ROC AUC of the candidate less that of the champion; None if one has no answers, or both are
        not about the same flights.
    """
    if mine is None or champions is None or not len(champions):
        return None
    asked = ["day", "late"]
    if not mine[asked].reset_index(drop=True).equals(champions[asked].reset_index(drop=True)):
        return None
    answers = (mine["probability"], champions["probability"])
    return auc_difference(mine["day"], mine["late"], *answers)


def _same_test_days(metrics: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both were tested on the same flights, as far as days and rows tell."""
    return bool(metrics.get("parts", {}).get("test") == other.get("parts", {}).get("test"))


def _against_champion(
    metrics: Mapping[str, Any],
    digest: str,
    champion: Mapping[str, Any] | None,
    tolerance: float,
    difference: Difference | None,
) -> Verdict:
    """Whether the candidate is not worse than the champion."""
    rule = f"roc_auc is at most {tolerance:g} below the champion's"
    if champion is None:
        return Verdict(rule=rule, passed=True, detail="there is no champion yet")
    version = champion["version"]
    if champion["digest"] == digest:
        return Verdict(rule=rule, passed=True, detail=f"it is the champion, version {version}")
    if difference is not None:
        return _on_the_same_flights(difference, version, tolerance)
    mine, other = float(metrics["roc_auc"]), float(champion["metrics"]["roc_auc"])
    noise = _noise(metrics)
    allowed = max(tolerance, noise)
    days = "the same" if _same_test_days(metrics, champion["metrics"]) else "other"
    return Verdict(
        rule=f"roc_auc is at most {allowed:.4g} below the champion's",
        passed=mine >= other - allowed,
        detail=f"{mine:.4f} against {other:.4f} of version {version}, tested on {days} flights",
    )


def _noise(metrics: Mapping[str, Any]) -> float:
    """Half the interval of the candidate's own score; 0 if it is not known."""
    low, high = metrics.get("roc_auc_low"), metrics.get("roc_auc_high")
    return 0.0 if low is None or high is None else (float(high) - float(low)) / 2


def _on_the_same_flights(difference: Difference, version: int, tolerance: float) -> Verdict:
    """The champion's rule, where both models answered for the same flights."""
    allowed, noise = max(tolerance, difference.noise), difference.noise
    where = f"on the same {difference.rows:,} flights of {difference.days} days"
    moved = f"{abs(difference.value):.4f} {'above' if difference.value >= 0 else 'below'}"
    return Verdict(
        rule=f"roc_auc is at most {allowed:.4g} below the champion's",
        passed=difference.value >= -allowed,
        detail=f"{moved} version {version} {where}; days alone move this by ±{noise:.4f}",
    )


def _reason(verdicts: tuple[Verdict, ...], metrics: Mapping[str, Any]) -> str:
    """The decision in a sentence: what failed, or what it is good enough by."""
    failed = [f"{verdict.rule} ({verdict.detail})" for verdict in verdicts if not verdict.passed]
    if failed:
        return f"Not registered, since it does not hold that {', nor that '.join(failed)}."
    return f"Registered: ROC AUC {spelled(metrics, 'roc_auc')} is enough; {verdicts[-1].detail}."


def decide(
    metrics: Mapping[str, Any],
    digest: str,
    champion: Mapping[str, Any] | None,
    rules: Rules,
    difference: Difference | None = None,
) -> Decision:
    """Hold a candidate against every rule.

    Parameters
    ----------
    metrics : mapping
        The candidate's test metrics: `roc_auc`, `pr_auc`, `base_rate`, `brier`,
        `brier_of_known_rate`, and `parts` to tell the test days.
    digest : str
        The sha256 digest of the candidate's file.
    champion : mapping or None
        `version`, `digest` and `metrics` of the registry's champion; None if there is none.
    rules : Rules
        What must be reached.
    difference : Difference, optional
        What `paired` found. Without it, the score that the champion was registered with is taken,
        and the noise of the candidate's own score.

    Returns
    -------
    Decision
        "register" if every rule holds, otherwise "alert".
    """
    auc = float(metrics["roc_auc"])
    verdicts = (
        Verdict(
            rule=f"roc_auc is at least {rules.min_roc_auc:g}",
            passed=auc >= rules.min_roc_auc,
            detail=f"{auc:.4f}",
        ),
        _better_than(metrics, "pr_auc", "base_rate", 1),
        _better_than(metrics, "brier", "brier_of_known_rate", -1),
        _against_champion(metrics, digest, champion, rules.tolerance, difference),
    )
    passed = all(verdict.passed for verdict in verdicts)
    return Decision(
        decision="register" if passed else "alert",
        verdicts=verdicts,
        reason=_reason(verdicts, metrics),
    )
