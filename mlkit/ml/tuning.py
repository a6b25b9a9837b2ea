"""Search for good settings by successive halving, on folds of whole days in order of time."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
from scipy import stats
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - enables the import below
from sklearn.model_selection import HalvingRandomSearchCV
from threadpoolctl import threadpool_limits

from mlkit.ml.features import TARGET, feature_columns
from mlkit.ml.models import build_model
from mlkit.ml.splitting import rolling_origin
from mlkit.ml.stage_errors import ModelError

__all__ = ["TUNABLE", "best_settings", "search_settings", "search_table"]

_SPACES: dict[str, dict[str, Any]] = {
    "logistic_regression": {"C": stats.loguniform(1e-3, 10.0)},
    "random_forest": {
        "min_samples_leaf": stats.randint(5, 80),
        "max_features": stats.uniform(0.1, 0.6),
    },
    "hist_gradient_boosting": {
        "learning_rate": stats.loguniform(0.02, 0.2),
        "max_leaf_nodes": stats.randint(4, 32),
        "l2_regularization": stats.loguniform(1e-2, 10.0),
    },
    "xgboost": {
        "learning_rate": stats.loguniform(0.02, 0.2),
        "max_depth": stats.randint(2, 8),
        "min_child_weight": stats.randint(1, 40),
        "colsample_bytree": stats.uniform(0.3, 0.7),
    },
    "lightgbm": {
        "learning_rate": stats.loguniform(0.02, 0.2),
        "num_leaves": stats.randint(4, 32),
        "min_child_samples": stats.randint(10, 100),
    },
}
TUNABLE: tuple[str, ...] = tuple(_SPACES)
_FACTOR = 3
_FOLDS = 3


def search_settings(name: str, train: pd.DataFrame, candidates: int, seed: int) -> Any:
    """Try settings on few rows, keep the best third, and go on with more rows.

    Li et al., "Hyperband", JMLR 18 (2018), describe successive halving.

    Parameters
    ----------
    name : str
        One of `TUNABLE`.
    train : DataFrame of shape (n_train, n_features + 2)
        The training part, in order of time; every fold is judged on what came after it.
    candidates : int
        How many settings to start with.
    seed : int
        The seed of the draws and of the model.

    Returns
    -------
    HalvingRandomSearchCV
        Fitted; `best_estimator_` has been refitted on the whole training part.

    Raises
    ------
    ModelError
        The model cannot be tuned, or there are fewer than 2 candidates.
    DataError
        The training part has too few days for the folds.
    """
    if name not in _SPACES:
        raise ModelError(f"model {name!r} cannot be tuned; choose one of {', '.join(TUNABLE)}")
    if candidates <= 1:
        raise ModelError(f"n_candidates={candidates!r} is no search; give at least 2")
    search = HalvingRandomSearchCV(
        build_model(name, train, seed),
        {f"estimator__{setting}": space for setting, space in _SPACES[name].items()},
        n_candidates=candidates,
        factor=_FACTOR,
        min_resources=max(len(train) // 9, 60),
        cv=rolling_origin(train, _FOLDS),
        scoring="roc_auc",
        random_state=seed,
        n_jobs=1,
    )
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found unknown categories", module="sklearn")
        return search.fit(train[feature_columns(train)], train[TARGET])


def search_table(search: Any) -> pd.DataFrame:
    """The search's trials, in the order in which they were made.

    Parameters
    ----------
    search : HalvingRandomSearchCV
        Fitted.

    Returns
    -------
    DataFrame of shape (n_trials, 3 + n_settings)
        `round`, `rows` that the trial was given, `roc_auc` (mean over folds), and the settings.
    """
    results = search.cv_results_
    settings = {
        key.removeprefix("param_estimator__"): pd.Series(values.tolist())
        for key, values in results.items()
        if key.startswith("param_")
    }
    return pd.DataFrame(
        {
            "round": results["iter"],
            "rows": results["n_resources"],
            "roc_auc": results["mean_test_score"],
        }
        | settings
    )


def best_settings(search: Any) -> dict[str, int | float]:
    """The settings that won, as plain numbers.

    Parameters
    ----------
    search : HalvingRandomSearchCV
        Fitted.
    """
    return {
        key.removeprefix("estimator__"): value.item() if hasattr(value, "item") else value
        for key, value in search.best_params_.items()
    }
