"""What a pipeline, its stages and their outputs are called in Argo's files. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mlkit.engines.unrolling import Unrolled
from mlkit.frozen import dataclass

__all__ = ["MOST_NAME", "MOST_STAGE", "Names", "floats", "make_names", "values", "word"]

MOST_NAME = 52
"""Argo takes no longer name of a CronWorkflow, for it puts the time behind it."""
MOST_STAGE = 128
"""The longest name of a task or template (`workflowFieldMaxLength`)."""

_SPOKEN = frozenset(
    {"and", "or", "not", "in", "let", "if", "else", "nil", "true", "false", "matches"}
)
"""Words of the language in which `depends` is written."""
_OWN = frozenset({"pipeline", "conclude"})
"""Templates that belong to no stage."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one pipeline.

    Parameters
    ----------
    pipeline : str
        The WorkflowTemplate and the CronWorkflow.
    templates : mapping of str to str
        Stage of pipeline.yaml to its template.
    tasks : mapping of str to str
        Stage, or instance that stands alone, to its task.
    loops : mapping of (tuple of str) to str
        The stages that go together through one list to their template and task.
    """

    pipeline: str
    templates: Mapping[str, str]
    tasks: Mapping[str, str]
    loops: Mapping[tuple[str, ...], str]


class _Free:
    """Hands out names, each once; in `depends` Argo reads a dash as an underscore."""

    def __init__(self) -> None:
        self._taken = set(_SPOKEN | _OWN)

    def new(self, wish: str) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", wish.lower()).strip("-") or "stage"
        name = f"n-{name}" if name[0].isdigit() else name
        number, free = 1, name
        while free in self._taken:
            number += 1
            free = f"{name}-{number}"
        self._taken.add(free)
        return free


def make_names(whole: Unrolled, stages: Iterable[str], loops: Iterable[tuple[str, ...]]) -> Names:
    """Choose the names.

    Parameters
    ----------
    whole : Unrolled
        The pipeline.
    stages : iterable of str
        The stages of pipeline.yaml, in their order.
    loops : iterable of (tuple of str)
        The stages of each loop over a list in an artifact that has several.
    """
    free = _Free()
    templates = {stage: free.new(stage) for stage in stages}
    tasks = {
        name: free.new(name) if name in whole.origins else templates[name]
        for name in whole.pipeline.stages
    }
    plain = re.sub(r"[^a-z0-9]+", "-", whole.pipeline.name.lower()).strip("-")
    return Names(
        pipeline=plain or "pipeline",
        templates=templates,
        tasks=tasks,
        loops={loop: free.new(f"each-{loop[0]}") for loop in loops},
    )


def word(output: str) -> str:
    """The output parameter that holds what a condition asks for."""
    return f"{output}-word"


def values(output: str) -> str:
    """The output parameter that holds the labels of a list's values."""
    return f"{output}-values"


def floats(output: str) -> str:
    """The same where the list's values are read as floats."""
    return f"{output}-floats"
