"""The language of `--filter`, held against Python's own evaluation, and its mistakes."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.filtering import MISSING, kind_of, read_filter
from mlkit.errors import UsageError

NAMES = ("rows", "seed", "model", "evaluate.roc_auc", "train[a,b].auc", "deep", "odd name")
WORDS = {"status": ("succeeded", "failed")}


def passes(text: str, **row: Any) -> bool:
    """Whether a row passes a filter; every name of the row is a column."""
    columns = {*NAMES, *row, "status"}
    found = read_filter(text, lambda n: n if n in columns else None, sorted(columns), WORDS)
    return found(row)


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("rows > 1000 and status == succeeded", {"rows": 2000, "status": "succeeded"}, True),
        ("rows>1000 and status==succeeded", {"rows": 2000, "status": "failed"}, False),
        ("rows == 1_000", {"rows": 1000.0}, True),
        ("rows >= -1.5e2", {"rows": -150}, True),
        ("model == 'tree'", {"model": "tree"}, True),
        ('model == "it\'s"', {"model": "it's"}, True),
        (r"model == 'a\'b'", {"model": "a'b"}, True),
        ("model in (tree, forest)", {"model": "forest"}, True),
        ("model in [tree, 3]", {"model": 3}, True),
        ("model in[tree, 3]", {"model": 3}, True),
        ("model not in (tree)", {"model": "forest"}, True),
        ("model in ()", {"model": "forest"}, False),
        ("'ore' in model", {"model": "forest"}, True),
        ("2 in rows", {"rows": [1, 2]}, True),
        ("evaluate.roc_auc > 0.7 or rows < 5", {"evaluate.roc_auc": 0.6, "rows": 4}, True),
        ("train[a,b].auc > 0.5", {"train[a,b].auc": 0.6}, True),
        ("`odd name` == 1", {"odd name": 1}, True),
        ("rows is missing", {}, True),
        ("rows is not missing", {"rows": None}, False),
        ("rows > 1", {}, False),
        ("rows != 1", {}, False),
        ("not rows > 1", {}, True),
        ("rows not in (1, 2)", {}, False),
        ("rows == '5'", {"rows": 5}, False),
        ("rows != '5'", {"rows": 5}, True),
        ("rows < a", {"rows": 5, "a": "x"}, False),
        ("deep", {"deep": True}, True),
        ("not deep", {"deep": False}, True),
        ("deep == true", {"deep": 1}, False),
        ("rows == seed", {"rows": 5, "seed": 5}, True),
        ("day >= '2013-01-02'", {"day": dt.date(2013, 1, 3)}, True),
        ("file == '/a/b'", {"file": Path("/a/b")}, True),
        ("rows == inf", {"rows": "inf"}, True),
        ("x > 1 and not (x > 5 or x == 3)", {"x": 4}, True),
        ("(((x == 1)))", {"x": 1}, True),
        ("x in (1,2) and not x in (2,3)", {"x": 1}, True),
        ("labels == best", {"labels": ["old", "best"]}, True),
        ("labels != best", {"labels": ["old", "best"]}, False),
        ("labels == worst", {"labels": ["old", "best"]}, False),
        ("labels != worst", {"labels": ["old", "best"]}, True),
        ("labels in (best, worst)", {"labels": ["old", "best"]}, True),
        ("labels == best", {"labels": MISSING}, False),
        ("x == 3", {"x": [2, 3]}, True),
        ("x < 3", {"x": [2, 3]}, False),
        ("x < " + "9" * 5_000, {"x": 4}, True),
        ("straße == ä", {"straße": "ä"}, True),
    ],
)
def test_a_filter_means_what_it_says(
    text: str,
    row: dict[str, Any],
    expected: bool,  # noqa: FBT001 - pytest hands it over by its name
) -> None:
    """Each form of the language."""
    assert passes(text, **row) is expected


@pytest.mark.parametrize(
    ("text", "fact", "marked", "remedy"),
    [
        ("rosw > 1", "there is no column 'rosw'", "rosw", "'rows'"),
        ("rows > seedd", "there is no column 'seedd'", "seedd", "'seed'"),
        ("rows in seedd", "there is no column 'seedd'", "seedd", "'seed'"),
        ("status == suceeded", "is never 'suceeded'", "suceeded", "'succeeded'"),
        ("status in (failed, x)", "is never 'x'", "x", "Known: succeeded, failed"),
        ("rows = 5", "'=' is not understood", "=", "=="),
        ("rows > 5 & seed < 3", "'&' is not understood", "&", "'and'"),
        ("rows > 'x", "''' is not understood", "'", "no end"),
        ("rows >", "missing at the end", "", "For example"),
        ("", "missing at the end", "", "For example"),
        ("rows > (3", "missing before '('", "(", "For example"),
        ("(rows > 3", "')' is missing", "", "Close"),
        ("rows > 3)", "more than one condition", ")", "'and'"),
        ("rows > 3 seed < 4", "more than one condition", "seed", "'and'"),
        ("5", "a condition compares something", "5", "rows > 1000"),
        ("rows is 5", "'is' asks only", "5", "=="),
        ("rows == missing", "never true", "missing", "is missing"),
        ("rows in (1 2)", "stand between commas", "2", "comma"),
        ("rows in 5", "followed by a list", "5", "in (1, 2, 3)"),
        ("rows not 5", "followed by 'in'", "5", "For example"),
        ("__import__('os')", "there is no column '__import__'", "__import__", ""),
        ("not " * 200 + "deep", "nested too deep", "", "For example"),
        ("rows > 3; seed", "';' is not understood", ";", "For example"),
    ],
)
def test_a_mistake_is_marked_where_it_stands(
    text: str, fact: str, marked: str, remedy: str
) -> None:
    """With the fact and the remedy."""
    with pytest.raises(UsageError) as caught:
        passes(text)
    message = caught.value.message
    assert fact in message
    assert remedy in (caught.value.remedy or "")
    _, line, marks = message.splitlines()
    if marked:
        assert "".join(c for c, m in zip(line, marks, strict=False) if m == "^") == marked


def test_a_name_with_blanks_that_is_written_bare_is_told_its_form() -> None:
    """Not that there is no such column, and nothing more."""
    with pytest.raises(UsageError, match="there is no column 'loss'") as caught:
        passes("loss curve < 1", **{"loss curve": 2, "loss curve of test": 1})
    assert caught.value.remedy == "A name with blanks stands in backticks: `loss curve`"
    assert passes("`loss curve` < 1", **{"loss curve": 0.5})


VALUES = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.0, 2.0, float("nan")]),
    st.booleans(),
    st.sampled_from(["a", "b", "it's", "a b", "1", "rows"]),
    st.none(),
    st.just(MISSING),
)
COLUMNS = ("rows", "seed", "model")
ROWS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUES))
LITERALS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.0, 2.0]),
    st.booleans(),
    st.sampled_from(["a", "b", "it's", "a b", "1"]),
)
OPERANDS = st.one_of(
    st.sampled_from(COLUMNS).map(lambda name: ("column", name)),
    LITERALS.map(lambda value: ("value", value)),
)
SIGNS = ("==", "!=", "<", "<=", ">", ">=")
LEAVES = st.one_of(
    st.tuples(st.just("compare"), OPERANDS, st.sampled_from(SIGNS), OPERANDS),
    st.tuples(st.just("in"), OPERANDS, st.booleans(), st.lists(LITERALS, max_size=3)),
    st.tuples(st.just("missing"), st.sampled_from(COLUMNS), st.booleans()),
)
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=8,
)


def written(tree: Any) -> str:
    """A tree as one types it."""
    match tree:
        case ("compare", left, sign, right):
            return f"{_operand(left)} {sign} {_operand(right)}"
        case ("in", left, turned, among):
            items = ", ".join(_operand(("value", item)) for item in among)
            return f"{_operand(left)} {'not ' if turned else ''}in ({items})"
        case ("missing", name, turned):
            return f"{name} is {'not ' if turned else ''}missing"
        case ("not", inner):
            return f"not ({written(inner)})"
        case (word, left, right):
            return f"({written(left)}) {word} ({written(right)})"
    raise AssertionError(tree)


def _operand(operand: tuple[str, Any]) -> str:
    kind, value = operand
    if kind == "column":
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + value.replace("'", r"\'") + "'" if isinstance(value, str) else repr(value)


def slowly(tree: Any, row: dict[str, Any]) -> bool:
    """What a tree means, told by Python: missing is no value, kinds do not mix."""
    match tree:
        case ("not", inner):
            return not slowly(inner, row)
        case ("and", left, right):
            return slowly(left, row) and slowly(right, row)
        case ("or", left, right):
            return slowly(left, row) or slowly(right, row)
        case ("missing", name, turned):
            return bool((row[name] is None or row[name] is MISSING) != turned)
        case ("in", left, turned, among):
            value = _value(left, row)
            if value is None or value is MISSING:
                return False
            found = any(kind_of(value) == kind_of(i) and value == i for i in among)
            return found is not bool(turned)
        case ("compare", left, sign, right):
            one, other = _value(left, row), _value(right, row)
            if one is None or other is None or MISSING in (one, other):
                return False
            if kind_of(one) != kind_of(other):
                return bool(sign == "!=")
            return bool(eval(f"one {sign} other", {}, {"one": one, "other": other}))
    raise AssertionError(tree)


def _value(operand: tuple[str, Any], row: dict[str, Any]) -> Any:
    return row[operand[1]] if operand[0] == "column" else operand[1]


@given(TREES, st.lists(ROWS, min_size=1, max_size=4))
def test_a_filter_agrees_with_python(tree: Any, rows: list[dict[str, Any]]) -> None:
    """Over random conditions and random tables."""
    found = read_filter(written(tree), lambda n: n if n in COLUMNS else None, COLUMNS, {})
    assert [found(row) for row in rows] == [slowly(tree, row) for row in rows]


PIECES = st.sampled_from(
    [
        *(*NAMES, *SIGNS, "status", "`odd name`", "and", "or", "not", "in", "is", "missing"),
        *("null", "true", "(", ")", "[", "]", ",", "1", "-1", "1e999", "0x1", "1_000", "9" * 5_000),
        *("'a'", '"b"', "'", '"', "\\", "''", "`", "``", ".", "a[", "a[b]c"),
        *("٣", "²", "\n", "\0", "\u202e"),
    ]
)
TYPED = st.one_of(
    st.text(max_size=30),
    st.builds(str.join, st.sampled_from(["", " "]), st.lists(PIECES, max_size=12)),
)


@given(TYPED)
def test_any_text_is_a_filter_or_a_sentence(text: str) -> None:
    """Nothing that somebody types ends otherwise."""
    with contextlib.suppress(UsageError):
        read_filter(text, lambda n: n if n in NAMES else None, NAMES, WORDS)({})
