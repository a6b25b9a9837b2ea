"""The states of a pipeline's state machine, in Amazon's States Language (JSONPath). Pure.

Through the states goes one document: `run` (the execution's input and ids, a copy of which each
task receives) and `said` (the words for which conditions ask). Results of stages never do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mlkit.core.graph import edges
from mlkit.core.pipeline import Condition, Pipeline, Stage, StageOutput
from mlkit.core.triggers import TriggerRule
from mlkit.engines.naming import FreeNames
from mlkit.engines.questions import listed_labels, together
from mlkit.engines.stepfunctions.arranging import Block, Fork, Step, arranged
from mlkit.engines.stepfunctions.policies import HEARTBEAT_S, LOST, looks, retriers, timeout_s
from mlkit.engines.unrolling import Unrolled

__all__ = ["StateMachine", "word"]

State = dict[str, Any]

_MOST_NAME = 80
"""Characters of a state's name."""

_BUSY_S = 60
_MOST_WAITS = 1440
"""So a further execution waits for a day; each look is some events of its history."""

_GIVEN = {"run_id": "", "parameters": {}, "scheduled_at": ""}
"""What an execution's input may say."""


def word(value: Any) -> str:
    """Write a value that a condition names, as the worker writes what an artifact holds."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _graph(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """Each stage, or the first of a loop's, with what it waits for."""
    leaders = {name: loop[0] for name, loop in together(pipeline).items()}
    found: dict[str, dict[str, None]] = {}
    for name, upstream in edges(pipeline).items():
        stage, own = pipeline.stages[name], leaders.get(name, name)
        if stage.trigger is TriggerRule.ALWAYS:  # starts whatever becomes of what it does not read
            upstream = tuple(dict.fromkeys(node.stage for node in stage.data_upstream))
        above = found.setdefault(own, {})
        above |= {leaders.get(other, other): None for other in upstream}
        above.pop(own, None)
    return {name: tuple(above) for name, above in found.items()}


class StateMachine:
    """Writes the states of a pipeline.

    Parameters
    ----------
    whole : Unrolled
        The pipeline; each instance that stands alone has a state of its own.
    activity : str
        The ARN from which workers take the tasks.
    workers : int, optional
        How many turns of a loop may go at once.
    """

    def __init__(self, whole: Unrolled, activity: str, workers: int | None) -> None:
        self.whole, self.pipeline = whole, whole.pipeline
        self.activity, self.workers = activity, workers
        self.loops = together(self.pipeline)
        self._taken: set[str] = set()
        self._own = {name: self._name(name) for name in ("input", "alone", "start", "verdict")}
        self._taken |= set(self.pipeline.stages)
        self.asked = self._asked()
        keys = FreeNames()
        self.keys = {name: keys.new(name) for name in self.asked}

    def _asked(self) -> dict[str, dict[str, str]]:
        """The outputs for which conditions ask, by stage and by a name for a path."""
        found: dict[str, dict[str, str]] = {}
        for stage in self.pipeline.stages.values():
            for condition in stage.when:
                source = condition.source
                outputs = found.setdefault(source.node.stage, {})
                if source.output not in outputs.values():
                    names = FreeNames(outputs)
                    outputs[names.new(source.output)] = source.output
        return found

    def _path(self, source: StageOutput) -> str:
        """Where the word stands that an artifact holds."""
        outputs = self.asked[source.node.stage]
        (name,) = (key for key, output in outputs.items() if output == source.output)
        return f"$.said.{self.keys[source.node.stage]}.{name}"

    def document(self) -> dict[str, Any]:
        """Write the whole definition."""
        said = {self.keys[n]: dict.fromkeys(outputs, "") for n, outputs in self.asked.items()}
        opening: State = {
            "given.$": "States.JsonMerge($, $$.Execution.Input, false)",
            "execution.$": "$$.Execution.Id",
            "started.$": "$$.Execution.StartTime",
        }
        own = self._own
        before = {own["input"]: {"Type": "Pass", "Result": _GIVEN, "Next": own["start"]}}
        block = arranged(_graph(self.pipeline))
        first, states = self._chain(block, own["verdict"], turn=False)
        if self.pipeline.schedule is not None and not self.pipeline.overlap:
            states = {own["alone"]: {**self._alone(), "Next": first}, **states}
            first = own["alone"]
        opened = {"Type": "Pass", "Parameters": {"run": opening, "said": said}, "Next": first}
        verdict = {**self._task("verdict", {}), "Retry": [LOST], "End": True}
        return {
            "Comment": self.pipeline.description or f"The pipeline {self.pipeline.name}",
            "StartAt": own["input"],
            "States": {**before, own["start"]: opened, **states, own["verdict"]: verdict},
        }

    def _alone(self) -> State:
        """Wait until an earlier execution has ended: Step Functions itself starts any number."""
        again = {
            "ErrorEquals": ["mlkit.Busy"],
            "IntervalSeconds": _BUSY_S,
            "MaxAttempts": _MOST_WAITS,
            "BackoffRate": 1.0,
        }
        message = {"machine.$": "$$.StateMachine.Id"}
        return {**self._task("alone", message), "Retry": [again, LOST]}

    def _chain(self, block: Block, after: str, *, turn: bool) -> tuple[str, dict[str, State]]:
        """The states of a block, which leads to another state; the first one's name is told.

        In the turn of a loop, each stage stands for its instance of one value.
        """
        first, parts = after, []
        for step in reversed(block):
            first, states = self._step(step, first, turn=turn)
            parts.append(states)
        return first, {name: state for states in reversed(parts) for name, state in states.items()}

    def _closed(self, block: Block, *, turn: bool) -> dict[str, Any]:
        """A block as the states of a branch, or of a loop's turn."""
        end = self._name(f"end of {_title(block[0])}")
        first, states = self._chain(block, end, turn=turn)
        return {"StartAt": first, "States": {**states, end: {"Type": "Succeed"}}}

    def _step(self, step: Step, after: str, *, turn: bool) -> tuple[str, dict[str, State]]:
        if isinstance(step, Fork):
            return self._fork(step, after, turn=turn)
        stage = self.pipeline.stages[step]
        if turn or stage.foreach is None:
            return self._guarded(stage, *self._stage(stage, after), after)
        return self._loop(stage, after) if step in self.loops else self._map(stage, after)

    def _fork(self, fork: Fork, after: str, *, turn: bool) -> tuple[str, dict[str, State]]:
        name = self._name(_title(fork))
        state: State = {
            "Type": "Parallel",
            "Branches": [self._closed(branch, turn=turn) for branch in fork.branches],
            "ResultPath": None,
        }
        if self.keys:  # each branch ends with what it was told, and what was said in it
            places = {s: n for n, branch in enumerate(fork.branches) for s in _names(branch)}
            state["ResultSelector"] = {
                f"{key}.$": f"$[{places.get(stage, 0)}].said.{key}"
                for stage, key in self.keys.items()
            }
            state["ResultPath"] = "$.said"
        return name, {name: {**state, "Next": after}}

    def _stage(self, stage: Stage, after: str) -> tuple[str, dict[str, State]]:
        """The task of a stage, and the one that tells people of its failure."""
        name, told = stage.name, self._name(f"tell of {stage.name}")
        message: dict[str, Any] = {"stage": name}
        if stage.foreach is not None:
            message["value.$"] = "$.value"
        task = self._task("run", message | self._wishes(stage))
        task["TimeoutSeconds"] = timeout_s(stage)
        task["Retry"] = retriers(stage.retry)
        task["Catch"] = [_caught("States.ALL", after)]
        states = {name: task}
        if stage.notify.on_failure:
            task["Catch"] = [_caught("mlkit.UpstreamFailed", after), _caught("States.ALL", told)]
            states[told] = {
                **self._task("tell", message),
                "Catch": [_caught("States.ALL", after)],
                "Next": after,
            }
        if stage.name in self.keys:
            words = {f"{name}.$": f"$.values.{name}" for name in self.asked[stage.name]}
            task["ResultSelector"] = words
            task["ResultPath"] = f"$.said.{self.keys[stage.name]}"
        task["Next"] = after
        return name, states

    def _wishes(self, stage: Stage) -> dict[str, Any]:
        """What the worker needs to know to answer."""
        found: dict[str, Any] = {}
        if stage.retry.max_retries and stage.retry.on is not None:
            found["on"] = list(stage.retry.on)
        if stage.name in self.asked:
            found["values"] = self.asked[stage.name]
        if stage.notify.on_success:
            found["tells"] = True
        return found

    def _task(self, do: str, message: Mapping[str, Any]) -> State:
        """A task for the worker; what comes of it is dropped unless somebody asks for it."""
        return {
            "Type": "Task",
            "Resource": self.activity,
            "Parameters": {"do": do, **message, "task.$": "$$.State.Name", "run.$": "$.run"},
            "HeartbeatSeconds": HEARTBEAT_S,
            "TimeoutSeconds": 3600,
            "ResultPath": None,
        }

    def _guarded(
        self, stage: Stage, first: str, states: dict[str, State], after: str
    ) -> tuple[str, dict[str, State]]:
        """What goes before a stage: its conditions, then the file that it waits for."""
        found: dict[str, State] = {}
        if stage.wait_for is not None:
            every, times = looks(stage.wait_for)
            name = self._name(f"file for {stage.name}")
            message = {
                "stage": self.whole.stage_of(stage.name),
                "path": str(stage.wait_for.path),
                "behind": bool(stage.upstream),
            }
            again = {
                "ErrorEquals": ["mlkit.NoFileYet"],
                "IntervalSeconds": every,
                "MaxAttempts": times,
                "BackoffRate": 1.0,
            }
            found[name] = {
                **self._task("look", message),
                "Retry": [again, LOST],
                # mlkit looks once more, and writes down that nothing was found
                "Catch": [_caught("States.ALL", first)],
                "Next": first,
            }
            first = name
        if stage.when:
            name = self._name(f"when {stage.name}")
            rules = [self._rule(condition) for condition in stage.when]
            rule = rules[0] if len(rules) == 1 else {"And": rules}
            choice = {"Type": "Choice", "Choices": [{**rule, "Next": first}], "Default": after}
            first, found = name, {name: choice, **found}
        return first, {**found, **states}

    def _rule(self, condition: Condition) -> dict[str, Any]:
        """A condition, as a choice; mlkit judges once more, and more strictly."""
        variable = self._path(condition.source)
        if not condition.values:  # of no values, none is the right one; it is always there
            return {"Variable": variable, "IsPresent": False}
        rules = [{"Variable": variable, "StringEquals": word(v)} for v in condition.values]
        return rules[0] if len(rules) == 1 else {"Or": rules}

    def _map(self, stage: Stage, after: str) -> tuple[str, dict[str, State]]:
        """A stage for each value of its list."""
        labels = listed_labels(stage)
        if labels is None:
            values = self._listed(stage)
        else:
            values = {"Type": "Pass", "Result": labels or [None], "ResultPath": "$.values"}
        end = self._name(f"end of {stage.name}")
        first, states = self._stage(stage, end)
        turn = {"StartAt": first, "States": {**states, end: {"Type": "Succeed"}}}
        return self._guarded(stage, *self._turns(stage, values, turn, after), after)

    def _loop(self, leader: Stage, after: str) -> tuple[str, dict[str, State]]:
        """Stages one behind the other for each value of a list that they share."""
        loop = self.loops[leader.name]
        upstream = edges(self.pipeline)
        block = arranged({n: [o for o in upstream[n] if o in loop] for n in loop})
        turn = self._closed(block, turn=True)
        return self._turns(leader, self._listed(leader), turn, after)

    def _listed(self, stage: Stage) -> State:
        """The task that reads a list of values from its artifact."""
        assert stage.foreach is not None
        assert stage.foreach.source is not None
        message = {"list": str(stage.foreach.source)}
        kind = stage.type_of_values(stage.foreach.parameter).kind
        if kind in ("float", "date", "datetime"):
            message["as"] = kind
        return {**self._task("values", message), "Retry": [LOST], "ResultPath": "$.values"}

    def _turns(
        self, stage: Stage, values: State, turn: dict[str, Any], after: str
    ) -> tuple[str, dict[str, State]]:
        """A map, behind the state that gives its values."""
        before, name = self._name(f"values of {stage.name}"), self._name(f"each {stage.name}")
        item = {"run.$": "$.run", "said.$": "$.said", "value.$": "$$.Map.Item.Value"}
        state: State = {
            "Type": "Map",
            "ItemsPath": "$.values",
            "ItemSelector": item,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **turn},
            "ResultPath": None,
            "Next": after,
        }
        if self.workers:
            state["MaxConcurrency"] = self.workers
        return before, {before: {**values, "Next": name}, name: state}

    def _name(self, wish: str) -> str:
        """A name for a state that no other one has."""
        name, number = wish[:_MOST_NAME], 1
        while name in self._taken:
            number += 1
            name = f"{wish[: _MOST_NAME - 4]} {number}"
        self._taken.add(name)
        return name


def _caught(error: str, after: str) -> State:
    return {"ErrorEquals": [error], "ResultPath": None, "Next": after}


def _names(block: Block) -> Iterator[str]:
    for step in block:
        if isinstance(step, Fork):
            for branch in step.branches:
                yield from _names(branch)
        else:
            yield step


def _title(step: Step) -> str:
    """What a step begins with."""
    if isinstance(step, str):
        return step
    return " | ".join(_title(branch[0]) for branch in step.branches)
