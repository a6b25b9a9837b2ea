"""Python as Black leaves it."""

from __future__ import annotations

import ast
import datetime as dt
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.engines.python_text import (
    assign,
    call,
    decorate,
    formatted,
    listing,
    literal,
    mapping,
    value,
    write,
)

_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.text())
def test_a_literal_reads_back(text: str) -> None:
    """Whatever quotes, breaks, backslashes and halves of pairs it holds."""
    assert ast.literal_eval(literal(text)) == text


@settings(deadline=None)
@given(_PLAIN)
def test_a_value_reads_back_when_it_has_its_form(item: object) -> None:
    """Also when it is opened up over many lines, and with characters that are two columns wide."""
    source = formatted(assign("x", value(item)))
    scope: dict[str, object] = {}
    exec(source, {"float": float}, scope)
    assert scope["x"] == item
    assert formatted(source) == source


def test_what_has_no_literal_is_called() -> None:
    """Dates, and numbers that are none."""
    assert value(dt.date(2013, 1, 2)) == "date(2013, 1, 2)"
    assert value([math.inf, -math.inf]) == "[float('inf'), float('-inf')]"
    assert math.isnan(eval(value(math.nan)))


def test_what_fits_stays_on_its_line() -> None:
    """And what does not is opened up."""
    assert formatted('x = run("a", after=[1, 2])') == 'x = run("a", after=[1, 2])\n'
    long = write(call("run", literal("a" * 50), after=listing([literal("b" * 40)])), before="x = ")
    assert formatted(long) == "\n".join(
        ["x = run(", f'    "{"a" * 50}",', f'    after=["{"b" * 40}"],', ")\n"]
    )
    assert decorate(call("task", task_id=literal("x"))) == "@task(task_id='x')"
    assert mapping({"it's": "1"}) == '{"it\'s": 1}'
