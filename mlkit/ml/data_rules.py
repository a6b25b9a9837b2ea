"""The rules that collected data must keep, as pandera schemas."""

from __future__ import annotations

from mlkit.errors import needing_extra
from mlkit.frozen import dataclass
from mlkit.ml.preprocessing import HIGHEST_WIND_MPH, minutes_of_day

with needing_extra("flights", "validating the flights"):
    import pandera.pandas as pa

__all__ = ["Facts", "Limits", "flights_schema", "planes_schema", "weather_schema"]

_MINUTES_A_DAY = 1440
_MOST_FAULTY_SHARE = 0.01


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the pipeline needs of its data.

    Parameters
    ----------
    min_rows : int
        The least number of flights.
    min_minority_share : float
        The least share of the rarer class among the flights that arrived.
    max_missing_share : float
        The greatest share of flights without an arrival.
    min_weather_share : float
        The least share of flights whose airport and hour have weather.
    late_minutes : int
        A flight is late if it arrives more than so many minutes after schedule.
    """

    min_rows: int = 500
    min_minority_share: float = 0.1
    max_missing_share: float = 0.2
    min_weather_share: float = 0.9
    late_minutes: int = 15


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the rules about whole tables look at.

    Parameters
    ----------
    rows : int
        The number of flights.
    missing_share : float
        The share of flights without an arrival.
    minority_share : float
        The share of the rarer class among the flights that arrived.
    weather_share : float
        The share of flights whose airport and hour have weather.
    """

    rows: int
    missing_share: float
    minority_share: float
    weather_share: float


def _within(low: float, high: float) -> pa.Check:
    """Every value lies between two bounds, both included."""
    return pa.Check.in_range(low, high, error=f"lies between {low:g} and {high:g}")


def _code(length: int) -> pa.Check:
    """Every value is a code of so many capital letters or digits."""
    return pa.Check.str_matches(rf"^[A-Z0-9]{{{length}}}$", error=f"is a code of {length} signs")


def _clock() -> pa.Check:
    """Every value is a time of the day, written as hours · 100 + minutes."""
    return pa.Check(
        lambda c: (c % 100 < 60) & minutes_of_day(c).between(0, _MINUTES_A_DAY),
        error="is a time of the day (1755 for 17:55)",
    )


def _mostly_below(limit: float) -> pa.Check:
    """Only few values lie above a limit: instruments fail now and then."""
    return pa.Check(
        lambda c: bool((c > limit).mean() <= _MOST_FAULTY_SHARE),
        error=f"is above {limit:g} in at most {_MOST_FAULTY_SHARE:.0%} of the rows",
        ignore_na=False,
    )


def _once(*columns: str) -> pa.Check:
    """No two rows agree in all the columns."""
    return pa.Check(
        lambda table: ~table.duplicated(list(columns), keep=False),
        error=f"no two rows have the same {', '.join(columns)}",
    )


def _holds(fact: bool, text: str) -> pa.Check:  # noqa: FBT001 - a check is a truth and its text
    """A rule about the whole table that has been looked at already."""
    return pa.Check(lambda _table: fact, error=text)


def _table_rules(facts: Facts, limits: Limits) -> list[pa.Check]:
    """The rules about the whole table of flights, each with what was found."""
    return [
        _once("time_hour", "carrier", "flight", "origin"),
        _holds(
            facts.rows >= limits.min_rows,
            f"there are at least {limits.min_rows} rows (found {facts.rows})",
        ),
        _holds(
            facts.minority_share >= limits.min_minority_share,
            f"the rarer class is at least {limits.min_minority_share:.1%} of the arrivals "
            f"(found {facts.minority_share:.1%})",
        ),
        _holds(
            facts.missing_share <= limits.max_missing_share,
            f"at most {limits.max_missing_share:.1%} of the flights never arrived "
            f"(found {facts.missing_share:.1%})",
        ),
        _holds(
            facts.weather_share >= limits.min_weather_share,
            f"at least {limits.min_weather_share:.1%} of the flights have weather "
            f"(found {facts.weather_share:.1%})",
        ),
    ]


def flights_schema(facts: Facts, limits: Limits) -> pa.DataFrameSchema:
    """The rules for the table of flights.

    Parameters
    ----------
    facts : Facts
        What is known of the data as a whole.
    limits : Limits
        The bounds of values.
    """
    return pa.DataFrameSchema(
        {
            "year": pa.Column(checks=_within(1987, 2100)),
            "month": pa.Column(checks=_within(1, 12)),
            "day": pa.Column(checks=_within(1, 31)),
            "sched_dep_time": pa.Column(checks=_clock()),
            "sched_arr_time": pa.Column(checks=_clock()),
            "arr_delay": pa.Column(checks=_within(-300, 3000), nullable=True),
            "carrier": pa.Column(checks=_code(2)),
            "flight": pa.Column(checks=_within(1, 9999)),
            "tailnum": pa.Column(nullable=True),
            "origin": pa.Column(checks=_code(3)),
            "dest": pa.Column(checks=_code(3)),
            "distance": pa.Column(checks=_within(1, 12000)),
            "time_hour": pa.Column(),
        },
        checks=_table_rules(facts, limits),
        name="flights",
    )


def weather_schema() -> pa.DataFrameSchema:
    """The rules for the table of hourly weather."""
    return pa.DataFrameSchema(
        {
            "origin": pa.Column(checks=_code(3)),
            "time_hour": pa.Column(),
            "temp": pa.Column(checks=_within(-60, 140), nullable=True),
            "dewp": pa.Column(checks=_within(-80, 100), nullable=True),
            "humid": pa.Column(checks=_within(0, 100), nullable=True),
            "wind_dir": pa.Column(checks=_within(0, 360), nullable=True),
            "wind_speed": pa.Column(checks=_mostly_below(HIGHEST_WIND_MPH), nullable=True),
            "wind_gust": pa.Column(checks=_mostly_below(HIGHEST_WIND_MPH), nullable=True),
            "precip": pa.Column(checks=_within(0, 10), nullable=True),
            "pressure": pa.Column(checks=_within(850, 1100), nullable=True),
            "visib": pa.Column(checks=_within(0, 100), nullable=True),
        },
        checks=_once("origin", "time_hour"),
        name="weather",
    )


def planes_schema() -> pa.DataFrameSchema:
    """The rules for the table of planes."""
    return pa.DataFrameSchema(
        {
            "tailnum": pa.Column(),
            "year": pa.Column(checks=_within(1900, 2100), nullable=True),
            "manufacturer": pa.Column(nullable=True),
            "engines": pa.Column(checks=_within(1, 8), nullable=True),
            "seats": pa.Column(checks=_within(1, 900), nullable=True),
        },
        checks=_once("tailnum"),
        name="planes",
    )
