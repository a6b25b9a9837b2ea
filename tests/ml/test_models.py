"""Models: each family under its own name, reproducible to the byte."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_info

from mlkit.errors import MissingExtraError
from mlkit.ml.artifacts import file_digest, write_model
from mlkit.ml.features import TARGET
from mlkit.ml.models import MODEL_NAMES, build_model, fit_model, probabilities, refit_model
from mlkit.ml.splitting import Parts
from mlkit.ml.stage_errors import ModelError

LIBRARIES = {
    "logistic_regression": "sklearn.linear_model",
    "random_forest": "sklearn.ensemble",
    "hist_gradient_boosting": "sklearn.ensemble",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
}

WITH_THREADS = ("random_forest", "xgboost", "lightgbm")


def test_the_families_are_known() -> None:
    """Five come with mlkit, one with an extra."""
    assert set(MODEL_NAMES) == {*LIBRARIES, "catboost"}


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_a_family_is_what_its_name_says_and_beats_guessing(name: str, parts: Parts) -> None:
    """The estimator comes from the library of that name; scores lie between 0 and 1."""
    model = fit_model(build_model(name, parts.train, 42), parts.train)
    assert type(model.named_steps["estimator"]).__module__.startswith(LIBRARIES[name])
    predicted = probabilities(model, parts.test)
    assert predicted.shape == (len(parts.test),)
    assert predicted.dtype == np.dtype("float64")
    assert 0.0 <= predicted.min() <= predicted.max() <= 1.0
    assert roc_auc_score(parts.test[TARGET], predicted) > 0.55


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_the_same_training_gives_the_same_file(name: str, parts: Parts, tmp_path: Path) -> None:
    """Seed and threads are fixed."""
    for run in ("one", "two"):
        write_model(tmp_path / run, fit_model(build_model(name, parts.train, 42), parts.train))
    assert file_digest(tmp_path / "one") == file_digest(tmp_path / "two")


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_seed_and_threads_are_set_in_so_many_words(name: str, parts: Parts) -> None:
    """A library's own default would do today, and might not tomorrow."""
    settings = build_model(name, parts.train, 7).named_steps["estimator"].get_params()
    assert settings["random_state"] == 7
    assert settings.get("n_jobs") in ({1} if name in WITH_THREADS else {None})


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_what_training_never_saw_can_be_predicted(name: str, parts: Parts) -> None:
    """An unknown airport, no weather, no plane."""
    model = fit_model(build_model(name, parts.train, 42), parts.train)
    strange = parts.test.head(2).assign(
        dest="XXX", carrier="ZZ", temperature_f=np.nan, plane_seats=np.nan
    )
    assert np.isfinite(probabilities(model, strange)).all()


def test_the_order_of_columns_does_not_matter(parts: Parts) -> None:
    """A model takes its columns by name."""
    model = fit_model(build_model("xgboost", parts.train, 42), parts.train)
    turned = parts.test[list(reversed(parts.test.columns))]
    np.testing.assert_array_equal(probabilities(model, turned), probabilities(model, parts.test))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("xgbost", "unknown model 'xgbost'; did you mean 'xgboost'?"),
        ("oracle", "unknown model 'oracle'; known are logistic_regression, random_forest, hist"),
    ],
)
def test_an_unknown_model_is_named(name: str, message: str, parts: Parts) -> None:
    """No other model takes its place."""
    with pytest.raises(ModelError) as caught:
        build_model(name, parts.train, 42)
    assert str(caught.value).startswith(message)


def test_settings_replace_the_familys_own(parts: Parts) -> None:
    """The rest stays."""
    model = build_model("random_forest", parts.train, 42, {"n_estimators": 7})
    estimator = model.named_steps["estimator"]
    assert (estimator.n_estimators, estimator.min_samples_leaf) == (7, 20)


def test_an_unknown_setting_is_named(parts: Parts) -> None:
    """With the setting that was perhaps meant."""
    message = "unknown setting of random_forest 'n_estimator'; did you mean 'n_estimators'?"
    with pytest.raises(ModelError) as caught:
        build_model("random_forest", parts.train, 42, {"n_estimator": 7})
    assert str(caught.value) == message


def test_a_setting_that_the_estimator_refuses_is_named(parts: Parts) -> None:
    """In the estimator's own words."""
    model = build_model("random_forest", parts.train, 42, {"n_estimators": -1})
    with pytest.raises(ModelError, match=r"cannot be trained: .*n_estimators"):
        fit_model(model, parts.train)


def test_a_family_whose_library_is_missing_names_its_extra(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never falls back to another family."""
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mlkit-notebooks\[catboost\]'"):
        build_model("catboost", parts.train, 42)


def test_nothing_is_learned_from_later_rows(parts: Parts) -> None:
    """A category that only the test part holds is unknown to the encoder."""
    train = parts.train.assign(dest="IAH")
    model = fit_model(build_model("logistic_regression", train, 42), train)
    encoder = model.named_steps["encoder"].named_transformers_["text"]
    assert [list(c) for c in encoder.categories_][2] == ["IAH"]


def test_numbers_only_can_be_learned_from(parts: Parts) -> None:
    """No family needs a text feature."""
    train = parts.train.drop(columns=["carrier", "origin", "dest"])
    assert isinstance(train, pd.DataFrame)
    model = fit_model(build_model("lightgbm", train, 42), train)
    assert len(probabilities(model, parts.test)) == len(parts.test)


class Stamped(DummyClassifier):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator that notes when it was trained, as CatBoost does."""

    def fit(self, rows: pd.DataFrame, late: pd.Series) -> Any:
        """Note the time in the metadata."""
        self.threads = {pool["num_threads"] for pool in threadpool_info()}
        self.metadata = {"train_finish_time": "2013-01-01", "model_guid": "f00", "depth": "5"}
        return super().fit(rows, late)

    def get_metadata(self) -> dict[str, str]:
        """The metadata itself, as CatBoost hands it out."""
        return self.metadata


def test_stamps_of_time_are_taken_out_of_a_model(parts: Parts) -> None:
    """And nothing else is."""
    model = Pipeline([("encoder", "passthrough"), ("estimator", Stamped())])
    fit_model(model, parts.train)
    expected = {"train_finish_time": "", "model_guid": "", "depth": "5"}
    assert model.named_steps["estimator"].metadata == expected


def test_training_has_one_thread_only(parts: Parts) -> None:
    """Also in the libraries that take their number of threads from elsewhere."""
    model = Pipeline([("encoder", "passthrough"), ("estimator", Stamped())])
    fit_model(model, parts.train)
    assert model.named_steps["estimator"].threads == {1}


def test_a_chosen_model_is_fitted_again_on_more_rows(parts: Parts) -> None:
    """As if it had been built for them: settings and seed stay, and the first is left as it was."""
    settings = {"n_estimators": 5}
    first = fit_model(build_model("random_forest", parts.train, 7, settings), parts.train)
    before = probabilities(first, parts.test)
    again = refit_model(first, parts.train, parts.validation)
    both = pd.concat([parts.train, parts.validation], ignore_index=True)
    expected = fit_model(build_model("random_forest", both, 7, settings), both)
    assert np.array_equal(probabilities(again, parts.test), probabilities(expected, parts.test))
    assert np.array_equal(probabilities(first, parts.test), before)
