"""A pipeline and its stages as values; made and checked by `mlkit.load`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Any

from mlkit.core.policies import Notify, Resources, Retry, WaitFor
from mlkit.core.triggers import TriggerRule
from mlkit.core.types import TypeSpec
from mlkit.core.values import label

__all__ = [
    "Condition",
    "Declaration",
    "ExternalFile",
    "Foreach",
    "Instance",
    "Node",
    "Pipeline",
    "Source",
    "Stage",
    "StageOutput",
]


@dataclass(frozen=True, kw_only=True, order=True)
class Node:
    """A stage, or one instance of a mapped stage, as another stage refers to it."""

    stage: str
    value: str | None = None

    def __str__(self) -> str:
        """`STAGE` or `STAGE[VALUE]`."""
        return self.stage if self.value is None else f"{self.stage}[{self.value}]"


@dataclass(frozen=True, kw_only=True)
class StageOutput:
    """An artifact named by the stage that writes it: `STAGE.OUTPUT` or `STAGE[VALUE].OUTPUT`."""

    node: Node
    output: str

    def __str__(self) -> str:
        """The reference as it stands in pipeline.yaml."""
        return f"{self.node}.{self.output}"


@dataclass(frozen=True, kw_only=True)
class ExternalFile:
    """A file from outside the pipeline: `file:PATH`.

    Parameters
    ----------
    path : PurePath
        Absolute; the values of `${NAME}` are not filled in yet.
    """

    path: PurePath

    def __str__(self) -> str:
        """The reference with its absolute path."""
        return f"file:{self.path}"


Source = StageOutput | ExternalFile


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One entry of `when`: the JSON value in an artifact must be one of some values."""

    source: StageOutput
    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Foreach:
    """One instance of the stage for each value of one parameter.

    Either `values` is given (a literal list) or `source` (an artifact that holds a JSON list).
    """

    parameter: str
    values: tuple[Any, ...] | None = None
    source: StageOutput | None = None


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One name that a notebook's parameters cell declares.

    Parameters
    ----------
    name : str
        The variable.
    spec : TypeSpec
        Its type, from the annotation or plain from the default.
    default : object
        Its default value.
    annotated : bool
        Whether the notebook annotates it.
    line : int
        The line within the cell, from 1.
    """

    name: str
    spec: TypeSpec
    default: Any
    annotated: bool = False
    line: int = 1


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One notebook with typed parameters, named inputs, named outputs and policies.

    Paths are absolute; `line` is the stage's line in pipeline.yaml.
    """

    name: str
    notebook: PurePath
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Source] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    after: tuple[Node, ...] = ()
    when: tuple[Condition, ...] = ()
    foreach: Foreach | None = None
    trigger: TriggerRule = TriggerRule.ALL_SUCCESS
    retry: Retry = field(default_factory=Retry)
    timeout_s: float | None = None
    cache: bool = True
    critical: bool = True
    wait_for: WaitFor | None = None
    notify: Notify = field(default_factory=Notify)
    resources: Resources = field(default_factory=Resources)
    image: str | None = None
    declared: Mapping[str, Declaration] = field(default_factory=dict)
    line: int = 1

    @cached_property
    def data_upstream(self) -> tuple[Node, ...]:
        """The nodes whose artifacts the stage reads: they are done before it starts."""
        named = [source.node for source in self.inputs.values() if isinstance(source, StageOutput)]
        named += [condition.source.node for condition in self.when]
        if self.foreach is not None and self.foreach.source is not None:
            named.append(self.foreach.source.node)
        return tuple(dict.fromkeys(named))

    @cached_property
    def upstream(self) -> tuple[Node, ...]:
        """All nodes that its trigger rule looks at, each once."""
        return tuple(dict.fromkeys([*self.data_upstream, *self.after]))

    @property
    def configurable(self) -> Mapping[str, Declaration]:
        """What it declares as parameters: neither an input nor an output."""
        taken = {*self.inputs, *self.outputs}
        return {name: item for name, item in self.declared.items() if name not in taken}


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What an attempt executes: a stage, or one value of a mapped stage.

    Parameters
    ----------
    stage : Stage
        The stage.
    value : object
        The value of its `foreach` parameter; meaningless if it is not mapped.
    """

    stage: Stage
    value: Any = None

    @property
    def is_mapped(self) -> bool:
        """Whether the stage is a mapped one."""
        return self.stage.foreach is not None

    @cached_property
    def id(self) -> str:
        """`STAGE` or `STAGE[VALUE]`."""
        return f"{self.stage.name}[{label(self.value)}]" if self.is_mapped else self.stage.name


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A `pipeline.yaml` and the stage notebooks beside it.

    Parameters
    ----------
    name : str
        Its name; results are reused within one name only.
    file : PurePath
        The absolute path of its pipeline.yaml.
    stages : mapping of str to Stage
        In the order of the file.
    parameters : mapping of str to object
        The pipeline's parameters and their defaults.
    schedule : str, optional
        A cron expression.
    """

    name: str
    file: PurePath
    stages: Mapping[str, Stage]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    schedule: str | None = None

    @property
    def folder(self) -> PurePath:
        """The folder of pipeline.yaml."""
        return self.file.parent
