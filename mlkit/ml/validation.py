"""Hold collected data against the rules, and report every broken rule at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mlkit.errors import needing_extra
from mlkit.ml.data_rules import Facts, Limits, flights_schema, planes_schema, weather_schema
from mlkit.ml.stage_errors import ValidationFailedError

with needing_extra("flights", "validating the flights"):
    import pandera.pandas as pa

__all__ = ["find_facts", "require_valid", "validate"]

_PANDERA_NAMES = {
    "not_nullable": "has no missing values",
    "column_in_dataframe": "the column is there",
}
_EXAMPLES = 3
_WHOLE_TABLE = "(whole table)"


def find_facts(flights: pd.DataFrame, weather: pd.DataFrame, limits: Limits) -> Facts:
    """Look at what the rules about whole tables need.

    Parameters
    ----------
    flights : DataFrame of shape (n_flights, n_columns)
        The collected flights.
    weather : DataFrame of shape (n_hours, n_columns)
        The collected weather.
    limits : Limits
        For the definition of late.

    Returns
    -------
    Facts
        Shares are 0 for an empty table.
    """
    delays = flights["arr_delay"].dropna()
    late = float((delays > limits.late_minutes).mean()) if len(delays) else 0.0
    hours = pd.MultiIndex.from_frame(weather[["origin", "time_hour"]])
    flown = pd.MultiIndex.from_frame(flights[["origin", "time_hour"]])
    rows = len(flights)
    return Facts(
        rows=rows,
        missing_share=float(flights["arr_delay"].isna().mean()) if rows else 0.0,
        minority_share=min(late, 1.0 - late) if len(delays) else 0.0,
        weather_share=float(flown.isin(hours).mean()) if rows else 0.0,
    )


def _plain(value: object) -> str | int | float:
    """A value as JSON can hold it."""
    if isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _broken(schema: pa.DataFrameSchema, table: pd.DataFrame) -> dict[tuple[str, str], list[Any]]:
    """The broken rules of one table: column and rule → the offending values."""
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        broken: dict[tuple[str, str], list[Any]] = {}
        for case in error.failure_cases.to_dict("records"):
            on_column = case["schema_context"] == "Column"
            column = str(case["column"]) if on_column else _WHOLE_TABLE
            rule = _PANDERA_NAMES.get(str(case["check"]), str(case["check"]))
            if rule == _PANDERA_NAMES["column_in_dataframe"]:
                column = str(case["failure_case"])
            broken.setdefault((column, rule), []).append(case["failure_case"])
        return broken
    return {}


def _rules(schema: pa.DataFrameSchema) -> list[tuple[str, str]]:
    """Every rule of a schema, as column and text."""
    rules = []
    for name, column in schema.columns.items():
        rules.append((name, _PANDERA_NAMES["column_in_dataframe"]))
        if not column.nullable:
            rules.append((name, _PANDERA_NAMES["not_nullable"]))
        rules.extend((name, str(check.error)) for check in column.checks)
    rules.extend((_WHOLE_TABLE, str(check.error)) for check in schema.checks)
    return rules


def _results(schema: pa.DataFrameSchema, table: pd.DataFrame) -> list[dict[str, Any]]:
    """One entry for each rule: where, what, whether it is kept, and examples if not."""
    broken = _broken(schema, table)
    return [
        {
            "table": str(schema.name),
            "column": column,
            "rule": rule,
            "passed": (column, rule) not in broken,
            "examples": _examples(column, broken.get((column, rule), [])),
        }
        for column, rule in _rules(schema)
    ]


def _examples(column: str, values: list[Any]) -> list[str | int | float]:
    """A few offending values; a rule about the whole table has none."""
    if column == _WHOLE_TABLE:
        return []
    present = [value for value in values if not pd.isna(value) and not isinstance(value, bool)]
    return [_plain(value) for value in present[:_EXAMPLES]]


def validate(tables: Mapping[str, pd.DataFrame], limits: Limits) -> dict[str, Any]:
    """Hold all tables against all rules.

    Parameters
    ----------
    tables : mapping of str to DataFrame of shape (n_rows, n_columns)
        "flights", "weather" and "planes".
    limits : Limits
        What the pipeline needs.

    Returns
    -------
    dict
        `passed`, `rows`, `minority_share`, `missing_share`, `weather_share`, `rules` (how many),
        and `results`, one entry for each rule.
    """
    facts = find_facts(tables["flights"], tables["weather"], limits)
    results = [
        *_results(flights_schema(facts, limits), tables["flights"]),
        *_results(weather_schema(), tables["weather"]),
        *_results(planes_schema(), tables["planes"]),
    ]
    return {
        "passed": all(result["passed"] for result in results),
        "rows": facts.rows,
        "minority_share": facts.minority_share,
        "missing_share": facts.missing_share,
        "weather_share": facts.weather_share,
        "rules": len(results),
        "results": results,
    }


def _sentence(result: Mapping[str, Any]) -> str:
    """A broken rule in words."""
    place = result["table"]
    if result["column"] != _WHOLE_TABLE:
        place = f"{place}.{result['column']}"
    found = ", ".join(repr(example) for example in result["examples"])
    return f"{place}: {result['rule']}" + (f" (found {found})" if found else "")


def require_valid(report: Mapping[str, Any]) -> None:
    """Let a report pass that has no broken rule.

    Parameters
    ----------
    report : mapping
        What `validate` returned.

    Raises
    ------
    ValidationFailedError
        Rules are broken; every one of them is named.
    """
    broken = [_sentence(result) for result in report["results"] if not result["passed"]]
    if broken:
        raise ValidationFailedError(
            f"{len(broken)} of {report['rules']} rules are broken: " + "; ".join(broken)
        )
