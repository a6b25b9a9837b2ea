"""Whether an answer is still the stub, told from what the learner has run. Pure."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Sequence

__all__ = ["bound_names", "is_untouched", "stub_digest"]

FORM = re.compile(r"# ?@(?:title|markdown)\b")


def stub_digest(source: str) -> str:
    """The identity of a stub, whatever blanks stand at its lines' ends.

    A title that Colab shows for a cell, or a text beside it, is a comment, and no part of it.
    """
    lines = [line.rstrip() for line in source.strip().splitlines()]
    text = "\n".join(line for line in lines if not FORM.match(line)).strip()
    return hashlib.sha256(text.encode()).hexdigest()


def is_untouched(history: Sequence[str], digest: str) -> bool:
    """Whether the stub was run, and nothing after it that binds one of its names.

    Parameters
    ----------
    history : sequence of str
        The cells that were run, in order.
    digest : str
        The stub's identity.
    """
    places = [n for n, source in enumerate(history) if stub_digest(source) == digest]
    if not places:
        return False
    names = bound_names(history[places[-1]])
    return not any(names & bound_names(source) for source in history[places[-1] + 1 :])


def bound_names(source: str) -> set[str]:
    """The names that a cell binds at its top level; none if it is no plain Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names |= {
                part.id
                for part in ast.walk(node)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
    return names
