"""Python's names for the stages of a pipeline, none twice and none that means something else."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["OWN_ARGUMENTS", "Names", "argument", "kfp_name", "make_names", "module_name"]

OWN_ARGUMENTS = (
    *("instance", "run_id", "parameters", "job_id", "task_id", "scheduled_at"),
    *("branch", "state"),
)
"""What every component takes or gives beside the stage's own inputs and outputs."""

_TAKEN = frozenset(
    {
        *keyword.kwlist,
        *dir(builtins),
        *OWN_ARGUMENTS,
        *("dsl", "compiler", "kubernetes", "component", "partial", "run", "task"),
        *("NamedTuple", "List", "run_stage", "read_value", "read_instances"),
        *("conditions_hold", "wait_for_file", "no_branch", "tell_people", "tell_task"),
    }
)

_SUFFIXES = ("_task", "_task_wait", "_decision", "_instances", "_not_taken")


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one pipeline.

    Parameters
    ----------
    function : str
        The pipeline function.
    components : mapping of str to str
        Stage to the function of its component.
    tasks : mapping of str to str
        Stage to the variable of its task.
    """

    function: str
    components: Mapping[str, str]
    tasks: Mapping[str, str]


def make_names(pipeline: str, stages: Iterable[str]) -> Names:
    """Choose names for a pipeline and its stages, in the order of the file."""
    taken = set(_TAKEN)
    function = _free(_identifier(f"{pipeline}_pipeline"), taken, ())
    components = {stage: _free(_identifier(stage), taken, _SUFFIXES) for stage in stages}
    tasks = {stage: f"{component}_task" for stage, component in components.items()}
    return Names(function=function, components=components, tasks=tasks)


def argument(name: str) -> str:
    """The name under which a component takes an input or gives an output."""
    return f"{name}_" if name in OWN_ARGUMENTS or keyword.iskeyword(name) else name


def kfp_name(text: str) -> str:
    """A pipeline's name as kfp allows it: lower case, digits and dashes."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain[:128].strip("-") or "pipeline"


def module_name(pipeline: str) -> str:
    """The name of the compiled file, without its ending."""
    return kfp_name(pipeline).replace("-", "_") + "_pipeline"


def _identifier(text: str) -> str:
    plain = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()
    return plain if plain and not plain[0].isdigit() else f"stage_{plain}".rstrip("_")


def _free(name: str, taken: set[str], suffixes: Iterable[str]) -> str:
    """Choose a name that is free, and so is everything derived from it."""
    candidate, number = name, 2
    while taken & (made := {candidate, *(candidate + suffix for suffix in suffixes)}):
        candidate, number = f"{name}_{number}", number + 1
    taken |= made
    return candidate
