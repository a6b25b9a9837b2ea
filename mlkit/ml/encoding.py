"""Bring features into the form that a model family can learn from; fitted on training rows only."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mlkit.ml.features import feature_columns, text_columns

__all__ = ["linear_encoder", "tree_encoder"]

_RARE_ROWS = 20


def _columns(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The names of the features that hold text, and of those that hold numbers."""
    text = text_columns(table)
    return text, [column for column in feature_columns(table) if column not in text]


def linear_encoder(table: pd.DataFrame) -> Any:
    """One column for each category; numbers filled in and brought to one scale.

    Parameters
    ----------
    table : DataFrame of shape (n_flights, n_features + 2)
        Only its column names and types are looked at.

    Returns
    -------
    ColumnTransformer
        Not fitted; rare and unknown categories share one column.
    """
    text, numbers = _columns(table)
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=_RARE_ROWS)
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("text", categories, text), ("numbers", scaled, numbers)])


def tree_encoder(table: pd.DataFrame) -> Any:
    """Make categories whole numbers; other numbers stay as they are, missing ones included.

    Parameters
    ----------
    table : DataFrame of shape (n_flights, n_features + 2)
        Only its column names and types are looked at.

    Returns
    -------
    ColumnTransformer
        Not fitted; unknown categories become -1.
    """
    text, numbers = _columns(table)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer([("text", ordinal, text), ("numbers", "passthrough", numbers)])
