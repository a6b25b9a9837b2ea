"""`check_yourself`: what a lesson says of the answer that a learner has put in place of `...`."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import EllipsisType, FunctionType
from typing import Any

from mlkit.frozen import dataclass
from mlkit.inside.checks.checking import in_colour

__all__ = ["Reply", "check_yourself"]

GAP = "..."
MANY = 3
LONGEST = 400


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is said of an answer; a notebook shows it as text, never as a traceback.

    Parameters
    ----------
    status : str
        `passed`, `not_yet`, or `not_attempted` for an answer that still has a `...`.
    message : str
        The first line, with the glyph that says the status.
    """

    status: str
    message: str

    def __repr__(self) -> str:
        """The sentence."""
        return self.message

    def _repr_html_(self) -> str:
        """The same with a colour beside the glyph."""
        return in_colour(self.status, self.message)


def check_yourself(
    answer: Any,
    right: Any,
    *,
    seen: Callable[[Any], Any] | None = None,
    hint: str = "",
) -> Reply:
    """Hold a learner's answer against the right one, and say in what they differ.

    Parameters
    ----------
    answer : object
        A value, or a function that the learner writes. As long as a `...` stands in it, it counts
        as not answered: the whole value, an item of it, a part of a text, or a line of a function.
    right : object
        What the answer should be, or what `seen` should give of it: texts, numbers, booleans,
        sets, lists and dicts. Name the facts by a dict, and the reply names those that differ.
    seen : callable, optional
        What is looked at instead of the answer itself, such as `lambda f: {"f(2)": f(2)}`. It is
        not called for an answer with a `...`; what it raises is told in a sentence.
    hint : str, optional
        A further sentence for an answer that is not right yet.

    Returns
    -------
    Reply
        The cell's last expression, so that the notebook shows it.
    """
    if _has_gap(answer):
        return Reply(
            status="not_attempted",
            message=f"· not answered yet: write your answer in place of {GAP}",
        )
    try:
        found = answer if seen is None else seen(answer)
        told = list(_differences(_own(found), _own(right)))
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever an answer raises is told
        told = [f"your answer raised {type(error).__name__}: {_shortly(error)}"]
    if not told:
        return Reply(status="passed", message="✓ right")
    left = len(told) - MANY
    more = [f"and {left} more difference{'s' if left > 1 else ''}"] if left > 0 else []
    sentences = "\n  ".join([*told[:MANY], *more])
    return Reply(
        status="not_yet",
        message=f"✗ not yet: {sentences}" + (f"\n  Hint: {hint}" if hint else ""),
    )


def _shortly(error: BaseException) -> str:
    """Its first lines that say something: some libraries put a whole traceback into the text."""
    lines = [line for line in str(error).splitlines() if any(map(str.isalnum, line))]
    text = "\n  ".join(lines[:MANY])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _has_gap(answer: Any) -> bool:
    if isinstance(answer, EllipsisType):
        return True
    if isinstance(answer, str):
        return GAP in answer
    if isinstance(answer, Mapping):
        return any(_has_gap(part) for pair in answer.items() for part in pair)
    if isinstance(answer, list | tuple | set | frozenset):
        return any(_has_gap(item) for item in answer)
    return isinstance(answer, FunctionType) and _has_gap_in_code(answer)


def _has_gap_in_code(function: FunctionType) -> bool:
    """By its source; one whose source nobody has is judged by whether it does anything."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):  # not from a cell or a file; a lambda within an expression
        empty = {code.co_code for code in (_empty.__code__, (lambda: None).__code__)}
        return function.__code__.co_code in empty and not any(function.__code__.co_consts[1:])
    # `x[..., 0]` and `tuple[int, ...]` are no gaps.
    slices = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        for part in ast.walk(node.slice)
    }
    return any(
        isinstance(node, ast.Constant) and node.value is ... and id(node) not in slices
        for node in ast.walk(tree)
    )


def _empty() -> None:
    """What a function with nothing in it compiles to."""


def _own(value: Any) -> Any:
    """A value of Python's own: numpy's numbers and texts of an enum are as good."""
    if hasattr(value, "tolist"):
        return value.item() if getattr(value, "shape", None) == () else _own(value.tolist())
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {_member(key): _own(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_own(item) for item in value]
    if isinstance(value, set | frozenset):
        return {_member(item) for item in value}
    return value


def _member(value: Any) -> Any:
    """A tuple stays one, for a list cannot be a member of a set."""
    return tuple(map(_member, value)) if isinstance(value, tuple) else _own(value)


KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "a truth value"),
    ((int, float), "a number"),
    (str, "a text"),
    (set, "a set"),
    ((list, tuple), "a list"),
    (dict, "a dict"),
    (type(None), "None"),
)


def _kind(value: Any) -> str:
    for types, name in KINDS:
        if isinstance(value, types):
            return name
    return f"of the type {type(value).__name__}"


def _differences(found: Any, right: Any) -> Iterator[str]:
    """Sentences that are true of what was found; none if it is right."""
    if found is None and right is not None:
        yield f"nothing (None) came, and {_kind(right)} is asked for"
    elif _kind(found) != _kind(right):
        yield f"{found!r} is {_kind(found)}, and {_kind(right)} is asked for"
    elif isinstance(right, dict):
        yield from _of_entries(found, right)
    elif isinstance(right, set):
        yield from _of_members(found, right)
    elif isinstance(right, list):
        yield from _of_items(found, right)
    elif isinstance(right, bool):
        if found != right:
            yield f"{found} where {right} is asked for"
    elif isinstance(right, int | float):
        yield from _of_numbers(found, right)
    elif not (found.equals(right) if hasattr(found, "equals") else found == right):
        yield f"{found!r} is not right"


def _of_numbers(found: float, right: float) -> Iterator[str]:
    if math.isclose(found, right, rel_tol=1e-9, abs_tol=1e-12):
        return
    if math.isnan(found) or math.isnan(right):
        if not (math.isnan(found) and math.isnan(right)):
            yield f"{found} is not right"
        return
    yield f"{found} is too {'small' if found < right else 'large'}"


def _of_entries(found: Mapping[Any, Any], right: Mapping[Any, Any]) -> Iterator[str]:
    for key in right:
        if key not in found:
            yield f"{key} is missing"
        else:
            yield from (f"{key}: {sentence}" for sentence in _differences(found[key], right[key]))
    for key in found:
        if key not in right:
            yield f"{key} does not belong here"


def _of_members(found: set[Any], right: set[Any]) -> Iterator[str]:
    for member in sorted(found - right, key=repr):
        yield f"{member!r} does not belong here"
    if missing := len(right - found):
        yield f"{missing} {'is' if missing == 1 else 'are'} missing"


def _of_items(found: list[Any], right: list[Any]) -> Iterator[str]:
    if len(found) != len(right):
        one, asked = ("item" if len(found) == 1 else "items"), ("is" if len(right) == 1 else "are")
        yield f"it has {len(found)} {one}, and {len(right)} {asked} asked for"
        return
    wrong = [n for n, pair in enumerate(zip(found, right, strict=True), 1) if _differ(*pair)]
    if wrong and Counter(map(repr, found)) == Counter(map(repr, right)):
        yield "these are the right ones, in another order"
        return
    for number in wrong:
        for sentence in _differences(found[number - 1], right[number - 1]):
            yield f"item {number}: {sentence}"


def _differ(found: Any, right: Any) -> bool:
    return next(_differences(found, right), None) is not None
