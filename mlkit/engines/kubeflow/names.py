"""What a pipeline and its stages are called in a compiled file."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping

from mlkit.engines.naming import FreeNames
from mlkit.frozen import dataclass

__all__ = [
    "MOST_PIPELINE",
    "MOST_STAGE",
    "RUN_ARGUMENTS",
    "Names",
    "argument",
    "kfp_name",
    "make_names",
]

RUN_ARGUMENTS = {
    "run_id": "run_id",
    "parameters": "parameters",
    "job_id": "dsl.PIPELINE_JOB_ID_PLACEHOLDER",
    "task_id": "dsl.PIPELINE_TASK_ID_PLACEHOLDER",
    "scheduled_at": "dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER",
}
"""What a component takes beside the stage's own inputs, and what it is given."""

_OTHERS = ("instance", "branch", "state")
_FORMS = ("{}_task", "{}_task_wait", "{}_decision", "{}_instances", "{}_not_taken")
MOST_PIPELINE = 128
"""The longest name of a pipeline that Kubeflow Pipelines keeps."""
MOST_STAGE = 116
"""Argo takes 128 characters as a task's name, and the cluster's compiler makes `NAME-driver` of it,
kfp's `NAME-2` where a component is called again."""


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


def make_names(pipeline: str, stages: Iterable[str], reserved: Iterable[str] = ()) -> Names:
    """Choose names for a pipeline and its stages, in the order of the file."""
    free = FreeNames({*reserved, *RUN_ARGUMENTS, *_OTHERS, "run", "task", "tell_task"})
    function = free.new(f"{pipeline}_pipeline")
    components = {stage: free.new(stage, *_FORMS) for stage in stages}
    tasks = {stage: f"{component}_task" for stage, component in components.items()}
    return Names(function=function, components=components, tasks=tasks)


def argument(name: str) -> str:
    """The name under which a component takes an input or gives an output."""
    taken = name in RUN_ARGUMENTS or name in _OTHERS or keyword.iskeyword(name)
    return f"{name}_" if taken else name


def kfp_name(text: str) -> str:
    """A pipeline's name as kfp allows it: lower case, digits and dashes."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain or "pipeline"
