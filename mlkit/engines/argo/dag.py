"""The tasks of the workflow's DAG: what each waits for, asks and maps over. Pure.

A task begins when all that is upstream of its stage has ended. `depends` and `when` leave out only
what certainly is not to run. What Argo cannot tell, mlkit itself judges when the task calls it, and
the task hands on as `state` what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from mlkit.core.pipeline import Condition, Node, Pipeline, Stage, StageOutput
from mlkit.core.triggers import TriggerRule
from mlkit.engines.argo.mlkit_task import UNREADABLE, escaped, word_of
from mlkit.engines.argo.names import Names, floats, values, word
from mlkit.engines.kubeflow.branches import is_patient
from mlkit.engines.questions import listed_labels, together
from mlkit.engines.unrolling import Unrolled
from mlkit.frozen import dataclass

__all__ = ["Dag"]

_ENDED = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted")
_NOT_FAILED = ("Succeeded", "Skipped", "Omitted")

Task = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Dag:
    """Writes the tasks of a pipeline, and of the loops within it.

    Parameters
    ----------
    whole, names
        The pipeline, in which an instance that others wait for alone stands as a stage; and what
        everything is called.
    """

    whole: Unrolled
    names: Names

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, with the instances that stand alone."""
        return self.whole.pipeline

    @cached_property
    def loop_of(self) -> dict[str, tuple[str, ...]]:
        """The stages that go together through one list, by each of them."""
        return together(self.pipeline)

    def tasks(self) -> Iterator[Task]:
        """The tasks of the pipeline itself, in the order of pipeline.yaml."""
        for name, stage in self.pipeline.stages.items():
            loop = self.loop_of.get(name)
            if loop is None:
                yield self._task(stage)
            elif loop[0] == name:
                yield self._loop(loop)

    def loop_tasks(self, loop: tuple[str, ...]) -> Iterator[Task]:
        """The tasks of one turn of a loop."""
        for name in loop:
            stage = self.pipeline.stages[name]
            nodes = [node for node in stage.upstream if node.stage in loop]
            instance = f"{name}{{{{inputs.parameters.labels}}}}"
            yield self._written(
                stage, instance, self._depends(stage, nodes), self._when(stage, nodes)
            )

    # the parts of a task

    def _task(self, stage: Stage) -> Task:
        nodes = list(stage.upstream)
        instance, over = escaped(stage.name), dict[str, Any]()
        if stage.foreach is not None:
            labels = listed_labels(stage)
            if labels is None:
                instance, over = f"{stage.name}{{{{item}}}}", self._over(stage)
            else:
                items = [escaped(f"{stage.name}[{label}]") for label in labels]
                instance, over = "{{item}}", {"withItems": items or [stage.name]}
        depends, when = self._depends(stage, nodes), self._when(stage, nodes)
        return {**self._written(stage, instance, depends, when), **over}

    def _written(self, stage: Stage, instance: str, depends: str, when: str) -> Task:
        template = self.names.templates[self.whole.stage_of(stage.name)]
        made: Task = {"name": self.names.tasks[stage.name], "template": template}
        if depends:
            made["depends"] = depends
        if when:
            made["when"] = when
        made["arguments"] = {"parameters": [{"name": "instance", "value": instance}]}
        return made

    def _loop(self, loop: tuple[str, ...]) -> Task:
        """The task that runs a loop's stages once for each value."""
        name = self.names.loops[loop]
        stages = [self.pipeline.stages[member] for member in loop]
        over = self._over(stages[0])
        outside = [n for stage in stages for n in stage.upstream if n.stage not in loop]
        first = stages[0].foreach
        assert first is not None
        assert first.source is not None
        listing = self._of(first.source.node, ("Succeeded",))
        rest = [self._of(node, _ENDED) for node in outside if node.stage != first.source.node.stage]
        return {
            "name": name,
            "template": name,
            "depends": _all([listing, *rest]),
            "arguments": {"parameters": [{"name": "labels", "value": "{{item}}"}]},
            **over,
        }

    def _over(self, stage: Stage) -> dict[str, Any]:
        """The list in an artifact, as the task that wrote it hands it on."""
        assert stage.foreach is not None
        assert stage.foreach.source is not None
        source = stage.foreach.source
        is_float = stage.type_of_values(stage.foreach.parameter).kind == "float"
        name = floats(source.output) if is_float else values(source.output)
        return {"withParam": self._handed(source.node.stage, name)}

    def _handed(self, stage: str, name: str) -> str:
        return f"{{{{tasks.{self.names.tasks[stage]}.outputs.parameters.{name}}}}}"

    def _depends(self, stage: Stage, nodes: list[Node]) -> str:
        """What a task waits for, and which ends of that let it run."""
        if stage.trigger is TriggerRule.ALL_SUCCESS and not is_patient(stage):
            ends: tuple[str, ...] = ("Succeeded",)
        elif is_patient(stage):
            ends = _ENDED
        else:
            ends = _NOT_FAILED
        listed = None if stage.foreach is None else stage.foreach.source
        over = None if listed is None or stage.name in self.loop_of else listed.node.stage
        return _all(self._of(n, ("Succeeded",) if n.stage == over else ends) for n in nodes)

    def _of(self, node: Node, ends: tuple[str, ...]) -> str:
        """How an upstream task has to end; of a loop, only that it has ended is known."""
        loop = self.loop_of.get(node.stage)
        if loop is None or node.is_chained:
            task = self.names.tasks[node.stage]
        else:
            task, ends = self.names.loops[loop], _ENDED
        said = " || ".join(f"{task}.{end}" for end in ends)
        return f"({said})" if len(ends) > 1 else said

    def _when(self, stage: Stage, nodes: list[Node]) -> str:
        """What a task asks before it begins, of tasks that have succeeded then."""
        if stage.trigger is not TriggerRule.ALL_SUCCESS or is_patient(stage):
            return ""
        plain = [node.stage for node in nodes if self._is_plain(node)]
        said = [f"'{self._handed(name, 'state')}' == 'done'" for name in dict.fromkeys(plain)]
        for condition in stage.when:
            if condition.source.node.stage in plain and is_wordy(condition):
                handed = self._handed(condition.source.node.stage, word(condition.source.output))
                answers = [f"'{handed}' == '{item}'" for item in (*condition.values, UNREADABLE)]
                said.append(f"({' || '.join(answers)})")
        return " && ".join(said)

    def _is_plain(self, node: Node) -> bool:
        """Whether one task stands for a node, so that its outputs can be asked for."""
        if node.stage in self.loop_of:
            return node.is_chained
        return self.pipeline.stages[node.stage].foreach is None

    # what tasks hand on

    def handed_on(self, template: str) -> dict[str, list[str]]:
        """The outputs of a stage that other tasks ask for, by how they ask."""
        found: dict[str, dict[str, None]] = {"word": {}, "values": {}, "floats": {}}
        for stage in self.pipeline.stages.values():
            for condition in stage.when:
                if self._writes(template, condition.source) and is_wordy(condition):
                    found["word"][condition.source.output] = None
            if stage.foreach is None or stage.foreach.source is None:
                continue
            source = stage.foreach.source
            if self._writes(template, source):
                is_float = stage.type_of_values(stage.foreach.parameter).kind == "float"
                found["floats" if is_float else "values"][source.output] = None
        return {kind: list(names) for kind, names in found.items()}

    def _writes(self, template: str, source: StageOutput) -> bool:
        return self.names.templates[self.whole.stage_of(source.node.stage)] == template


def is_wordy(condition: Condition) -> bool:
    """Whether a condition asks for plain words only, which Argo compares by itself."""
    return bool(condition.values) and all(
        word_of(value) == value != "" for value in condition.values
    )


def _all(said: Iterator[str] | list[str]) -> str:
    return " && ".join(dict.fromkeys(said))
