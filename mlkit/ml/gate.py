"""Decide whether a candidate may be registered. Pure: the registry's state comes in as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Decision", "Rules", "Verdict", "decide"]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a candidate must reach.

    Parameters
    ----------
    min_roc_auc : float
        The least ROC AUC on the test part.
    tolerance : float
        By how much ROC AUC a candidate may be worse than the champion.
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
    """

    decision: Literal["register", "alert"]
    verdicts: tuple[Verdict, ...]

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


def _same_test_days(metrics: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both were tested on the same flights, as far as days and rows tell."""
    return bool(metrics.get("parts", {}).get("test") == other.get("parts", {}).get("test"))


def _against_champion(
    metrics: Mapping[str, Any], digest: str, champion: Mapping[str, Any] | None, tolerance: float
) -> Verdict:
    """Whether the candidate is not worse than the champion."""
    rule = f"roc_auc is at most {tolerance:g} below the champion's"
    if champion is None:
        return Verdict(rule=rule, passed=True, detail="there is no champion yet")
    version = champion["version"]
    if champion["digest"] == digest:
        return Verdict(rule=rule, passed=True, detail=f"it is the champion, version {version}")
    mine, other = float(metrics["roc_auc"]), float(champion["metrics"]["roc_auc"])
    days = "the same" if _same_test_days(metrics, champion["metrics"]) else "other"
    return Verdict(
        rule=rule,
        passed=mine >= other - tolerance,
        detail=f"{mine:.4f} against {other:.4f} of version {version}, tested on {days} flights",
    )


def decide(
    metrics: Mapping[str, Any], digest: str, champion: Mapping[str, Any] | None, rules: Rules
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
        _against_champion(metrics, digest, champion, rules.tolerance),
    )
    passed = all(verdict.passed for verdict in verdicts)
    return Decision(decision="register" if passed else "alert", verdicts=verdicts)
