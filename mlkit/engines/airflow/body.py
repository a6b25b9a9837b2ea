"""The tasks of a DAG file and the function that puts them together, as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property

from mlkit.core.pipeline import Condition, Pipeline, Stage, StageOutput
from mlkit.core.triggers import TriggerRule
from mlkit.core.values import encode, safe_name
from mlkit.engines.airflow.policies import (
    Policy,
    common_policy,
    dag_id,
    own_policy,
    placement,
    policy_of,
    surroundings,
)
from mlkit.engines.airflow.tasks import Branch, Task, branches_of, task_ids, tasks_of
from mlkit.engines.naming import FreeNames
from mlkit.engines.python_text import (
    assign,
    call,
    decorate,
    listing,
    literal,
    mapping,
    number,
    one_line,
    value,
    write,
)
from mlkit.engines.questions import listed_labels
from mlkit.engines.unrolling import Unrolled
from mlkit.frozen import dataclass

__all__ = ["Body"]


@dataclass(frozen=True, kw_only=True)
class Body:
    """Writes what comes behind the functions that a DAG file carries.

    Parameters
    ----------
    whole : Unrolled
        The pipeline, in which an instance that others wait for alone stands as a stage.
    workers : int, optional
        How many tasks may run at once; by default as many as Airflow's settings let.
    dated : bool
        Whether the start of the scheduled interval is handed on.
    remote : bool
        Whether the runs stand behind a URL, so that mlkit has to fetch what a task reads.
    reserved : set of str
        Names that the file uses already.
    """

    whole: Unrolled
    workers: int | None
    dated: bool
    remote: bool
    reserved: AbstractSet[str]

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, with the instances that stand alone."""
        return self.whole.pipeline

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in the order in which they are written."""
        return tasks_of(self.whole)

    @cached_property
    def branches(self) -> dict[str, Branch]:
        """The branches, by the names of their tasks."""
        made = branches_of(self.pipeline, task_ids(self.whole))
        return {branch.id: branch for branch in made.values()}

    @cached_property
    def policies(self) -> dict[str, Policy]:
        """The policies of each stage."""
        return {name: policy_of(stage) for name, stage in self.pipeline.stages.items()}

    @cached_property
    def common(self) -> Policy:
        """The default arguments."""
        return common_policy(self.policies.values())

    @cached_property
    def _all_names(self) -> tuple[dict[str, str], dict[str, str]]:
        """The variable of each task, and the name of the function behind it without `run_`.

        The instances of one stage have their function in common.
        """
        free = FreeNames({*self.reserved, "pipeline"})
        variables: dict[str, str] = {}
        functions: dict[str, str] = {}
        shared: dict[str, str] = {}
        for task in self.tasks:
            if self._is_alone(task):
                if task.group not in shared:
                    shared[task.group] = free.new(task.group, "run_{}")
                functions[task.id] = shared[task.group]
            variables[task.id] = free.new(task.id, "run_{}")
            functions.setdefault(task.id, variables[task.id])
        return variables, functions

    @property
    def names(self) -> dict[str, str]:
        """Each task's variable in the file."""
        return self._all_names[0]

    def _is_alone(self, task: Task) -> bool:
        """Whether a task runs one instance of a stage, which stands alone."""
        return task.kind == "stage" and task.stage in self.whole.origins

    def _function_of(self, task: Task) -> str:
        return f"run_{self._all_names[1][task.id]}"

    def functions(self) -> Iterator[str]:
        """One function for each task that is written in Python; instances share theirs."""
        writers: dict[str, Callable[[Task], str]] = {
            "stage": self._stage,
            "branch": self._branch,
            "values": self._values,
            "verdict": self._verdict,
        }
        for task in self.firsts.values():
            if task.kind in writers:
                yield writers[task.kind](task)
        for loop in self.loops:
            yield self._loop(loop)

    @cached_property
    def loops(self) -> dict[tuple[str, ...], str]:
        """The stages that go together through one list, and the name of the group's function."""
        free = FreeNames({*self.reserved, *self._all_names[0].values(), "pipeline"})
        loops = dict.fromkeys(task.loop for task in self.tasks if task.loop)
        return {loop: free.new(f"each_{loop[0]}", "run_{}") for loop in loops}

    def _loop(self, loop: tuple[str, ...]) -> str:
        """A group of mapped tasks: those of one value wait for each other, and for no others."""
        named = {"group_id": literal(self.loops[loop]), "prefix_group_id": "False"}
        made = [call(f"run_{self.names[name]}", item="item") for name in loop]
        return "\n".join(
            [
                decorate(call("task_group", **named)),
                f"def {self.loops[loop]}(item: str) -> Any:",
                f'    """{", ".join(loop)}: for each value by itself."""',
                write(listing(made), before="return ", indent=1),
            ]
        )

    @cached_property
    def firsts(self) -> dict[str, Task]:
        """The first task of each function."""
        found: dict[str, Task] = {}
        for task in self.tasks:
            found.setdefault(self._function_of(task), task)
        return found

    def _function(
        self, task: Task, signature: str, lines: list[str], kind: str = "task", **named: str
    ) -> str:
        """A task's function; its signature is written as `(…) -> …`."""
        shown = task.group if self._is_alone(task) else task.own_id
        decorator = call(kind, task_id=literal(shown), **named)
        return "\n".join(
            [decorate(decorator), f"def {self._function_of(task)}{signature}:", *lines]
        )

    def _stage(self, task: Task) -> str:
        stage, name = self.pipeline.stages[task.stage], self.whole.stage_of(task.stage)
        named = {} if stage.foreach is None else {"map_index_template": literal("{{ item }}")}
        named |= _rule(task.rule) | own_policy(self.policies[stage.name], self.common)
        told = call("partial", "tell", literal(name))
        if stage.notify.on_failure:
            named["on_failure_callback"] = told
        if stage.notify.on_success:
            named["on_success_callback"] = told
        place = placement(stage)
        if place is not None:
            named["executor_config"] = place
        lines = [f'    """{one_line(stage.notebook.name)}."""']
        called, signature = literal(name), "() -> None"
        if stage.foreach is not None:
            lines.append('    get_current_context()["item"] = item  # what the UI calls it')
        if stage.foreach is not None or self._is_alone(task):
            called, signature = f'f"{name}[{{item}}]"', "(item: str) -> None"
        lines.append(write(call("run_stage", called), indent=1))
        return self._function(task, signature, lines, **named)

    def _branch(self, task: Task) -> str:
        branch = self.branches[task.id]
        followed = {name: self._behind(task, name) for name in branch.stages}
        stages = [self.pipeline.stages[name] for name in branch.stages]
        if branch.shared:
            lines, returns = self._shared(stages, followed), "list[str]"
        else:
            lines, returns = self._own(stages[0], followed[stages[0].name]), "str | None"
        named = _rule(task.rule) | _beside(stages[:1])
        return self._function(task, f"() -> {returns}", lines, "task.branch", **named)

    def _shared(self, stages: list[Stage], followed: dict[str, str]) -> list[str]:
        condition = stages[0].when[0]
        choices = mapping({followed[stage.name]: _wanted(stage.when[0]) for stage in stages})
        return [
            f'    """Choose what follows by what {condition.source} holds."""',
            assign("found", self._artifact(condition.source), 1),
            assign("choices", choices, 1),
            "    return [name for name, wanted in choices.items() if is_one_of(found, wanted)]",
        ]

    def _own(self, stage: Stage, followed: str) -> list[str]:
        lines = [f'    """Let {stage.name} run, or have it skipped."""']
        for condition in stage.when:
            asked = call("is_one_of", "found", _wanted(condition))
            lines += [
                assign("found", self._artifact(condition.source), 1),
                write(asked, before="if not ", after=":", indent=1),
                "        return None",
            ]
        return [*lines, f"    return {literal(followed)}"]

    def _values(self, task: Task) -> str:
        stage = self.pipeline.stages[task.stage]
        assert stage.foreach is not None
        source = stage.foreach.source
        assert source is not None
        spec = stage.type_of_values(stage.foreach.parameter)
        labels = call("labels", "found", *(("float",) if spec.kind == "float" else ()))
        if not task.loop:  # a group's values are handed on as they are
            labels = f"[literally(text) for text in {labels}]"
        mapped = ", ".join(task.loop) or stage.name
        lines = [
            f'    """Read the values of {mapped} from {source}."""',
            assign("found", self._artifact(source), 1),
            f"    return {labels}",
        ]
        named = _rule(task.rule) | _beside([stage])
        return self._function(task, "() -> list[str]", lines, **named)

    def _verdict(self, task: Task) -> str:
        lines = ['    """Ask mlkit how its run has ended."""', "    ask_for_verdict()"]
        named = _rule(task.rule) | _beside(self.pipeline.stages.values())
        return self._function(task, "() -> None", lines, **named)

    def _behind(self, branch: Task, stage: str) -> str:
        """The first task of a stage behind a branch."""
        return next(t.id for t in self.tasks if t.stage == stage and branch.id in t.upstream)

    def _artifact(self, source: StageOutput) -> str:
        node, output = source.node, source.output
        if self.remote:
            return call("fetch_value", literal(str(source)))
        file = self.pipeline.stages[node.stage].outputs[output]
        return call("read_artifact", literal(safe_name(str(node))), literal(file.path))

    def dag(self) -> str:
        """The DAG function, and the call that makes the DAG."""
        schedule = value(self.pipeline.schedule)
        zone = self.pipeline.timezone
        if self.pipeline.schedule and (self.dated or zone.upper() != "UTC"):
            kind = "CronDataIntervalTimetable" if self.dated else "CronTriggerTimetable"
            schedule = call(kind, schedule, timezone=literal(zone))
        named = {"dag_id": literal(dag_id(self.pipeline))}
        if self.pipeline.description.strip():
            named["description"] = literal(" ".join(self.pipeline.description.split()))
        named |= {
            "schedule": schedule,
            # a first day is asked for, and with `catchup=False` any day that is past does
            "start_date": call("pendulum.datetime", "2013", "1", "1", tz=literal("UTC")),
            "catchup": "False",
            "tags": value(["mlkit"]),
            "params": "PARAMETERS",
            # one run at a time, as everywhere; else as many as Airflow runs by itself
            "max_active_runs": "16" if self.pipeline.overlap else "1",
        }
        if self.workers is not None:
            named["max_active_tasks"] = str(self.workers)
        if self.common:
            named["default_args"] = mapping(self.common)
        edges = [self._edge(task) for task in self.tasks if task.upstream]
        lines = [
            decorate(call("dag", **named)),
            "def pipeline() -> None:",
            '    """One task for each stage, and what leads to it."""',
            *self._assignments(),
            *(["", *edges] if edges else []),
        ]
        return "\n".join([*lines, "", "", "pipeline()"])

    def _assignments(self) -> Iterator[str]:
        """The tasks; what stands alone of one stage comes together, as a group."""
        groups: dict[str, list[Task]] = {}
        for task in self.tasks:
            if task.kind == "stage" and task.loop and task.stage != task.loop[0]:
                continue  # it is made with the first of its loop
            groups.setdefault(task.group or f".{task.id}", []).append(task)
        for tasks in groups.values():
            indent = 1
            if tasks[0].group:
                indent = 2
                group = call("TaskGroup", literal(tasks[0].group))
                yield write(group, before="with ", after=":", indent=1)
            for task in tasks:
                made = task.loop if task.kind == "stage" and task.loop else [task.id]
                names = ", ".join(self.names[name] for name in made)
                yield assign(names, self._made(task), indent)

    def _made(self, task: Task) -> str:
        name = self._function_of(task)
        if self._is_alone(task):
            first = self.firsts[name]
            changed = {"task_id": literal(task.own_id)}
            if task.rule is not first.rule:
                changed["trigger_rule"] = literal(task.rule.value)
            label = ",".join(self.whole.origins[task.stage].labels.values())
            return call(call(f"{name}.override", **changed), item=literal(_escaped(label)))
        if task.kind == "gate":
            return call("EmptyOperator", task_id=literal(task.own_id), **_rule(task.rule))
        if task.kind == "sensor":
            return self._sensor(task)
        stage = self.pipeline.stages.get(task.stage)
        if task.kind != "stage" or stage is None or stage.foreach is None:
            return call(name)
        if task.loop:
            values = self.names[f"{task.loop[0]}.values"]
            return call(f"{self.loops[task.loop]}.expand", item=values)
        labels = listed_labels(stage)
        if labels is None:
            return call(f"{name}.expand", item=self.names[f"{stage.name}.values"])
        return call(f"{name}.expand", item=value(list(map(_escaped, labels))))

    def _sensor(self, task: Task) -> str:
        stage = self.pipeline.stages[task.stage]
        wait = stage.wait_for
        assert wait is not None
        return call(
            "FileSensor",
            task_id=literal(task.own_id),
            filepath=literal(str(wait.path)),
            recursive="True",
            poke_interval=number(wait.every_s),
            timeout=number(wait.timeout_s),
            mode=literal("reschedule"),
            retries="0",
            on_failure_callback=call("partial", "record_timeout", literal(task.stage)),
            **(_rule(task.rule) | _beside([stage])),
        )

    def _edge(self, task: Task) -> str:
        above = [self.names[name] for name in task.upstream]
        first = above[0] if len(above) == 1 else listing(above)
        return write(first, after=f" >> {self.names[task.id]}", indent=1)


def _rule(rule: TriggerRule) -> dict[str, str]:
    return {} if rule is TriggerRule.ALL_SUCCESS else {"trigger_rule": literal(rule.value)}


def _beside(stages: Iterable[Stage]) -> dict[str, str]:
    """What a task of Airflow's own needs of the first stage that names an image or volumes.

    It reads what that stage reads, or calls mlkit; in a pod of its own it would find neither.
    """
    found = next(filter(None, map(surroundings, stages)), None)
    return {} if found is None else {"executor_config": found}


def _wanted(condition: Condition) -> str:
    return value([encode(item) for item in condition.values])


def _escaped(text: str) -> str:
    """Keep Airflow's templates from reading a value; see `mlkit_dag.label`."""
    return re.sub(r"{(?=[{%#])", "{{ '{' }}", text)
