"""Plain values in the syntax tree of a DAG file. Pure."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

__all__ = ["LONGEST_TEXT", "plain_value"]

LONGEST_TEXT = 2_000
_ZONES = ("tz", "tzinfo")
_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


def plain_value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """A plain value for an expression, as far as there is one.

    Parameters
    ----------
    node : ast.expr
        The expression.
    known : Mapping
        Names that have been given plain values.

    Returns
    -------
    object
        A JSON value; times are ISO text, durations `{"seconds": …}`, others `{"code": …}`.
    """
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.JoinedStr):
        parts = [plain_value(part, known) for part in node.values]
        plain = all(isinstance(part, str | int | float) for part in parts)
        return _text("".join(map(str, parts)) if plain else None, node)
    if isinstance(node, ast.FormattedValue):
        return plain_value(node.value, known)
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = [str(plain_value(key, known)) for key in node.keys if key is not None]
        return dict(zip(keys, (plain_value(v, known) for v in node.values), strict=True))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [plain_value(element, known) for element in node.elts]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = plain_value(node.left, known), plain_value(node.right, known)
        if isinstance(left, str) and isinstance(right, str):
            return _text(left + right, node)
    if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("TriggerRule."):
        return node.attr.lower()
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "dict" and not node.args:
        return {str(k.arg): plain_value(k.value, known) for k in node.keywords}
    return _constant(node)


def _text(text: str | None, node: ast.expr) -> Any:
    """A text that was put together, unless it has grown beyond all reason."""
    return {"code": ast.unparse(node)} if text is None or len(text) > LONGEST_TEXT else text


def _constant(node: ast.expr) -> Any:
    try:
        if isinstance(node, ast.Call):
            return _time(node)
        value = ast.literal_eval(node)
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError):
        return {"code": ast.unparse(node)}
    is_plain = value is None or isinstance(value, bool | int | float | str)
    return value if is_plain else {"code": ast.unparse(node)}


def _time(call: ast.Call) -> Any:
    """A `timedelta(…)` as seconds, and a `datetime(…)` of numbers as the ISO text of its day."""
    name = ast.unparse(call.func).rpartition(".")[2]
    given = [ast.literal_eval(argument) for argument in call.args]
    named = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg not in _ZONES}
    if name == "timedelta" and not given:
        return {"seconds": sum(_SECONDS[str(unit)] * number for unit, number in named.items())}
    if name in ("datetime", "date") and len(given) >= 3 and not named:
        return "-".join(f"{number:02d}" for number in given[:3])
    return {"code": ast.unparse(call)}
