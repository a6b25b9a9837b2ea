"""A pipeline and its stages as values; made and checked by `mlkit.load`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from pathlib import PurePath
from typing import Any

from mlkit.core.instances import instance_id, written
from mlkit.core.outputs import Output
from mlkit.core.policies import Notify, Resources, Retry, Volume, WaitFor
from mlkit.core.triggers import TriggerRule
from mlkit.core.types import TypeSpec
from mlkit.frozen import dataclass

__all__ = [
    "Axis",
    "Condition",
    "Declaration",
    "ExternalFile",
    "Foreach",
    "Instance",
    "Kernel",
    "Node",
    "Pick",
    "Pipeline",
    "Profile",
    "RunFile",
    "RunOutput",
    "Setting",
    "Source",
    "Stage",
    "StageOutput",
    "gives_list",
]


@dataclass(frozen=True, kw_only=True, order=True)
class Pick:
    """What a reference says of one parameter that the other stage maps over.

    Parameters
    ----------
    parameter : str
        The parameter.
    value : str, optional
        The one value that is meant, as it stands in ids; None is *the same value as mine*.
    """

    parameter: str
    value: str | None = None

    def value_for(self, own: Mapping[str, str]) -> str | None:
        """The value that is meant for an instance with some values; None is each."""
        return own.get(self.parameter) if self.value is None else self.value


@dataclass(frozen=True, kw_only=True, order=True)
class Node:
    """A stage, or some instances of a mapped stage, as another stage refers to it.

    Parameters
    ----------
    stage : str
        The stage.
    value : str, optional
        What stands in brackets, as it is written.
    picks : tuple of Pick
        What that means; of a parameter without a pick all values are meant.
    """

    stage: str
    value: str | None = None
    picks: tuple[Pick, ...] = ()

    def __str__(self) -> str:
        """`STAGE` or `STAGE[VALUE]`."""
        return self.stage if self.value is None else f"{self.stage}[{self.value}]"

    @property
    def is_chained(self) -> bool:
        """Whether it means another instance for each instance of the stage that refers."""
        return any(pick.value is None for pick in self.picks)

    def wanted(self, own: Mapping[str, str]) -> dict[str, str]:
        """The values that are meant, by parameter, for an instance that has some values itself.

        For a stage as a whole, which has none, *the same value as mine* means each.
        """
        said = {p.parameter: p.value_for(own) for p in self.picks}
        return {name: value for name, value in said.items() if value is not None}


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
    """A file from outside the pipeline, `file:PATH`, or a folder, `file:PATH/`.

    Parameters
    ----------
    path : PurePath
        Absolute; the values of `${NAME}` are not filled in yet.
    is_folder : bool
        Whether it is a folder.
    """

    path: PurePath
    is_folder: bool = False

    def __str__(self) -> str:
        """The reference with its absolute path."""
        return f"file:{self.path}{'/' if self.is_folder else ''}"


@dataclass(frozen=True, kw_only=True)
class RunFile:
    """A file or folder that another run has made: which instance wrote it, where, and what it is.

    `digest` is what the run's record says.
    """

    instance: str
    path: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class RunOutput:
    """An artifact of another run, `run:RUN/STAGE.OUTPUT` or `run:PLACE/RUN/STAGE.OUTPUT`.

    Parameters
    ----------
    run : str
        A name, an id, the start of one, or `latest`.
    node : str
        `STAGE` or `STAGE[VALUE]` of that run.
    output : str
        The output.
    place : str
        The other pipeline, its runs folder, or a URL; empty for this pipeline's own runs.
    line : int
        Where it stands in pipeline.yaml.
    files : tuple of RunFile, optional
        What it means, once a run has found it; empty if that run was free not to write it.
    is_list : bool
        Whether it means a list: the stage was mapped in that run, and no value is named.
    """

    run: str
    node: str
    output: str
    place: str = ""
    line: int = 1
    files: tuple[RunFile, ...] | None = None
    is_list: bool = False

    def __str__(self) -> str:
        """The reference as it stands in pipeline.yaml."""
        place = f"{self.place}/" if self.place else ""
        return f"run:{place}{self.run}/{self.node}.{self.output}"


Source = StageOutput | ExternalFile | RunOutput


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One entry of `when`: the JSON value in an artifact must be one of some values."""

    source: StageOutput
    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One parameter that a stage maps over, and where its values come from.

    Parameters
    ----------
    parameter : str
        The parameter.
    values : tuple, optional
        The values; None where nobody knows them before a run.
    source : StageOutput, optional
        The artifact that holds them as a JSON list.
    listed : str, optional
        The parameter of the pipeline that lists them.
    """

    parameter: str
    values: tuple[Any, ...] | None = None
    source: StageOutput | None = None
    listed: str | None = None


@dataclass(frozen=True, kw_only=True)
class Foreach:
    """One instance of the stage for each value of a parameter, or each combination of several."""

    axes: tuple[Axis, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters, in order: the first one is the slowest of the product."""
        return tuple(axis.parameter for axis in self.axes)

    @property
    def sources(self) -> tuple[StageOutput, ...]:
        """The artifacts that hold lists of values."""
        return tuple(axis.source for axis in self.axes if axis.source is not None)

    @property
    def size(self) -> int | None:
        """How many instances there are; None where that is not known before a run."""
        lists = [axis.values for axis in self.axes]
        return None if None in lists else math.prod(len(values or ()) for values in lists)

    # Of the one parameter, for engines: a product with an artifact in it they have refused before.

    @property
    def parameter(self) -> str:
        """The first parameter."""
        return self.axes[0].parameter

    @property
    def values(self) -> tuple[Any, ...] | None:
        """The first parameter's values."""
        return self.axes[0].values

    @property
    def source(self) -> StageOutput | None:
        """The artifact that holds the first parameter's values."""
        return self.axes[0].source


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A variable of the kernel's environment, as pipeline.yaml sets it.

    Parameters
    ----------
    text : str
        Its value; those of `${NAME}` are not filled in yet.
    line : int
        Where it stands in pipeline.yaml.
    """

    text: str
    line: int = 1


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The profile that was chosen; what else it says has been merged into the pipeline.

    Parameters
    ----------
    name : str
        Its name.
    parameters : mapping of str to object
        Its values of `NAME` or `STAGE.NAME`.
    lines : mapping of str to int
        Where these stand in pipeline.yaml.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A Jupyter kernel other than mlkit's own Python.

    Parameters
    ----------
    name : str
        Jupyter's name for it.
    language : str
        What it speaks, as its specification says.
    program : str
        The interpreter, if it is a Python; otherwise empty.
    """

    name: str
    language: str = "python"
    program: str = ""


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

    Paths are absolute; `line` is the stage's line in pipeline.yaml; `env` is what it and the
    pipeline set; `metrics` maps the name of a number to where it stands, `OUTPUT.KEY`; `followed`
    holds the `foreach` parameters that its notebook leaves out, as the stage declares them whose
    instances it follows one by one.
    """

    name: str
    notebook: PurePath
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Source] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    after: tuple[Node, ...] = ()
    when: tuple[Condition, ...] = ()
    foreach: Foreach | None = None
    trigger: TriggerRule = TriggerRule.ALL_SUCCESS
    retry: Retry = field(default_factory=Retry)
    timeout_s: float | None = None
    cache: bool = True
    critical: bool = True
    depends_on_past: bool = False
    wait_for: WaitFor | None = None
    notify: Notify = field(default_factory=Notify)
    resources: Resources = field(default_factory=Resources)
    image: str | None = None
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    env: Mapping[str, Setting] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    kernel: Kernel | None = None
    declared: Mapping[str, Declaration] = field(default_factory=dict)
    followed: Mapping[str, Declaration] = field(default_factory=dict)
    line: int = 1

    @cached_property
    def data_upstream(self) -> tuple[Node, ...]:
        """The nodes whose artifacts the stage reads: they are done before it starts."""
        named = [source.node for source in self.inputs.values() if isinstance(source, StageOutput)]
        named += [condition.source.node for condition in self.when]
        if self.foreach is not None:
            named += [source.node for source in self.foreach.sources]
        return tuple(dict.fromkeys(named))

    @cached_property
    def upstream(self) -> tuple[Node, ...]:
        """All nodes that its trigger rule looks at, each once."""
        return tuple(dict.fromkeys([*self.data_upstream, *self.after]))

    @cached_property
    def is_chained(self) -> bool:
        """Whether its instances wait for different instances of another stage."""
        return any(node.is_chained for node in self.upstream)

    def maps_over(self, name: str) -> bool:
        """Whether its instances give this parameter, so that a pipeline's of that name does not."""
        return self.foreach is not None and name in self.foreach.parameters

    def type_of_values(self, parameter: str) -> TypeSpec:
        """The type of a `foreach` parameter's values."""
        return (self.declared.get(parameter) or self.followed[parameter]).spec

    @property
    def configurable(self) -> Mapping[str, Declaration]:
        """What it declares as parameters: neither an input nor an output."""
        taken = {*self.inputs, *self.outputs}
        return {name: item for name, item in self.declared.items() if name not in taken}


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What an attempt executes: a stage, or one instance of a mapped stage.

    Parameters
    ----------
    stage : Stage
        The stage.
    values : tuple
        The values of its `foreach` parameters, in their order; empty if it is not mapped.
    """

    stage: Stage
    values: tuple[Any, ...] = ()

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Its values by parameter, as they stand in its id."""
        foreach = self.stage.foreach
        names = () if foreach is None or not self.values else foreach.parameters
        return dict(zip(names, map(written, self.values), strict=True))

    @cached_property
    def id(self) -> str:
        """`STAGE`, `STAGE[VALUE]` or `STAGE[V1,V2]`."""
        return instance_id(self.stage.name, self.labels.values())


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
    description : str
        A sentence about it.
    schedule : str, optional
        A cron expression, or `every 6h`.
    timezone : str
        The zone whose clock the schedule follows.
    overlap : bool
        Whether a run may begin while another one of the schedule goes on.
    profile : Profile, optional
        The profile that was chosen.
    lines : mapping of str to int
        Where the values of `NAME` and `STAGE.NAME` stand in pipeline.yaml.
    """

    name: str
    file: PurePath
    stages: Mapping[str, Stage]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    schedule: str | None = None
    timezone: str = "UTC"
    overlap: bool = False
    profile: Profile | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def folder(self) -> PurePath:
        """The folder of pipeline.yaml."""
        return self.file.parent


def gives_list(node: Node, stages: Mapping[str, Stage]) -> bool:
    """Whether a reference means a list of instances, however long."""
    foreach = stages[node.stage].foreach
    return foreach is not None and len(node.picks) < len(foreach.axes)
