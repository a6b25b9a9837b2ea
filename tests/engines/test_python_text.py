"""Python as a formatter would leave it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.engines.python_text import assign, call, decorate, listing, literal, value, write

_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_literal_reads_back(text: str) -> None:
    """Whatever quotes, breaks and backslashes it holds."""
    assert ast.literal_eval(literal(text)) == text


@given(_PLAIN)
def test_a_value_reads_back(item: object) -> None:
    """Also when it is opened up over many lines."""
    name, _, text = assign("x", value(item)).partition(" = ")
    assert name == "x"
    assert eval(text, {"__builtins__": {"float": float}}) == item


def test_what_fits_stays_on_its_line() -> None:
    """And what does not is opened up, with a comma behind each item."""
    short = call("run", literal("a"), after=value([1, 2]))
    assert write(short, before="x = ") == 'x = run("a", after=[1, 2])'
    long = call("run", literal("a" * 50), after=listing([literal("b" * 40)]))
    assert write(long, indent=1) == "\n".join(
        ["    run(", f'        "{"a" * 50}",', f'        after=["{"b" * 40}"],', "    )"]
    )
    assert decorate(call("task", task_id=literal("x"))) == '@task(task_id="x")'


@settings(max_examples=15, deadline=None)
@given(st.lists(st.dictionaries(st.text("abc'\" ", max_size=40), _PLAIN, max_size=5), max_size=4))
def test_ruff_would_change_nothing(items: list[object]) -> None:
    """At its usual width and at this project's."""
    text = assign("x", value(items)) + "\n"
    ruff = str(Path(sys.executable).parent / "ruff")
    for width in ("88", "100"):
        command = [ruff, "format", "--isolated", "--line-length", width, "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        assert done.stdout == text
