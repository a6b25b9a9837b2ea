"""What a code cell of an exercise is for, as its author says it. Standard library only.

A role is one word: `answer-mean`, `probe-tables`, `check-mean`, `feedback-mean`. It stands in the
cell's first line as a comment, among its tags, or is its id; so it can be set in any program for
notebooks, also in those that show no ids and no metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["AUTHOR", "HIDDEN", "KINDS", "Role", "cell_tags", "role_of", "without_role_comment"]

KINDS = ("answer", "probe", "check", "feedback")
AUTHOR = "author"
HIDDEN = "hidden"
_WORD = re.compile(rf"(?:{'|'.join(KINDS)})-[A-Za-z0-9][\w-]*", re.ASCII)
_COMMENT = re.compile(rf"#+[ \t]*(hidden[ \t]+)?({_WORD.pattern})([ \t]+hidden)?[ \t]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a cell says of itself.

    Parameters
    ----------
    names : tuple of str
        Every role that its first line or its tags give, each once; more than one is a mistake.
    bare : tuple of str
        Tags that are a kind without a name, such as `answer`.
    hidden : bool
        Whether learners are not to see it.
    author : bool
        Whether it is a note for authors alone, and no part of the exercise.
    """

    names: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    hidden: bool = False
    author: bool = False


def role_of(cell: Mapping[str, Any]) -> Role:
    """Read a cell's first line and its tags; its id is left to the caller."""
    tags = cell_tags(cell)
    comment = _COMMENT.fullmatch(_first_line(cell)) if cell.get("cell_type") == "code" else None
    told = [comment[2]] if comment else []
    told += [tag for tag in tags if _WORD.fullmatch(tag)]
    return Role(
        names=tuple(dict.fromkeys(told)),
        bare=tuple(tag for tag in tags if tag in KINDS),
        hidden=HIDDEN in tags or bool(comment and (comment[1] or comment[3])),
        author=AUTHOR in tags,
    )


def cell_tags(cell: Mapping[str, Any]) -> list[str]:
    """A cell's tags, whatever its metadata hold."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def without_role_comment(text: str) -> str:
    """A cell's source without the first line, if that says nothing but its role."""
    first, _, rest = text.partition("\n")
    return rest if _COMMENT.fullmatch(first.strip()) else text


def _first_line(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    text = source if isinstance(source, str) else "".join(source)
    return text.partition("\n")[0].strip()
