"""Parse Python in any thread."""

from __future__ import annotations

import ast
import threading

__all__ = ["parse", "parse_expression"]

# Before 3.11.8 and 3.12.2 Python counts the depth of a tree for all threads together: where two
# parse at once, one may get "SystemError: AST constructor recursion depth mismatch"
# (https://github.com/python/cpython/issues/106905), and that was an attempt's end.
_one_at_a_time = threading.RLock()


def parse(source: str) -> ast.Module:
    """Parse some statements.

    Raises
    ------
    SyntaxError, ValueError
        As `ast.parse` does.
    """
    with _one_at_a_time:
        return ast.parse(source)


def parse_expression(source: str) -> ast.expr:
    """Parse one expression; raises what `parse` does."""
    with _one_at_a_time:
        return ast.parse(source, mode="eval").body
