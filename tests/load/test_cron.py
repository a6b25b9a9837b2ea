"""Cron expressions."""

from __future__ import annotations

import re

import pytest

from mlkit.load.cron import check_cron


@pytest.mark.parametrize(
    "text",
    [
        *["0 2 * * *", "*/15 0-6,12 1 JAN-mar mon-FRI", "59 23 31 12 7", "0 0 1 1 0", "@daily"],
        *["  0   2 * * *  ", "1-30/2 * * * *", "0 0 * * sun"],
    ],
)
def test_an_expression_is_accepted(text: str) -> None:
    """Five fields with lists, ranges, steps and names; or an alias."""
    check_cron(text)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "'' has 0 fields, a cron expression has 5"),
        ("* * * *", "'* * * *' has 4 fields, a cron expression has 5"),
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
    ],
)
def test_an_expression_is_refused(text: str, fact: str) -> None:
    """Naming the field."""
    with pytest.raises(ValueError, match=f"^{re.escape(fact)}$"):
        check_cron(text)
