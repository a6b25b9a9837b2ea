"""Cron expressions."""

from __future__ import annotations

import re

import pytest

from mlkit.core.cron import parse_cron


@pytest.mark.parametrize(
    "text",
    [
        *["0 2 * * *", "*/15 0-6,12 1 JAN-mar mon-FRI", "59 23 31 12 7", "0 0 1 1 0", "@daily"],
        *["  0   2 * * *  ", "1-30/2 * * * *", "0 0 * * sun"],
    ],
)
def test_an_expression_is_accepted(text: str) -> None:
    """Five fields with lists, ranges, steps and names; or an alias."""
    parse_cron(text)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "'' has 0 fields, a cron expression has 5"),
        ("* * * *", "'* * * *' has 4 fields, a cron expression has 5"),
        ("Daily", "'Daily' has 1 fields, a cron expression has 5 (did you mean '@daily'?)"),
        ("60 * * * *", "'60' is no minute (0 to 59) in '60 * * * *'"),
        ("* 24 * * *", "'24' is no hour (0 to 23) in '* 24 * * *'"),
        ("* * 0 * *", "'0' is no day of the month (1 to 31) in '* * 0 * *'"),
        ("* * * foo *", "'foo' is no month (1 to 12) in '* * * foo *'"),
        ("* * * * 8", "'8' is no day of the week (0 to 7) in '* * * * 8'"),
        ("5-1 * * * *", "'5-1' is no minute (0 to 59) in '5-1 * * * *'"),
        ("*/0 * * * *", "'*/0' is no minute (0 to 59) in '*/0 * * * *'"),
        ("*-5 * * * *", "'*-5' is no minute (0 to 59) in '*-5 * * * *'"),
        ("1,,2 * * * *", "'' is no minute (0 to 59) in '1,,2 * * * *'"),
        ("² * * * *", "'²' is no minute (0 to 59) in '² * * * *'"),
        ("-1 * * * *", "'-1' is no minute (0 to 59) in '-1 * * * *'"),
        ("0 0 30 2 *", "'0 0 30 2 *' never comes: no such month has a day 30"),
        ("0 0 31 4,6 */2", "'0 0 31 4,6 */2' never comes: no such month has a day 31"),
    ],
)
def test_an_expression_is_refused(text: str, fact: str) -> None:
    """Naming the field."""
    with pytest.raises(ValueError, match=f"^{re.escape(fact)}$"):
        parse_cron(text)


@pytest.mark.parametrize(
    ("text", "field", "numbers"),
    [
        ("*/20 0 1 1 0", "minutes", {0, 20, 40}),
        ("5/20 0 1 1 0", "minutes", {5, 25, 45}),
        ("0-10/5,59 0 1 1 0", "minutes", {0, 5, 10, 59}),
        ("0 0 1 JAN-mar,12 0", "months", {1, 2, 3, 12}),
        ("0 0 * * 0", "weekdays", {0}),
        ("0 0 * * 7", "weekdays", {0}),
        ("0 0 * * 5-7", "weekdays", {0, 5, 6}),
        ("0 0 * * mon-FRI", "weekdays", {1, 2, 3, 4, 5}),
        ("0 0 * * */2", "weekdays", {0, 2, 4, 6}),
        ("@weekly", "weekdays", {0}),
        ("@monthly", "days", {1}),
    ],
)
def test_a_field_names_its_numbers(text: str, field: str, numbers: set[int]) -> None:
    """Weekdays count from Sunday, as cron counts, whichever way they are written."""
    assert set(getattr(parse_cron(text), field)) == numbers


def test_a_day_of_the_week_saves_a_day_that_the_month_lacks() -> None:
    """Where both kinds of day are named, one is enough."""
    assert parse_cron("0 0 30 2 mon").either_day
