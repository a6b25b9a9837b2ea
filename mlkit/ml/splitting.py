"""Split by time: the model is trained on the past and judged on what came after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlkit.frozen import dataclass
from mlkit.ml.features import DAY, TARGET
from mlkit.ml.stage_errors import DataError

__all__ = ["Parts", "describe_part", "random_split", "rolling_origin", "split_by_day"]

_PARTS = 3


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The three parts of a table of features.

    Parameters
    ----------
    train : DataFrame of shape (n_train, n_columns)
        To learn from.
    validation : DataFrame of shape (n_validation, n_columns)
        To choose with.
    test : DataFrame of shape (n_test, n_columns)
        To report on, once.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame

    def named(self) -> dict[str, pd.DataFrame]:
        """The parts by name, in order of time."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def _check_shares(train_share: float, validation_share: float) -> None:
    """Refuse shares that leave a part empty."""
    if train_share <= 0 or validation_share <= 0 or train_share + validation_share >= 1:
        raise DataError(
            f"train_share={train_share!r} and validation_share={validation_share!r} leave no room "
            "for three parts; both must be above 0 and their sum below 1"
        )


def _check_parts(parts: Parts) -> None:
    """Refuse parts in which one of the two classes is missing."""
    for name, part in parts.named().items():
        if part[TARGET].nunique() < len((0, 1)):
            raise DataError(
                f"the {name} part ({len(part)} rows) holds flights of one class only; "
                "choose more rows, more days or other shares"
            )


def split_by_day(table: pd.DataFrame, train_share: float, validation_share: float) -> Parts:
    """Cut a table between days into train, validation and test, in order of time.

    Parameters
    ----------
    table : DataFrame of shape (n_flights, n_columns)
        With the columns `day` and `late`.
    train_share, validation_share : float
        The shares of rows, to the nearest whole day; the rest is the test part.

    Returns
    -------
    Parts
        No day stands in two parts.

    Raises
    ------
    DataError
        The shares leave a part empty, there are fewer than three days, or a part has one class.
    """
    _check_shares(train_share, validation_share)
    before = table[DAY].value_counts().sort_index().cumsum()
    if len(before) < _PARTS:
        raise DataError(f"a split by time needs at least 3 days, the data hold {len(before)}")
    share = before / len(table)
    first = min(int((share < train_share).sum()), len(share) - _PARTS)
    second = max(int((share < train_share + validation_share).sum()), first + 1)
    second = min(second, len(share) - 2)
    train_end, validation_end = before.index[first], before.index[second]
    in_train, in_test = table[DAY] <= train_end, table[DAY] > validation_end
    parts = Parts(
        train=table[in_train].reset_index(drop=True),
        validation=table[~in_train & ~in_test].reset_index(drop=True),
        test=table[in_test].reset_index(drop=True),
    )
    _check_parts(parts)
    return parts


def rolling_origin(
    table: pd.DataFrame, folds: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Cut a table into folds that each learn from all days before an origin and ask those after.

    The origin moves on from fold to fold. scikit-learn's `TimeSeriesSplit` does the same with rows,
    and so cuts within days: flights of one evening then stand on both sides.

    Parameters
    ----------
    table : DataFrame of shape (n_flights, n_columns)
        With the column `day`, in any order.
    folds : int
        How many folds; their asked parts have equally many days, up to one, and are the last ones.

    Returns
    -------
    list of (ndarray, ndarray)
        For each fold the positions of the rows to learn from, and of those that are asked.

    Raises
    ------
    DataError
        There are too few days.
    """
    days = np.sort(table[DAY].unique())
    if folds < 1 or len(days) <= folds:
        raise DataError(
            f"{folds} folds by time need at least {max(folds, 1) + 1} days, the data hold "
            f"{len(days)}"
        )
    blocks = np.array_split(days, folds + 1)
    day = table[DAY].to_numpy()
    return [
        (np.flatnonzero(day < asked[0]), np.flatnonzero((day >= asked[0]) & (day <= asked[-1])))
        for asked in blocks[1:]
    ]


def random_split(
    table: pd.DataFrame, train_share: float, validation_share: float, seed: int
) -> Parts:
    """Cut a table at random: the split that leaks, kept to show how much.

    Flights of one hour share their weather and their congestion. If some of them are trained on
    and others tested on, the test score says how well the model remembers the hour.

    Parameters
    ----------
    table : DataFrame of shape (n_flights, n_columns)
        With the columns `day` and `late`.
    train_share, validation_share : float
        The shares of rows; the rest is the test part.
    seed : int
        The seed of the shuffle.
    """
    _check_shares(train_share, validation_share)
    shuffled = table.sample(frac=1.0, random_state=seed)
    first = round(train_share * len(table))
    second = round((train_share + validation_share) * len(table))
    return Parts(
        train=shuffled.iloc[:first].reset_index(drop=True),
        validation=shuffled.iloc[first:second].reset_index(drop=True),
        test=shuffled.iloc[second:].reset_index(drop=True),
    )


def describe_part(part: pd.DataFrame) -> dict[str, Any]:
    """Count a part's rows and late flights, and name its first and last day.

    Parameters
    ----------
    part : DataFrame of shape (n_flights, n_columns)
        With the columns `day` and `late`.

    Returns
    -------
    dict
        `rows`, `first_day`, `last_day` (ISO dates) and `late_share`.
    """
    return {
        "rows": len(part),
        "first_day": part[DAY].min().date().isoformat(),
        "last_day": part[DAY].max().date().isoformat(),
        "late_share": float(part[TARGET].mean()),
    }
