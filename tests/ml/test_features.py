"""Features: only what is known before departure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlkit.ml.features import (
    DAY,
    KNOWN_LATER,
    TARGET,
    build_features,
    feature_columns,
    refuse_leakage,
    text_columns,
)
from mlkit.ml.stage_errors import DataError, LeakageError


@pytest.mark.parametrize("column", sorted(KNOWN_LATER))
def test_columns_known_later_are_refused(cleaned: pd.DataFrame, column: str) -> None:
    """By name, with when they become known."""
    with pytest.raises(LeakageError, match=f"'{column}' is known only when it"):
        build_features(cleaned, [column])


def test_all_leaking_columns_are_named_at_once() -> None:
    """Not one after the other."""
    with pytest.raises(LeakageError, match=r"'dep_delay' is known.*'air_time' is known"):
        refuse_leakage(["dep_delay", "carrier", "air_time"])


def test_features_do_not_change_with_what_is_known_later(cleaned: pd.DataFrame) -> None:
    """The real test of leakage: change the future, and the features stay as they were."""
    later = [column for column in KNOWN_LATER if column != TARGET]
    changed = cleaned.assign(**dict.fromkeys(later, 1.0))
    pd.testing.assert_frame_equal(build_features(changed), build_features(cleaned))


def test_features_are_numbers_or_text_without_gaps_in_text(cleaned: pd.DataFrame) -> None:
    """What the models and the scoring server expect."""
    table = build_features(cleaned)
    assert text_columns(table) == ["carrier", "origin", "dest"]
    numbers = table[feature_columns(table)].drop(columns=text_columns(table))
    assert set(numbers.dtypes) == {np.dtype("float64")}
    assert not table[text_columns(table)].isna().any().any()
    assert list(table.columns[-2:]) == [DAY, TARGET]


def test_features_say_what_they_say(cleaned: pd.DataFrame) -> None:
    """Computed by hand for one flight."""
    row = cleaned[(cleaned["wind_dir"] == 90) & cleaned["wind_gust"].isna()].head(1)
    feature = build_features(row).iloc[0]
    clock = int(row["sched_dep_time"].iloc[0])
    assert feature["departure_minute"] == clock // 100 * 60 + clock % 100
    assert feature["weekday"] == row[DAY].iloc[0].weekday()
    assert feature["wind_east"] == pytest.approx(1.0)
    assert feature["wind_north"] == pytest.approx(0.0, abs=1e-12)
    assert feature["gust_mph"] == row["wind_speed"].iloc[0]


def test_a_previous_leg_that_is_not_known_says_so(cleaned: pd.DataFrame) -> None:
    """And is no gap: a delay of 0 minutes that is known is another thing."""
    flights = cleaned.head(3).assign(previous_arr_delay=[12.0, float("nan"), 0.0])
    table = build_features(flights)
    assert table["previous_leg_delay_minutes"].tolist() == [12.0, 0.0, 0.0]
    assert table["previous_leg_known"].tolist() == [1.0, 0.0, 1.0]


def test_extra_columns_are_taken_as_they_are(cleaned: pd.DataFrame) -> None:
    """Text stays text and numbers become floats."""
    table = build_features(cleaned, ["manufacturer", "day", "flight"])
    assert "manufacturer" in text_columns(table)
    assert table["flight"].dtype == np.dtype("float64")


def test_an_unknown_extra_column_is_named(cleaned: pd.DataFrame) -> None:
    """As the user wrote it."""
    with pytest.raises(DataError, match="extra_columns names 'tempo'"):
        build_features(cleaned, ["tempo"])
