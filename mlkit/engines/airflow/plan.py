"""What a DAG file is written from: its tasks, their policies and names, its parameters. Pure."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlkit.core.logical_date import LOGICAL_DATE, takes_logical_date
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.values import encode
from mlkit.engines.airflow.policies import Policy, common_policy, placement, policy_of
from mlkit.engines.airflow.tasks import Branch, Kind, Task, branches_of, tasks_of
from mlkit.engines.export import ExportSettings

__all__ = ["Plan", "plan_of"]

_RESERVED = {
    *("json", "os", "re", "subprocess", "timedelta", "Path", "Any", "pendulum", "k8s", "pod"),
    *("EmptyOperator", "FileSensor", "Context", "dag", "task", "get_current_context", "tell"),
    *("AirflowFailException", "AirflowSkipException", "CronDataIntervalTimetable", "label"),
    *("run_id_of", "call_mlkit", "run_stage", "parameters_of", "read_artifact"),
    "pipeline",
    *("is_one_of", "record_timeout", "getattr", "str", "int", "list", "dict", "isinstance"),
}
"""Names that the file uses itself."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A DAG before it is written.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    workers : int
        How many tasks may run at once.
    tasks : tuple of Task
        In the order in which they are written.
    branches : mapping of str to Branch
        By the stage's name.
    policies : mapping of str to Policy
        By the stage's name.
    parameters : mapping of str to object
        What Airflow shows as the DAG's parameters.
    dated : bool
        Whether the start of the scheduled interval is handed on.
    """

    pipeline: Pipeline
    workers: int
    tasks: tuple[Task, ...]
    branches: Mapping[str, Branch]
    policies: Mapping[str, Policy]
    parameters: Mapping[str, Any]
    dated: bool

    @property
    def dag_id(self) -> str:
        """The pipeline's name, as Airflow and Python's file names allow it."""
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.pipeline.name)

    @cached_property
    def common(self) -> Policy:
        """The default arguments."""
        return common_policy(self.policies.values())

    @cached_property
    def names(self) -> dict[str, str]:
        """Each task's variable in the file; those of the functions have `run_` before them."""
        taken = set(_RESERVED)
        found = {}
        for task in self.tasks:
            name = re.sub(r"\W", "_", task.id)
            while keyword.iskeyword(name) or name in taken or f"run_{name}" in taken:
                name += "_"
            taken |= {name, f"run_{name}"}
            found[task.id] = name
        return found

    @property
    def tells(self) -> bool:
        """Whether anybody is told of anything."""
        stages = self.pipeline.stages.values()
        return any(s.notify.on_failure or s.notify.on_success for s in stages)

    @property
    def has_pods(self) -> bool:
        """Whether a stage asks for an image or for resources."""
        return any(placement(stage) is not None for stage in self.pipeline.stages.values())

    def has(self, kind: Kind) -> bool:
        """Whether there is a task of a kind."""
        return any(task.kind == kind for task in self.tasks)

    def stage(self, task: Task) -> Stage:
        """The stage for which a task is there."""
        return self.pipeline.stages[task.stage]


def plan_of(pipeline: Pipeline, settings: ExportSettings) -> Plan:
    """Work out everything that the file will say.

    Raises
    ------
    UnsupportedByEngineError
        If a policy cannot be expressed.
    """
    return Plan(
        pipeline=pipeline,
        workers=settings.workers,
        tasks=tasks_of(pipeline),
        branches=branches_of(pipeline),
        policies={name: policy_of(pipeline, stage) for name, stage in pipeline.stages.items()},
        parameters=_parameters(pipeline, settings),
        dated=takes_logical_date(pipeline) and LOGICAL_DATE not in settings.parameters,
    )


def _parameters(pipeline: Pipeline, settings: ExportSettings) -> dict[str, Any]:
    """The pipeline's parameters and those that were given, as far as JSON can hold them.

    What is taken from the environment stays there: it may be a secret.
    """
    secret = {
        name
        for stage in pipeline.stages.values()
        for name, item in stage.configurable.items()
        if item.spec.is_secret
    }
    merged = {**pipeline.parameters, **settings.parameters}
    return {name: item for name, item in merged.items() if _is_shown(item) and name not in secret}


def _is_shown(item: Any) -> bool:
    return encode(item) == item and "${" not in str(item)
