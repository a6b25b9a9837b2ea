"""The pipeline function: tasks, loops, branches and what they wait for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from mlkit.core.pipeline import Condition, Pipeline, Stage, StageOutput
from mlkit.core.triggers import TriggerRule
from mlkit.core.values import canonical
from mlkit.engines.kubeflow.branches import is_patient, nodes_of, plain_answer
from mlkit.engines.kubeflow.components import (
    branch_argument,
    forks_before,
    handed,
    run_arguments,
    speaker,
    stage_component,
)
from mlkit.engines.kubeflow.layout import Block, Fork, Layout, Loop
from mlkit.engines.kubeflow.lineage import made_arguments, read_arguments
from mlkit.engines.kubeflow.names import RUN_ARGUMENTS, Names, argument
from mlkit.engines.kubeflow.policies import statements
from mlkit.engines.python_text import call, literal, value
from mlkit.engines.questions import listed_labels, together
from mlkit.engines.unrolling import Unrolled

__all__ = ["Body"]

_STEP = "    "


@dataclass(kw_only=True)
class Body:
    """Writes the body of the pipeline function.

    Parameters
    ----------
    whole, layout, names
        The pipeline, in which an instance that others wait for alone stands as a stage; where its
        stages stand, and what they are called.
    workers : int, optional
        How many instances of a loop run at once; by default all.
    remote : bool
        Whether the runs stand behind a URL, so that mlkit has to fetch what a task reads.
    """

    whole: Unrolled
    layout: Layout
    names: Names
    workers: int | None
    remote: bool
    tasks: list[str] = field(default_factory=list)

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, with the instances that stand alone."""
        return self.whole.pipeline

    def components(self) -> Iterator[str]:
        """The components, one for each stage; instances have theirs in common."""
        firsts: dict[str, Stage] = {}
        for name, function in self.functions.items():
            firsts.setdefault(function, self.pipeline.stages[name])
        for function, stage in firsts.items():
            yield stage_component(self.pipeline, function, stage, self._takes(stage))

    @cached_property
    def functions(self) -> dict[str, str]:
        """The function of each stage's component.

        Instances have theirs in common as far as they are handed the same.
        """
        found: dict[str, str] = {}
        shared: dict[tuple[str, ...], str] = {}
        for name, stage in self.pipeline.stages.items():
            origin = self.whole.stage_of(name)
            kind = (origin, *self._takes(stage))
            usual = self.names.components[origin]
            if kind not in shared:
                shared[kind] = self.names.components[name] if usual in found.values() else usual
            found[name] = shared[kind]
        return found

    def _takes(self, stage: Stage) -> dict[str, str]:
        """The arguments of a stage's component, with their types."""
        is_instance = stage.foreach is not None or stage.name in self.whole.origins
        takes = {"instance": "str"} if is_instance else {}
        for name in run_arguments(self.pipeline):
            takes[name] = "list" if name == "parameters" else "str"
        for name, source in handed(self.layout, stage).items():
            takes[argument(name)] = "list[str]" if self._is_many(source, stage) else "str"
        for name, source in self._read(stage).items():
            kind = "list[dsl.Artifact]" if self._is_many(source, stage) else "dsl.Artifact"
            takes[name] = f"dsl.Input[{kind}]"
        return takes | {branch_argument(n): "str" for n in range(len(self.taken(stage)))}

    def write(self, indent: str) -> list[str]:
        """Write everything; `tasks` then names all tasks."""
        return self._blocks(self.layout.blocks, indent)

    def _blocks(self, blocks: tuple[Block, ...], indent: str) -> list[str]:
        lines: list[str] = []
        for block in blocks:
            if isinstance(block, str):
                lines += self._stage(self.pipeline.stages[block], indent)
            elif isinstance(block, Loop):
                lines += self._loop(block, indent)
            else:
                lines += self._fork(block, indent)
        return lines

    def _made(self, task: str, function: str, indent: str, **named: str) -> str:
        """The line that makes a task."""
        self.tasks.append(task)
        return f"{indent}{task} = {call(function, **named)}"

    def _stage(self, stage: Stage, indent: str) -> list[str]:
        waits = self._wait(stage, indent)
        if stage.name in self.whole.origins:
            return [*waits, *self._call(stage, indent, instance=literal(stage.name))]
        if stage.foreach is None:
            return [*waits, *self._call(stage, indent)]
        items, before = self._items(stage, indent, stage.name)
        inner = self._call(stage, indent + _STEP, instance="instance")
        return [*waits, *before, self._over(items, indent), *inner]

    def _over(self, items: str, indent: str) -> str:
        limit = {} if self.workers is None else {"parallelism": str(self.workers)}
        loop = call("dsl.ParallelFor", items, **limit)
        return f"{indent}with {loop} as instance:"

    def _loop(self, loop: Loop, indent: str) -> list[str]:
        """Stages that go together through one list: its items are what stands behind their names.

        An instance waits for its own upstream only, for both are in one turn of the loop.
        """
        stages = [self.pipeline.stages[name] for name in loop.stages]
        waits = [line for stage in stages for line in self._wait(stage, indent)]
        items, before = self._items(stages[0], indent, "")
        inner = [
            line
            for stage in stages
            for line in self._call(stage, indent + _STEP, instance=f'f"{stage.name}{{instance}}"')
        ]
        return [*waits, *before, self._over(items, indent), *inner]

    def _is_own(self, source: StageOutput, stage: Stage) -> bool:
        """Whether an input comes of the same turn of the same loop."""
        loop = together(self.pipeline).get(stage.name, ())
        return source.node.is_chained and source.node.stage in loop

    def _is_many(self, source: StageOutput, stage: Stage) -> bool:
        """Whether an input is the list of what a loop has made."""
        over = self.pipeline.stages[source.node.stage].foreach
        return over is not None and not self._is_own(source, stage)

    def _call(self, stage: Stage, indent: str, **named: str) -> list[str]:
        task = self.names.tasks[stage.name]
        inputs = handed(self.layout, stage)
        named |= {argument(name): self._value(source, stage) for name, source in inputs.items()}
        named |= {n: self._artifact(source, stage) for n, source in self._read(stage).items()}
        named |= {branch_argument(n): text for n, text in enumerate(self.taken(stage))}
        self.tasks.append(task)
        made = call(self.functions[stage.name], *_named(named), "**run")
        linked = {source.node.stage for source in inputs.values()}
        after = [f"{task}_wait"] if stage.wait_for else []
        after += self._order(stage, linked)
        said = [call(f"{task}.after", *dict.fromkeys(after))] if after else []
        if is_patient(stage) and nodes_of(stage):
            said.append(f"{task}.ignore_upstream_failure()")
        lines = [f"{task} = {made}", *said, *statements(stage, task)]
        return [indent + line for line in lines]

    def _order(self, stage: Stage, linked: set[str]) -> list[str]:
        """The tasks that a stage waits for without reading from them."""
        names = dict.fromkeys(node.stage for node in nodes_of(stage))
        told = {name for fork in self._spoken(stage) for name in fork.stages}
        asked = {c.source.node.stage for c in stage.when if stage.name in self.layout.askers}
        listed = None if stage.foreach is None else stage.foreach.source
        over = set() if listed is None else {listed.node.stage}
        skip = linked | told | asked | over
        return [self.names.tasks[name] for name in names if name not in skip]

    def _output(self, stage: str, name: str) -> str:
        return f"{self.names.tasks[stage]}.outputs[{literal(name)}]"

    def _path(self, source: StageOutput) -> str:
        """The path of an upstream artifact."""
        return self._output(source.node.stage, argument(source.output))

    def _value(self, source: StageOutput, stage: Stage) -> str:
        """The path of an upstream artifact, or the list of a loop's paths."""
        return self._gathered(self._path(source), source, stage)

    def _read(self, stage: Stage) -> dict[str, StageOutput]:
        """The artifacts that a stage is given beside the paths, by the arguments that take them.

        kfp's compiler stumbles over a loop's list of artifacts that is read within a branch or
        another loop.
        """
        is_inside = stage.foreach is not None or self.layout.paths[stage.name]
        inputs = {
            name: source
            for name, source in handed(self.layout, stage).items()
            if not (is_inside and self._is_many(source, stage))
        }
        return {read: inputs[name] for name, read in read_arguments(stage, inputs).items()}

    def _artifact(self, source: StageOutput, stage: Stage) -> str:
        """What stands for an upstream artifact in kfp's lineage, or the list of a loop's."""
        made = made_arguments(self.pipeline.stages[source.node.stage])
        return self._gathered(self._output(source.node.stage, made[source.output]), source, stage)

    def _gathered(self, output: str, source: StageOutput, stage: Stage) -> str:
        return call("dsl.Collected", output) if self._is_many(source, stage) else output

    # branches

    def _spoken(self, stage: Stage) -> list[Fork]:
        """The forks whose taken branch a stage is told of by `dsl.OneOf`."""
        if is_patient(stage):
            return []
        here = len(self.layout.paths[stage.name])
        before = forks_before(self.layout, stage)
        forks = [self.layout.forks[name] for depth, name in before if depth == here]
        return [fork for fork in forks if speaker(self.pipeline, fork) is not None]

    def taken(self, stage: Stage) -> list[str]:
        """For each fork before a stage, the expression that gives the taken branch's state."""
        found: list[str] = []
        for fork in self._spoken(stage):
            speakers = speaker(self.pipeline, fork) or {}
            states = [self._output(name, "state") for name in speakers.values()]
            found.append(call("dsl.OneOf", *states, f"{self._first(fork)}_not_taken.output"))
        return found

    def _first(self, fork: Fork) -> str:
        """The component of a fork's first stage, after which its own tasks are called."""
        return self.names.components[next(iter(fork.stages))]

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
        first = self._first(fork)
        asking = next(
            self.pipeline.stages[name]
            for name in fork.stages
            if name in self.layout.askers and self.layout.paths[name][-1].fork == fork.name
        )
        question = f"{first}_decision"
        lines = [self._question(asking, question, indent)]
        for number, (answer, blocks) in enumerate(fork.branches.items()):
            word = "dsl.Elif" if number else "dsl.If"
            lines.append(f"{indent}with {word}({question}.output == {literal(answer or 'yes')}):")
            lines += self._blocks(blocks, indent + _STEP)
        if self._is_joined(fork):
            lines.append(f"{indent}with dsl.Else():")
            lines.append(self._made(f"{first}_not_taken", "no_branch", indent + _STEP))
        return lines

    def _question(self, stage: Stage, task: str, indent: str) -> str:
        """The task that reads what a fork asks."""
        sources = [condition.source for condition in stage.when]
        if plain_answer(stage) is not None:
            named = self._fetching(artifact=literal(str(sources[0])))
            function = "fetch_value" if self.remote else "read_value"
            return self._made(task, function, indent, path=self._path(sources[0]), **named)
        wanted = [[canonical(value) for value in c.values] for c in stage.when]
        named = {"paths": self._paths(stage.when), "wanted": value(wanted)}
        named |= self._fetching(artifacts=value(list(map(str, sources))))
        function = "fetched_hold" if self.remote else "conditions_hold"
        return self._made(task, function, indent, **named)

    def _fetching(self, **named: str) -> dict[str, str]:
        """What a task is given further that has to fetch what it reads."""
        if not self.remote:
            return {}
        return {**named, "run_id": "run_id", "job_id": RUN_ARGUMENTS["job_id"]}

    def _paths(self, conditions: tuple[Condition, ...]) -> str:
        values = [self._path(condition.source) for condition in conditions]
        if len(values) == 1:
            return values[0]
        inner = "\\n".join("{" + value.replace('"', "'") + "}" for value in values)
        return f'f"{inner}"'

    # loops and sensors

    def _items(self, stage: Stage, indent: str, name: str) -> tuple[str, list[str]]:
        """What a loop runs over: the instances as mlkit names them, behind the name of the stage.

        In a loop of several stages the name is left out.
        """
        labels = listed_labels(stage)
        if labels is not None:
            return value([f"{stage.name}[{label}]" for label in labels] or [stage.name]), []
        assert stage.foreach is not None
        assert stage.foreach.source is not None
        task = f"{self.names.components[stage.name]}_instances"
        as_float = stage.type_of_values(stage.foreach.parameter).kind == "float"
        path = self._path(stage.foreach.source)
        named = {"stage": literal(name), "path": path, "as_float": str(as_float)}
        named |= self._fetching(artifact=literal(str(stage.foreach.source)))
        function = "fetch_instances" if self.remote else "read_instances"
        return f"{task}.output", [self._made(task, function, indent, **named)]

    def _wait(self, stage: Stage, indent: str) -> list[str]:
        """The task that waits for a stage's file, once everything upstream of it is done."""
        sensor = stage.wait_for
        if sensor is None:
            return []
        task = f"{self.names.tasks[stage.name]}_wait"
        upstream, after = self._states(stage)
        named = {
            "pattern": literal(str(sensor.path)),
            "every_s": repr(sensor.every_s),
            "timeout_s": repr(sensor.timeout_s),
            "upstream": upstream,
        }
        made = self._made(task, "wait_for_file", indent, **named)
        return [made, *([indent + call(f"{task}.after", *after)] if after else [])]

    def _states(self, stage: Stage) -> tuple[str, list[str]]:
        """The states upstream as one text, and the tasks that can only be waited for."""
        names = list(dict.fromkeys(node.stage for node in nodes_of(stage)))
        if stage.trigger is not TriggerRule.ALL_SUCCESS:
            return '""', [self.names.tasks[name] for name in names]
        plain = [
            name
            for name in names
            if self.layout.sees(stage.name, name) and not self.pipeline.stages[name].foreach
        ]
        rest = [self.names.tasks[name] for name in names if name not in plain]
        text = " ".join(f"{{{self._output(name, 'state')}}}" for name in plain)
        return (f'f"{text}"' if plain else '""'), rest


def _named(arguments: dict[str, str]) -> list[str]:
    """Arguments by name, which stand before `**run`."""
    return [f"{name}={text}" for name, text in arguments.items()]
