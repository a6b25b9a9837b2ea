"""A listing is Python that is read and never run: what stands in it, and what is wrong with it.

What the readers of DAG files and of kfp pipelines have in common. They read outside the sandbox,
and therefore give up on texts beyond any that an exercise needs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from typing import Any

from mlkit.frozen import dataclass
from mlkit.inside.checks.check_facts import same

__all__ = ["MOST_TASKS", "Listing", "Problem", "Reader", "fits", "has_settings"]

LONGEST, MOST_TASKS = 20_000, 200


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with a listing.

    Parameters
    ----------
    rule : str
        The rule that it breaks, one word.
    line : int
        Where.
    text : str
        What, in a sentence.
    """

    rule: str
    line: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What stands in a listing.

    Parameters
    ----------
    settings : Mapping
        Arguments of the whole; times as ISO text, durations as `{"seconds": …}`, anything that is
        no plain value as `{"code": …}`.
    tasks : Mapping
        Task → what is said of it.
    edges : frozenset of tuple of str
        (upstream, downstream).
    problems : tuple of Problem
        By line.
    """

    settings: Mapping[str, Any]
    tasks: Mapping[str, Mapping[str, Any]]
    edges: frozenset[tuple[str, str]]
    problems: tuple[Problem, ...]


class Reader:
    """Keeps what is found in a syntax tree."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.edges: set[tuple[str, str]] = set()
        self.problems: list[Problem] = []

    def note(self, line: int, rule: str, text: str) -> None:
        """Keep a problem."""
        self.problems.append(Problem(rule=rule, line=line, text=text))

    def read(self, source: str, walk: Callable[[ast.Module], None]) -> None:
        """Walk the syntax tree of a text; that it has none, or is beyond reason, is a problem."""
        if len(source) > LONGEST:
            self.note(1, "unreadable", f"the file is longer than {LONGEST} characters")
            return
        try:
            walk(ast.parse(source))
        except (SyntaxError, ValueError) as error:
            self.note(getattr(error, "lineno", 1) or 1, "syntax", f"this is not Python: {error}")
        except (RecursionError, MemoryError):
            self.note(1, "unreadable", "something in the file is nested too deeply")

    def found(self) -> dict[str, Any]:
        """The fields of a `Listing`: everything found so far."""
        return {
            "settings": self.settings,
            "tasks": self.tasks,
            "edges": frozenset(self.edges),
            "problems": tuple(sorted(self.problems, key=lambda p: (p.line, p.rule, p.text))),
        }


def fits(found: Listing, problems: Collection[Problem], rule: Mapping[str, Any]) -> bool:
    """Whether a listing is as a rule wants it.

    Parameters
    ----------
    found : Listing
        What stands there.
    problems : collection of Problem
        What is wrong with it.
    rule : Mapping
        `free_of` lists rules that must not be broken; `tasks` and `edges` are what must be there,
        no more and no less; `settings` and `task_settings` what must be said there.
    """
    edges = rule.get("edges")
    return (
        not {problem.rule for problem in problems} & set(rule.get("free_of", ()))
        and ("tasks" not in rule or set(rule["tasks"]) == set(found.tasks))
        and (edges is None or {(up, down) for up, down in edges} == set(found.edges))
        and has_settings(found.settings, rule.get("settings", {}))
        and all(
            has_settings(found.tasks.get(task, {}), wanted)
            for task, wanted in rule.get("task_settings", {}).items()
        )
    )


def has_settings(settings: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether settings have the values wanted, or one of `{"any_of": values}`."""
    return all(_is_wanted(settings.get(name, _MISSING), value) for name, value in wanted.items())


_MISSING = object()


def _is_wanted(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and wanted.keys() == {"any_of"}:
        return any(same(value, one) for one in wanted["any_of"])
    return same(value, wanted)
