"""Scores, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.ml import evaluation
from mlkit.ml.stage_errors import ModelError

LATE = [0, 0, 1, 0, 1]
PROBABILITY = [0.1, 0.4, 0.35, 0.2, 0.8]


def test_scores_without_a_threshold() -> None:
    """5 of 6 pairs are in order; the squared errors add up to 0.6725."""
    scores = evaluation.probability_scores(LATE, PROBABILITY, 0.3)
    assert scores["roc_auc"] == pytest.approx(5 / 6)
    assert scores["pr_auc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert scores["brier"] == pytest.approx(0.6725 / 5)
    assert scores["base_rate"] == pytest.approx(0.4)
    assert scores["brier_of_known_rate"] == pytest.approx((3 * 0.09 + 2 * 0.49) / 5)


def test_scores_at_a_threshold() -> None:
    """At 0.35 both late flights are found, with one false alarm."""
    scores = evaluation.threshold_scores(LATE, PROBABILITY, 0.35)
    assert scores["confusion"] == {
        "on_time_called_on_time": 2,
        "on_time_called_late": 1,
        "late_called_on_time": 0,
        "late_called_late": 2,
    }
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["recall"] == 1.0
    assert scores["f1"] == pytest.approx(0.8)
    assert scores["accuracy"] == pytest.approx(0.8)
    assert scores["accuracy_of_always_on_time"] == pytest.approx(0.6)


def test_a_threshold_above_everything_calls_nothing_late() -> None:
    """Precision is then 0 and not an error."""
    scores = evaluation.threshold_scores(LATE, PROBABILITY, 2.0)
    assert (scores["precision"], scores["recall"], scores["f1"]) == (0.0, 0.0, 0.0)


@pytest.mark.long
@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0.0, 1.0)), min_size=2, max_size=12))
def test_no_threshold_has_a_greater_f1(pairs: list[tuple[int, float]]) -> None:
    """Than the one that is called best."""
    late = [0, 1, *(truth for truth, _ in pairs)]
    probability = [0.5, 0.5, *(p for _, p in pairs)]
    best = evaluation.best_threshold(late, probability)
    f1 = evaluation.threshold_scores(late, probability, best)["f1"]
    others = (evaluation.threshold_scores(late, probability, p)["f1"] for p in probability)
    assert all(f1 >= other - 1e-12 for other in others)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0.0, 1.0)), min_size=1, max_size=12),
    st.sampled_from([0.1, 1.0, 3.0, 50.0]),
)
def test_no_threshold_is_cheaper(pairs: list[tuple[int, float]], missed_cost: float) -> None:
    """Than the one that is called cheapest, calling all or nothing late included."""
    late, probability = (list(column) for column in zip(*pairs, strict=True))

    def cost(threshold: float) -> float:
        return evaluation.costs(late, probability, threshold, missed_cost)["cost"]

    least = cost(evaluation.cheapest_threshold(late, probability, missed_cost))
    assert all(least <= cost(other) + 1e-12 for other in [*probability, 0.0, 2.0])
    shares = evaluation.costs(late, probability, 2.0, missed_cost)
    assert shares["cost"] == pytest.approx(shares["cost_of_always_on_time"])
    assert cost(0.0) == pytest.approx(shares["cost_of_always_late"])


def test_a_cost_that_is_none_is_named() -> None:
    """A free mistake needs no threshold."""
    with pytest.raises(ModelError, match="missed_cost=0 is no cost"):
        evaluation.cheapest_threshold(LATE, PROBABILITY, 0)


def test_candidates_are_compared_on_the_same_days() -> None:
    """The best is behind by nothing; each score and each gap has its interval."""
    day = [1, 1, 1, 2, 2]
    table = evaluation.compare(
        ["good", "bad"], day, LATE, [PROBABILITY, [1 - p for p in PROBABILITY]]
    )
    assert table["roc_auc"].tolist() == pytest.approx([5 / 6, 1 / 6])
    assert table["behind"].tolist() == pytest.approx([0.0, 5 / 6 - 1 / 6])
    assert table["behind_low"].iloc[0] == table["behind_high"].iloc[0] == 0.0
    assert (table["behind_low"] <= table["behind_high"]).all()


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 12))
def test_calibration_counts_every_flight_once(flights: int, bins: int) -> None:
    """In bins of equal size, up to one flight, by rising probability."""
    probability = np.linspace(1.0, 0.0, flights)
    found = evaluation.calibration(np.ones(flights), probability, bins)
    assert sum(entry["rows"] for entry in found) == flights
    assert len({entry["rows"] for entry in found}) <= 2
    predicted = [entry["predicted"] for entry in found]
    assert predicted == sorted(predicted)
    assert {entry["observed"] for entry in found} == {1.0}


def test_the_best_on_validation_is_chosen_and_the_first_of_equals() -> None:
    """Whatever else the candidates say."""
    assert evaluation.choose([{"roc_auc": 0.6}, {"roc_auc": 0.7}, {"roc_auc": 0.7}]) == 1


def test_no_candidate_is_an_error() -> None:
    """An empty list of models trains nothing."""
    with pytest.raises(ModelError, match="no candidate to choose from"):
        evaluation.choose([])


def test_a_report_holds_every_score() -> None:
    """Those of the contract by name."""
    report = evaluation.report(LATE, PROBABILITY, threshold=0.35, known_rate=0.3)
    wanted = {"roc_auc", "pr_auc", "f1", "precision", "recall", "accuracy", "brier"}
    assert wanted | {"base_rate", "confusion", "calibration", "threshold"} <= set(report)
    days = [1, 1, 2, 2, 3]
    told = evaluation.report(LATE, PROBABILITY, threshold=0.35, known_rate=0.3, day=days)
    ends = {f"{name}_{end}" for name in wanted | {"base_rate"} for end in ("low", "high")}
    assert set(told) - set(report) == ends
    assert {key: told[key] for key in report if key != "calibration"} == {
        key: value for key, value in report.items() if key != "calibration"
    }
