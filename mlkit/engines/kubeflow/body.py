"""The pipeline function: tasks, loops, branches and what they wait for. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlkit.core.pipeline import Condition, Pipeline, Stage, StageOutput
from mlkit.core.triggers import TriggerRule
from mlkit.core.values import canonical, label
from mlkit.engines.kubeflow import policies
from mlkit.engines.kubeflow.branches import is_patient, nodes_of, plain_answer
from mlkit.engines.kubeflow.components import (
    branch_argument,
    forks_before,
    handed,
    speaker,
)
from mlkit.engines.kubeflow.layout import Block, Fork, Layout
from mlkit.engines.kubeflow.names import Names, argument
from mlkit.engines.kubeflow.writing import (
    INDENT,
    Argument,
    call,
    expression,
    literal,
    quoted,
)

__all__ = ["Body"]


@dataclass(kw_only=True)
class Body:
    """Writes the body of the pipeline function.

    Parameters
    ----------
    pipeline, layout, names
        The pipeline, where its stages stand, and what they are called.
    workers : int
        How many instances of a loop run at once.
    """

    pipeline: Pipeline
    layout: Layout
    names: Names
    workers: int
    small: set[str] = field(default_factory=set)
    tasks: list[str] = field(default_factory=list)
    forks: dict[str, list[str]] = field(default_factory=dict)

    def write(self, indent: str) -> list[str]:
        """Write everything; `small` then names the small components that it uses."""
        return self._blocks(self.layout.blocks, indent)

    def _blocks(self, blocks: tuple[Block, ...], indent: str) -> list[str]:
        lines: list[str] = []
        for block in blocks:
            lines += (
                self._stage(self.pipeline.stages[block], indent)
                if isinstance(block, str)
                else self._fork(block, indent)
            )
        return lines

    def _task(self, stage: str) -> str:
        return self.names.tasks[stage]

    def _new(self, name: str) -> str:
        self.tasks.append(name)
        return name

    def _stage(self, stage: Stage, indent: str) -> list[str]:
        waits = self._wait(stage, indent)
        if stage.foreach is None:
            return [*waits, *self._call(stage, indent, [])]
        items, before = self._items(stage, indent)
        loop: list[Argument] = [items, f"parallelism={self.workers}"]
        head = call(f"{indent}with dsl.ParallelFor", loop, " as instance:")
        inner = self._call(stage, indent + INDENT, ["instance=instance"])
        return [*waits, *before, *head, *inner]

    def _call(self, stage: Stage, indent: str, first: list[Argument]) -> list[str]:
        task = self._new(self._task(stage.name))
        inputs = handed(self.pipeline, self.layout, stage)
        arguments = list(first)
        arguments += [(f"{argument(n)}=", self._value(source)) for n, source in inputs.items()]
        branches = self.taken(stage)
        arguments += [(f"{branch_argument(n)}=", text) for n, text in enumerate(branches)]
        head = f"{indent}{task} = {self.names.components[stage.name]}"
        lines = call(head, [*arguments, "**run"])
        linked = {source.node.stage for source in inputs.values()}
        after = [f"{task}_wait"] if stage.wait_for else []
        after += self._order(stage, linked)
        if after:
            lines += call(f"{indent}{task}.after", list(dict.fromkeys(after)))
        if is_patient(stage) and nodes_of(stage):
            lines.append(f"{indent}{task}.ignore_upstream_failure()")
        return [*lines, *(indent + line for line in policies.statements(stage, task))]

    def _order(self, stage: Stage, linked: set[str]) -> list[str]:
        """The tasks that a stage waits for without reading from them."""
        names = dict.fromkeys(node.stage for node in nodes_of(stage))
        told = {name for fork in self._spoken(stage) for name in fork.stages}
        asked = {c.source.node.stage for c in stage.when if stage.name in self.layout.askers}
        listed = None if stage.foreach is None else stage.foreach.source
        over = set() if listed is None else {listed.node.stage}
        skip = linked | told | asked | over
        return [self._task(name) for name in names if name not in skip]

    def _path(self, source: StageOutput) -> str:
        """The path of an upstream artifact."""
        return f'{self._task(source.node.stage)}.outputs["{argument(source.output)}"]'

    def _value(self, source: StageOutput) -> str:
        """The path of an upstream artifact, or the list of a loop's paths."""
        mapped = self.pipeline.stages[source.node.stage].foreach is not None
        path = self._path(source)
        return expression("dsl.Collected", [path]) if mapped else path

    # branches

    def _find(self, name: str, blocks: tuple[Block, ...] | None = None) -> Fork:
        for block in self.layout.blocks if blocks is None else blocks:
            if isinstance(block, str):
                continue
            if block.name == name:
                return block
            for inner in block.branches.values():
                try:
                    return self._find(name, inner)
                except LookupError:
                    continue
        raise LookupError(name)

    def _spoken(self, stage: Stage) -> list[Fork]:
        """The forks whose taken branch a stage is told of by `dsl.OneOf`."""
        if is_patient(stage):
            return []
        here = len(self.layout.paths[stage.name])
        forks = [
            self._find(name) for depth, name in forks_before(self.layout, stage) if depth == here
        ]
        return [fork for fork in forks if speaker(self.pipeline, fork) is not None]

    def taken(self, stage: Stage) -> list[str]:
        """For each fork before a stage, the expression that gives the taken branch's state."""
        found: list[str] = []
        for fork in self._spoken(stage):
            speakers = speaker(self.pipeline, fork) or {}
            states = [f'{self._task(name)}.outputs["state"]' for name in speakers.values()]
            found.append(expression("dsl.OneOf", [*states, f"{self._else(fork)}.output"]))
        return found

    def _else(self, fork: Fork) -> str:
        first = next(iter(fork.stages))
        return f"{self.names.components[first]}_not_taken"

    def _is_joined(self, fork: Fork) -> bool:
        """Whether something outside waits for it: kfp then wants all its ways to be there."""
        inside = set(fork.stages)
        return any(
            node.stage in inside
            for name, stage in self.pipeline.stages.items()
            if name not in inside
            for node in nodes_of(stage)
        )

    def _fork(self, fork: Fork, indent: str) -> list[str]:
        """`dsl.If`, `dsl.Elif`, and `dsl.Else` where something waits for the fork."""
        first = self.names.components[next(iter(fork.stages))]
        asking = next(
            self.pipeline.stages[name]
            for name in fork.stages
            if name in self.layout.askers and self.layout.paths[name][-1].fork == fork.name
        )
        lines, question = self._question(asking, f"{first}_decision", indent)
        for number, (answer, blocks) in enumerate(fork.branches.items()):
            word = "dsl.Elif" if number else "dsl.If"
            lines.append(f"{indent}with {word}({question} == {quoted(answer or 'yes')}):")
            lines += self._blocks(blocks, indent + INDENT)
        if self._is_joined(fork):
            self.small.add("no_branch")
            lines.append(f"{indent}with dsl.Else():")
            lines.append(f"{indent}{INDENT}{self._new(self._else(fork))} = no_branch()")
        return lines

    def _question(self, stage: Stage, task: str, indent: str) -> tuple[list[str], str]:
        """The task that reads what a fork asks, and the value that it gives."""
        self._new(task)
        if plain_answer(stage) is not None:
            self.small.add("read_value")
            path = f"path={self._path(stage.when[0].source)}"
            return call(f"{indent}{task} = read_value", [path]), f"{task}.output"
        self.small.add("conditions_hold")
        wanted = [[canonical(value) for value in c.values] for c in stage.when]
        arguments = (f"paths={self._paths(stage.when)}", ("wanted=", literal(wanted)))
        return call(f"{indent}{task} = conditions_hold", arguments), f"{task}.output"

    def _paths(self, conditions: tuple[Condition, ...]) -> str:
        values = [self._path(condition.source) for condition in conditions]
        if len(values) == 1:
            return values[0]
        inner = "\\n".join("{" + value.replace('"', "'") + "}" for value in values)
        return f'f"{inner}"'

    # loops and sensors

    def _items(self, stage: Stage, indent: str) -> tuple[str, list[str]]:
        """What a loop runs over: the instances as mlkit names them."""
        foreach = stage.foreach
        assert foreach is not None
        if foreach.source is None:
            values = [f"{stage.name}[{label(v)}]" for v in foreach.values or ()]
            return literal(values or [stage.name]), []
        self.small.add("read_instances")
        task = self._new(f"{self.names.components[stage.name]}_instances")
        as_float = stage.declared[foreach.parameter].spec.kind == "float"
        arguments = [
            f"stage={quoted(stage.name)}",
            f"path={self._path(foreach.source)}",
            f"as_float={as_float}",
        ]
        return f"{task}.output", call(f"{indent}{task} = read_instances", arguments)

    def _wait(self, stage: Stage, indent: str) -> list[str]:
        """The task that waits for a stage's file, once everything upstream of it is done."""
        sensor = stage.wait_for
        if sensor is None:
            return []
        self.small.add("wait_for_file")
        task = self._new(f"{self._task(stage.name)}_wait")
        upstream, after = self._states(stage)
        arguments: list[Argument] = [
            ("pattern=", quoted(str(sensor.path))),
            f"every_s={sensor.every_s!r}",
            f"timeout_s={sensor.timeout_s!r}",
            f"upstream={upstream}",
        ]
        lines = call(f"{indent}{task} = wait_for_file", arguments)
        return [*lines, *(call(f"{indent}{task}.after", after) if after else [])]

    def _states(self, stage: Stage) -> tuple[str, list[str]]:
        """The states upstream as one text, and the tasks that can only be waited for."""
        names = list(dict.fromkeys(node.stage for node in nodes_of(stage)))
        if stage.trigger is not TriggerRule.ALL_SUCCESS:
            return '""', [self._task(name) for name in names]
        plain = [
            name
            for name in names
            if self.layout.sees(stage.name, name) and not self.pipeline.stages[name].foreach
        ]
        rest = [self._task(name) for name in names if name not in plain]
        states = [f"{self._task(name)}.outputs['state']" for name in plain]
        text = " ".join("{" + state + "}" for state in states)
        return (f'f"{text}"' if states else '""'), rest
