"""The model families, each under its own name and never under another's.

What sklearn has of each family is imported where its model is built: nobody waits for all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from mlkit.errors import needing_extra
from mlkit.ml.encoding import linear_encoder, tree_encoder
from mlkit.ml.features import TARGET, feature_columns
from mlkit.ml.stage_errors import ModelError

__all__ = ["MODEL_NAMES", "build_model", "fit_model", "probabilities", "refit_model"]


def _logistic_regression(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.1, max_iter=500, random_state=seed)


def _random_forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        n_estimators=80, min_samples_leaf=20, max_features=0.3, n_jobs=1, random_state=seed
    )


def _hist_gradient_boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=15, early_stopping=False, random_state=seed
    )


def _xgboost(seed: int) -> Any:
    with needing_extra("flights", "the model 'xgboost'"):
        from xgboost import XGBClassifier

    return XGBClassifier(
        n_estimators=100,
        learning_rate=0.05,
        max_depth=4,
        subsample=0.8,
        colsample_bytree=0.6,
        tree_method="hist",
        n_jobs=1,
        random_state=seed,
    )


def _lightgbm(seed: int) -> Any:
    with needing_extra("flights", "the model 'lightgbm'"):
        from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=100,
        learning_rate=0.05,
        num_leaves=15,
        deterministic=True,
        force_row_wise=True,
        n_jobs=1,
        random_state=seed,
        verbose=-1,
    )


def _catboost(seed: int) -> Any:
    with needing_extra("catboost", "the model 'catboost'"):
        from catboost import CatBoostClassifier
    return CatBoostClassifier(
        iterations=100,
        learning_rate=0.05,
        depth=5,
        thread_count=1,
        random_seed=seed,
        allow_writing_files=False,
        verbose=False,
    )


_STAMPS = ("model_guid", "train_finish_time")
"""What CatBoost writes into a model although it says nothing about it."""

_FAMILIES: dict[str, Callable[[int], Any]] = {
    "logistic_regression": _logistic_regression,
    "random_forest": _random_forest,
    "hist_gradient_boosting": _hist_gradient_boosting,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
}
MODEL_NAMES: tuple[str, ...] = tuple(_FAMILIES)


def _unknown(kind: str, name: str, known: list[str]) -> ModelError:
    """The error for an unknown name, with the name that was perhaps meant."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return ModelError(f"unknown {kind} {name!r}; {hint}")


def build_model(
    name: str, table: pd.DataFrame, seed: int, settings: Mapping[str, Any] | None = None
) -> Any:
    """Build a model that has not been fitted: an encoder and an estimator in one pipeline.

    Parameters
    ----------
    name : str
        One of `MODEL_NAMES`.
    table : DataFrame of shape (n_flights, n_features + 2)
        Only its column names and types are looked at.
    seed : int
        The seed of everything random in training.
    settings : mapping, optional
        Settings of the estimator that replace the family's own.

    Returns
    -------
    Pipeline
        With the steps `encoder` and `estimator`.

    Raises
    ------
    ModelError
        The name or a setting is unknown.
    MissingExtraError
        The family's library is not installed; no other family takes its place.
    """
    if name not in _FAMILIES:
        raise _unknown("model", name, list(MODEL_NAMES))
    estimator = _FAMILIES[name](seed)
    for setting in settings or {}:
        if setting not in estimator.get_params():
            raise _unknown(f"setting of {name}", setting, sorted(estimator.get_params()))
    estimator.set_params(**(settings or {}))
    linear = name == "logistic_regression"
    encoder = linear_encoder(table) if linear else tree_encoder(table)
    return Pipeline([("encoder", encoder), ("estimator", estimator)])


def _drop_stamps(estimator: Any) -> None:
    """Empty the time and the random name in a CatBoost model: equal models are equal files."""
    if hasattr(estimator, "get_metadata"):
        kept = estimator.get_metadata()
        for stamp in _STAMPS:
            kept[stamp] = ""


def fit_model(model: Any, table: pd.DataFrame) -> Any:
    """Fit a model on one thread, so that the result does not depend on the machine's cores.

    Parameters
    ----------
    model : Pipeline
        What `build_model` returned; it is fitted in place.
    table : DataFrame of shape (n_flights, n_features + 2)
        The training part.

    Returns
    -------
    Pipeline
        The same model, fitted.

    Raises
    ------
    ModelError
        A setting has a value that the estimator refuses.
    """
    with threadpool_limits(limits=1):
        try:
            model.fit(table[feature_columns(table)], table[TARGET])
        except (ValueError, TypeError) as error:
            raise ModelError(f"the model cannot be trained: {error}") from error
    _drop_stamps(model.named_steps["estimator"])
    return model


def refit_model(model: Any, *parts: pd.DataFrame) -> Any:
    """Fit a copy of a chosen model on more rows: its family, settings and seed stay as they are.

    Parameters
    ----------
    model : Pipeline
        A fitted model; it is left as it was.
    *parts : DataFrame of shape (n_flights, n_features + 2)
        What to learn from, in order of time.

    Returns
    -------
    Pipeline
        Another model, fitted on all the parts.
    """
    return fit_model(clone(model), pd.concat(parts, ignore_index=True))


def probabilities(model: Any, table: pd.DataFrame) -> Any:
    """The probability that each flight is late.

    Parameters
    ----------
    model : Pipeline
        A fitted model.
    table : DataFrame of shape (n_flights, n_columns)
        At least the columns that the model was trained on.

    Returns
    -------
    ndarray of shape (n_flights,)
        Values from 0 to 1, as float64.
    """
    with threadpool_limits(limits=1):
        return model.predict_proba(table[list(model.feature_names_in_)])[:, 1].astype("float64")
