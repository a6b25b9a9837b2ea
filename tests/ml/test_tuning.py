"""Tuning: halving keeps the best, and folds are whole days in order of time."""

from __future__ import annotations

import pytest

from mlkit.ml.features import DAY
from mlkit.ml.models import MODEL_NAMES, probabilities
from mlkit.ml.splitting import Parts
from mlkit.ml.stage_errors import ModelError
from mlkit.ml.tuning import TUNABLE, best_settings, search_settings, search_table


def test_a_search_halves_and_is_reproducible(parts: Parts) -> None:
    """Each round has a third of the trials and three times the rows."""
    search = search_settings("xgboost", parts.train, 9, 42)
    table = search_table(search)
    rounds = table.groupby("round")["rows"].agg(["size", "first"])
    assert rounds["size"].tolist()[:2] == [9, 3]
    assert rounds["first"].iloc[1] == 3 * rounds["first"].iloc[0]
    assert len(probabilities(search.best_estimator_, parts.test)) == len(parts.test)
    day = parts.train[DAY]
    assert all(day[learned].max() < day[asked].min() for learned, asked in search.cv)
    again = search_settings("xgboost", parts.train, 9, 42)
    assert best_settings(again) == best_settings(search)
    assert search_table(again).equals(table)


def test_settings_are_plain_numbers(parts: Parts) -> None:
    """JSON can hold them."""
    settings = best_settings(search_settings("logistic_regression", parts.train, 3, 42))
    assert [type(value) for value in settings.values()] == [float]


@pytest.mark.parametrize("name", TUNABLE)
def test_every_space_fits_its_family(name: str, parts: Parts) -> None:
    """The settings that are searched are settings of the estimator."""
    assert name in MODEL_NAMES
    assert best_settings(search_settings(name, parts.train, 2, 42))


def test_what_cannot_be_tuned_is_named(parts: Parts) -> None:
    """With what can."""
    with pytest.raises(ModelError, match="'catboost' cannot be tuned; choose one of logistic"):
        search_settings("catboost", parts.train, 9, 42)


def test_one_candidate_is_no_search(parts: Parts) -> None:
    """The value stands in the message."""
    with pytest.raises(ModelError, match="n_candidates=1 is no search"):
        search_settings("xgboost", parts.train, 1, 42)
