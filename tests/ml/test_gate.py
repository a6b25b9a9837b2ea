"""The gate: a pure decision, with a verdict for each rule."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from mlkit.ml.gate import Rules, decide, paired
from mlkit.ml.intervals import Difference

RULES = Rules(min_roc_auc=0.6, tolerance=0.01)
TEST_PART = {"rows": 100, "first_day": "2013-03-15", "last_day": "2013-03-31", "late_share": 0.2}
GOOD: dict[str, Any] = {
    "roc_auc": 0.7,
    "pr_auc": 0.4,
    "base_rate": 0.2,
    "brier": 0.15,
    "brier_of_known_rate": 0.16,
    "parts": {"test": TEST_PART},
}


def _champion(auc: float, digest: str = "other", rows: int = 100) -> dict[str, Any]:
    part = TEST_PART | {"rows": rows}
    return {"version": 3, "digest": digest, "metrics": {"roc_auc": auc, "parts": {"test": part}}}


def test_a_good_candidate_without_a_champion_is_registered() -> None:
    """And the reasons say so."""
    decision = decide(GOOD, "mine", None, RULES)
    assert decision.decision == "register"
    assert decision.failed == ()
    assert decision.verdicts[-1].detail == "there is no champion yet"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"roc_auc": 0.59}, "roc_auc is at least 0.6"),
        ({"pr_auc": 0.2}, "pr_auc is above base_rate"),
        ({"brier": 0.16}, "brier is below brier_of_known_rate"),
    ],
)
def test_one_rule_that_is_not_met_suffices_to_alert(change: dict[str, float], rule: str) -> None:
    """Only this rule is named."""
    decision = decide(GOOD | change, "mine", None, RULES)
    assert decision.decision == "alert"
    assert [verdict.rule for verdict in decision.failed] == [rule]


@pytest.mark.parametrize(
    ("champions", "expected"), [(0.7, "register"), (0.71, "register"), (0.711, "alert")]
)
def test_a_candidate_may_be_worse_by_the_tolerance_and_no_more(
    champions: float, expected: str
) -> None:
    """0.70 against 0.71 passes with a tolerance of 0.01."""
    assert decide(GOOD, "mine", _champion(champions), RULES).decision == expected


def test_the_champion_itself_passes() -> None:
    """Whatever the registry says of its score."""
    decision = decide(GOOD, "mine", _champion(0.99, "mine"), RULES)
    assert decision.decision == "register"
    assert decision.verdicts[-1].detail == "it is the champion, version 3"


@pytest.mark.parametrize(("rows", "word"), [(100, "the same"), (101, "other")])
def test_the_reason_says_whether_both_were_tested_on_the_same_flights(rows: int, word: str) -> None:
    """Scores on other flights do not compare fairly."""
    decision = decide(GOOD, "mine", _champion(0.7, rows=rows), RULES)
    assert decision.verdicts[-1].detail.endswith(f"of version 3, tested on {word} flights")


@pytest.mark.parametrize(
    ("value", "half", "expected"),
    [
        (0.02, 0.001, "register"),
        (-0.03, 0.04, "register"),
        (-0.03, 0.02, "alert"),
        (-0.008, 0.001, "register"),
        (float("nan"), 0.04, "alert"),
    ],
)
def test_on_the_same_flights_a_loss_within_the_noise_passes(
    value: float, half: float, expected: str
) -> None:
    """Or within the tolerance; the registered score of the champion does not count then."""
    gap = Difference(value=value, low=value - half, high=value + half, rows=100, days=17)
    decision = decide(GOOD, "mine", _champion(0.99), RULES, gap)
    assert decision.decision == expected
    detail = decision.verdicts[-1].detail
    assert "version 3 on the same 100 flights of 17 days" in detail
    assert (decision.reason.startswith("Registered: ")) == (expected == "register")
    assert detail in decision.reason


def test_without_the_champions_answers_the_noise_is_that_of_the_own_score() -> None:
    """0.70 ± 0.05 against 0.74: not known to be worse."""
    measured = GOOD | {"roc_auc_low": 0.65, "roc_auc_high": 0.75}
    assert decide(measured, "mine", _champion(0.74), RULES).decision == "register"
    assert decide(measured, "mine", _champion(0.76), RULES).decision == "alert"


def test_models_are_paired_flight_by_flight_or_not_at_all() -> None:
    """Other flights, no answers or no table: nothing is compared."""
    mine = pd.DataFrame(
        {"day": [1, 1, 2, 2], "late": [0, 1, 0, 1], "probability": [0.1, 0.9, 0.2, 0.8]}
    )
    worse = mine.assign(probability=[0.9, 0.1, 0.2, 0.8])
    found = paired(mine, worse)
    assert found is not None
    assert (found.value, found.rows, found.days) == (0.75, 4, 2)
    assert paired(mine, mine.head(0)) is None
    assert paired(mine, worse.head(3)) is None
    assert paired(mine, worse.assign(late=[0, 1, 1, 1])) is None
    assert paired(None, worse) is None
    assert paired(mine, None) is None


def test_every_rule_is_judged_also_after_one_has_failed() -> None:
    """Four verdicts, two of them bad."""
    decision = decide(GOOD | {"roc_auc": 0.5}, "mine", _champion(0.7), RULES)
    assert [verdict.passed for verdict in decision.verdicts] == [False, True, True, False]


def test_a_decision_can_be_written_as_json() -> None:
    """With plain values only."""
    written = json.loads(json.dumps(decide(GOOD, "mine", None, RULES).as_dict()))
    assert written["decision"] == "register"
    assert set(written["verdicts"][0]) == {"rule", "passed", "detail"}
