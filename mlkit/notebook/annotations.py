"""Read the type annotation of a parameter from its syntax tree."""

from __future__ import annotations

import ast

from mlkit.core.parsing import parse_expression
from mlkit.core.types import ANY, TypeSpec

__all__ = ["UnknownAnnotationError", "read_annotation"]

_SIMPLE = frozenset({"bool", "int", "float", "str", "Secret", "date", "datetime", "Path"})
_SEQUENCES = frozenset({"list", "List", "Sequence"})
_MAPPINGS = frozenset({"dict", "Dict", "Mapping"})


class UnknownAnnotationError(ValueError):
    """An annotation that is no type of parameters."""

    remedy = (
        "A parameter is a bool, int, float, str, list, dict, None, date, datetime, Path, "
        "mlkit.Secret, Literal[…], or a union of these"
    )


def read_annotation(node: ast.expr) -> TypeSpec:
    """Turn an annotation into a type.

    Raises
    ------
    UnknownAnnotationError
        If it is none that a parameter can have.
    """
    match node:
        case ast.Constant(value=None):
            return TypeSpec(kind="None")
        case ast.Constant(value=str(text)):
            return _forward(text)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union([read_annotation(left), read_annotation(right)])
        case ast.Subscript(value=outer, slice=inner):
            return _generic(_last(outer), inner, node)
        case ast.Name() | ast.Attribute():
            return _named(node)
    raise UnknownAnnotationError(f"'{ast.unparse(node)}' is no type of parameters")


def _forward(text: str) -> TypeSpec:
    try:
        return read_annotation(parse_expression(text))
    except UnknownAnnotationError:
        raise
    except (SyntaxError, ValueError):
        raise UnknownAnnotationError(f"{text!r} is no type of parameters") from None


def _named(node: ast.expr) -> TypeSpec:
    name = _last(node)
    if name in _SIMPLE:
        return TypeSpec(kind=name, source=ast.unparse(node))
    if name in _SEQUENCES:
        return TypeSpec(kind="list")
    if name in _MAPPINGS:
        return TypeSpec(kind="dict")
    if name in ("Any", "object"):
        return ANY
    raise UnknownAnnotationError(f"'{ast.unparse(node)}' is no type of parameters")


def _generic(name: str, inner: ast.expr, node: ast.expr) -> TypeSpec:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Optional":
        return _union([read_annotation(inner), TypeSpec(kind="None")])
    if name == "Union":
        return _union([read_annotation(part) for part in parts])
    if name == "Annotated":
        return read_annotation(parts[0])
    if name == "Literal":
        try:
            return TypeSpec(kind="literal", choices=tuple(ast.literal_eval(p) for p in parts))
        except (ValueError, TypeError):
            raise UnknownAnnotationError(f"'{ast.unparse(node)}' holds no literals") from None
    if name in _SEQUENCES and len(parts) == 1:
        return TypeSpec(kind="list", members=(read_annotation(parts[0]),))
    if name in _MAPPINGS and len(parts) == 2:
        return TypeSpec(kind="dict", members=tuple(map(read_annotation, parts)))
    raise UnknownAnnotationError(f"'{ast.unparse(node)}' is no type of parameters")


def _union(members: list[TypeSpec]) -> TypeSpec:
    flat = [
        m for member in members for m in (member.members if member.kind == "union" else (member,))
    ]
    return TypeSpec(kind="union", members=tuple(flat))


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rsplit(".", 1)[-1]
