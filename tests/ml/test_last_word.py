"""The summary says what came of a run, whichever branch it took."""

from __future__ import annotations

from typing import Any

from mlkit.ml.last_word import as_markdown, summarize

METRICS: dict[str, Any] = {
    "chosen_model": "xgboost",
    "roc_auc": 0.69731,
    "pr_auc": 0.43,
    "base_rate": 0.2159,
    "parts": {"test": {"rows": 3817, "first_day": "2013-03-15", "last_day": "2013-03-31"}},
}
GOOD = {"decision": "register", "verdicts": [{"rule": "a", "passed": True}]}
BAD = {
    "decision": "alert",
    "verdicts": [{"rule": "a", "passed": False}, {"rule": "b", "passed": True}],
}


def test_a_registered_run() -> None:
    """Score, base rate, version and the server's check."""
    served = {"passed": True, "rows": 20}
    summary = summarize(METRICS, GOOD, {"name": "flights", "version": 4}, served)
    assert summary["registered_version"] == 4
    page = as_markdown(summary)
    for text in (
        "| ROC AUC on the test set | 0.6973 |",
        "| Base rate (share of late flights) | 0.2159 |",
        "| 3,817 flights, 2013-03-15 to 2013-03-31 |",
        "| flights, version 4, champion |",
        "| equal to the model's, on 20 flights |",
    ):
        assert text in page


def test_a_score_stands_with_its_interval() -> None:
    """As `spelled` writes it everywhere."""
    ends = {"roc_auc_low": 0.65, "roc_auc_high": 0.746}
    summary = summarize(METRICS | ends, GOOD | {"reason": "Registered."}, None, None)
    assert "| ROC AUC on the test set | 0.6973 (0.650 to 0.746), 95 % over days |" in (
        as_markdown(summary)
    )
    assert summary["reason"] == "Registered."


def test_a_refused_run() -> None:
    """What was not met, and that nothing is registered or served."""
    summary = summarize(METRICS, BAD, None, None)
    assert summary["not_met"] == ["a"]
    page = as_markdown(summary)
    assert "| alert, since not met: a |" in page
    assert "| Registered version | none |" in page
    assert "| Served predictions | not served |" in page


def test_a_server_that_answered_wrongly_is_not_hidden() -> None:
    """In capitals."""
    summary = summarize(
        METRICS, GOOD, {"name": "flights", "version": 4}, {"passed": False, "rows": 2}
    )
    assert "NOT the model's, on 2 flights" in as_markdown(summary)
