"""The last word of a run: what was measured, what was decided, what is registered and served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlkit.ml.intervals import spelled

__all__ = ["as_markdown", "summarize"]


def summarize(
    metrics: Mapping[str, Any],
    decision: Mapping[str, Any],
    registered: Mapping[str, Any] | None,
    served: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Gather a run's results.

    Parameters
    ----------
    metrics : mapping
        The chosen model's test metrics.
    decision : mapping
        The gate's decision with its verdicts.
    registered : mapping or None
        The registered version; None if that branch was skipped.
    served : mapping or None
        The check of the scoring server; None if that branch was skipped.

    Returns
    -------
    dict
        Flat, except for `test` (days and rows of the test part) and `not_met`.
    """
    ends = {key: metrics.get(key) for key in ("roc_auc_low", "roc_auc_high")}
    return ends | {
        "chosen_model": metrics["chosen_model"],
        "roc_auc": metrics["roc_auc"],
        "pr_auc": metrics["pr_auc"],
        "base_rate": metrics["base_rate"],
        "test": metrics["parts"]["test"],
        "decision": decision["decision"],
        "reason": decision.get("reason"),
        "not_met": [v["rule"] for v in decision["verdicts"] if not v["passed"]],
        "registered_name": None if registered is None else registered["name"],
        "registered_version": None if registered is None else registered["version"],
        "served_check_passed": None if served is None else served["passed"],
        "served_rows": None if served is None else served["rows"],
    }


def as_markdown(summary: Mapping[str, Any]) -> str:
    """A summary as a Markdown table with a heading.

    Parameters
    ----------
    summary : mapping
        What `summarize` returned.
    """
    test = summary["test"]
    rows = {
        "Chosen model": summary["chosen_model"],
        "ROC AUC on the test set": spelled(summary, "roc_auc") + _days(summary),
        "PR AUC (guessing: the base rate)": f"{summary['pr_auc']:.4f}",
        "Base rate (share of late flights)": f"{summary['base_rate']:.4f}",
        "Test set, in order of time": (
            f"{test['rows']:,} flights, {test['first_day']} to {test['last_day']}"
        ),
        "Decision of the gate": _decision(summary),
        "Registered version": _version(summary),
        "Served predictions": _served(summary),
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["# The run in short", "", "| what | result |", "|---|---|", *lines, ""])


def _days(summary: Mapping[str, Any]) -> str:
    """What the ends of an interval are, if there is one."""
    return "" if summary.get("roc_auc_low") is None else ", 95 % over days"


def _decision(summary: Mapping[str, Any]) -> str:
    """The decision, with the rules that were not met."""
    not_met = "; ".join(summary["not_met"])
    return f"{summary['decision']}, since not met: {not_met}" if not_met else summary["decision"]


def _version(summary: Mapping[str, Any]) -> str:
    """The registered version, if there is one."""
    if summary["registered_version"] is None:
        return "none"
    return f"{summary['registered_name']}, version {summary['registered_version']}, champion"


def _served(summary: Mapping[str, Any]) -> str:
    """The outcome of the server's check, if there was one."""
    if summary["served_check_passed"] is None:
        return "not served"
    verdict = "equal to the model's" if summary["served_check_passed"] else "NOT the model's"
    return f"{verdict}, on {summary['served_rows']} flights"
