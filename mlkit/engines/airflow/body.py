"""The tasks of a DAG file and the function that puts them together, as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mlkit.core.pipeline import Condition, Node, Stage
from mlkit.core.triggers import TriggerRule
from mlkit.core.values import encode, label, safe_name
from mlkit.engines.airflow import functions
from mlkit.engines.airflow.plan import Plan
from mlkit.engines.airflow.policies import number, own_policy, placement
from mlkit.engines.airflow.tasks import Task
from mlkit.engines.python_text import (
    call,
    decorate,
    listing,
    literal,
    mapping,
    value,
    write,
)

__all__ = ["Body"]


class Body:
    """Writes what comes behind the helper functions.

    Parameters
    ----------
    plan : Plan
        What is written.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.names = plan.names

    @property
    def uses_durations(self) -> bool:
        """Whether a `timedelta` stands anywhere."""
        return any("timedelta" in str(policy) for policy in self.plan.policies.values())

    def functions(self) -> Iterator[str]:
        """One function for each task that is written in Python."""
        writers: dict[str, Callable[[Task], str]] = {
            "stage": self._stage,
            "branch": self._branch,
            "values": self._values,
            "verdict": self._verdict,
        }
        for task in self.plan.tasks:
            if task.kind in writers:
                yield writers[task.kind](task)

    def _function(self, name: str, decorator: str, head: str, lines: list[str]) -> str:
        return "\n".join([decorate(decorator), head.format(name=name), *lines])

    def _stage(self, task: Task) -> str:
        stage = self.plan.stage(task)
        named: dict[str, str] = {"task_id": literal(task.id)}
        if stage.foreach is not None:
            named["map_index_template"] = literal("{{ item }}")
        named |= _rule(task.rule)
        named |= own_policy(self.plan.policies[stage.name], self.plan.common)
        if stage.notify.on_failure:
            named["on_failure_callback"] = "tell"
        if stage.notify.on_success:
            named["on_success_callback"] = "tell"
        place = placement(stage)
        if place is not None:
            named["executor_config"] = place
        lines = [f'    """{stage.notebook.name.replace(chr(34), chr(39))}."""']
        name = literal(stage.name)
        if stage.foreach is not None:
            lines.append('    get_current_context()["item"] = item  # what the UI calls it')
            name = f'f"{stage.name}[{{item}}]"'
        lines.append(write(call("run_stage", name), indent=1))
        head = (
            "def run_{name}(item: str) -> None:" if stage.foreach else "def run_{name}() -> None:"
        )
        return self._function(self.names[task.id], call("task", **named), head, lines)

    def _branch(self, task: Task) -> str:
        branch = next(b for b in self.plan.branches.values() if b.id == task.id)
        followed = {name: self._behind(task, name) for name in branch.stages}
        stages = [self.plan.pipeline.stages[name] for name in branch.stages]
        if branch.shared:
            lines = self._shared(stages, followed)
            head = "def run_{name}() -> list[str]:"
        else:
            lines = self._own(stages[0], followed[stages[0].name])
            head = "def run_{name}() -> str | None:"
        named = {"task_id": literal(task.id), **_rule(task.rule)}
        return self._function(self.names[task.id], call("task.branch", **named), head, lines)

    def _shared(self, stages: list[Stage], followed: dict[str, str]) -> list[str]:
        condition = stages[0].when[0]
        choices = mapping({followed[stage.name]: _wanted(stage.when[0]) for stage in stages})
        return [
            f'    """Choose what follows by what {condition.source} holds."""',
            write(self._read(condition), before="found = ", indent=1),
            write(choices, before="choices = ", indent=1),
            "    return [name for name, wanted in choices.items() if is_one_of(found, wanted)]",
        ]

    def _own(self, stage: Stage, followed: str) -> list[str]:
        lines = [f'    """Let {stage.name} run, or have it skipped."""']
        for condition in stage.when:
            lines += [
                write(self._read(condition), before="found = ", indent=1),
                write(
                    call("is_one_of", "found", _wanted(condition)),
                    before="if not ",
                    after=":",
                    indent=1,
                ),
                "        return None",
            ]
        return [*lines, f"    return {literal(followed)}"]

    def _read(self, condition: Condition) -> str:
        return _artifact(self.plan, condition.source.node, condition.source.output)

    def _values(self, task: Task) -> str:
        stage = self.plan.stage(task)
        assert stage.foreach is not None
        source = stage.foreach.source
        assert source is not None
        spec = stage.declared[stage.foreach.parameter].spec
        item = "label(float(item))" if spec.kind == "float" else "label(item)"
        lines = [
            f'    """Read the values that {stage.name} is mapped over from {source}."""',
            write(_artifact(self.plan, source.node, source.output), before="found = ", indent=1),
            f"    return [{item} for item in found]",
        ]
        named = {"task_id": literal(task.id), **_rule(task.rule)}
        head = "def run_{name}() -> list[str]:"
        return self._function(self.names[task.id], call("task", **named), head, lines)

    def _verdict(self, task: Task) -> str:
        named = {"task_id": literal(task.id), **_rule(task.rule)}
        lines = [functions.VERDICT.strip("\n")]
        head = "def run_{name}() -> None:"
        return self._function(self.names[task.id], call("task", **named), head, lines)

    def _behind(self, branch: Task, stage: str) -> str:
        """The first task of a stage behind a branch."""
        return next(t.id for t in self.plan.tasks if t.stage == stage and branch.id in t.upstream)

    def dag(self) -> str:
        """The DAG function, and the call that makes the DAG."""
        plan = self.plan
        schedule: str = value(plan.pipeline.schedule)
        if plan.dated and plan.pipeline.schedule:
            zone = literal("UTC")
            schedule = call("CronDataIntervalTimetable", str(schedule), timezone=zone)
        named: dict[str, str] = {"dag_id": literal(plan.dag_id)}
        if plan.pipeline.description.strip():
            named["description"] = literal(" ".join(plan.pipeline.description.split()))
        named |= {
            "schedule": schedule,
            "start_date": call("pendulum.datetime", "2013", "1", "1", tz=literal("UTC")),
            "catchup": "False",
            "tags": value(["mlkit"]),
            "params": "PARAMETERS",
            "max_active_tasks": str(plan.workers),
        }
        if plan.common:
            named["default_args"] = mapping(plan.common)
        name = "pipeline"
        lines = [
            decorate(call("dag", **named)),
            f"def {name}() -> None:",
            '    """One task for each stage, and what leads to it."""',
        ]
        lines += [
            write(self._made(task), before=f"{self.names[task.id]} = ", indent=1)
            for task in plan.tasks
        ]
        lines.append("")
        lines += [self._edge(task) for task in plan.tasks if task.upstream]
        if lines[-1] == "":
            lines.pop()
        return "\n".join([*lines, "", "", f"{name}()"])

    def _made(self, task: Task) -> str:
        name = f"run_{self.names[task.id]}"
        if task.kind == "gate":
            return call("EmptyOperator", task_id=literal(task.id), **_rule(task.rule))
        if task.kind == "sensor":
            return self._sensor(task)
        if task.kind != "stage":
            return call(name)
        stage = self.plan.stage(task)
        if stage.foreach is None:
            return call(name)
        if stage.foreach.values is None:
            return call(f"{name}.expand", item=self.names[f"{stage.name}.values"])
        items = listing(literal(_escaped(label(item))) for item in stage.foreach.values)
        return call(f"{name}.expand", item=items)

    def _sensor(self, task: Task) -> str:
        wait = self.plan.stage(task).wait_for
        assert wait is not None
        return call(
            "FileSensor",
            task_id=literal(task.id),
            filepath=literal(str(wait.path)),
            recursive="True",
            poke_interval=number(wait.every_s),
            timeout=number(wait.timeout_s),
            mode=literal("reschedule"),
            retries="0",
            on_failure_callback="record_timeout",
            **_rule(task.rule),
        )

    def _edge(self, task: Task) -> str:
        above = [self.names[name] for name in task.upstream]
        first: str = above[0] if len(above) == 1 else listing(above)
        return write(first, after=f" >> {self.names[task.id]}", indent=1)


def _rule(rule: TriggerRule) -> dict[str, str]:
    return {} if rule is TriggerRule.ALL_SUCCESS else {"trigger_rule": literal(rule.value)}


def _wanted(condition: Condition) -> str:
    return value([encode(item) for item in condition.values])


def _artifact(plan: Plan, node: Node, output: str) -> str:
    file = plan.pipeline.stages[node.stage].outputs[output]
    return call("read_artifact", literal(safe_name(str(node))), literal(file))


def _escaped(text: str) -> str:
    """Keep Airflow's templates from reading a value; see `functions.ESCAPED`."""
    return re.sub(r"{(?=[{%#])", "{{ '{' }}", text)
