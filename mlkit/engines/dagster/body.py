"""The ops of a file of definitions and the job that puts them together, as text."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Node, Pipeline, Stage, StageOutput
from mlkit.core.policies import Retry
from mlkit.core.triggers import TriggerRule
from mlkit.core.values import encode
from mlkit.engines.dagster.assets import checked
from mlkit.engines.dagster.ending import (
    asks_before,
    going_on,
    is_native,
    node_groups,
    waits_apart,
)
from mlkit.engines.dagster.policies import machine
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
from mlkit.engines.questions import listed_labels, together
from mlkit.engines.unrolling import Unrolled
from mlkit.frozen import dataclass

__all__ = ["DAGSTERS_OWN", "Body"]

DAGSTERS_OWN = frozenset(
    {"arg_dict", "conf", "config", "context", "input", "input_arg_dict", "meta", "output"}
    | {"output_arg_dict"}
)
"""Names that Dagster takes for nothing of a user's."""

_LONGEST = 40
"""So much of a value stands in an op's name."""

_MODES = {"done": "{}_done", "ended": "{}_ended", "failed": "{}_failing"}
"""The variables of what an op hands on."""

_WHOLE = "all_{}_{}"
"""The op, and the variable, for a map as a whole: named after its stage, and what it hands on."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """Writes the ops and the job.

    Parameters
    ----------
    source : Pipeline
        The pipeline, as it stands in pipeline.yaml.
    whole : Unrolled
        The same, in which an instance that others wait for alone stands as a stage.
    reserved : set of str
        Names that the file uses already.
    """

    source: Pipeline
    whole: Unrolled
    reserved: AbstractSet[str]

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline, with the instances that stand alone."""
        return self.whole.pipeline

    @cached_property
    def ends(self) -> frozenset[str]:
        """The stages whose ops hand on that they have ended, however."""
        return going_on(self.whole)

    @cached_property
    def _named(self) -> tuple[str, dict[str, str], dict[tuple[str, str], str]]:
        """The job, the op of each stage (and instance that stands alone), and of each question."""
        free = FreeNames({*self.reserved, *DAGSTERS_OWN, "item", "mlkit", "upstream", "go"})
        job = free.new(self.pipeline.name)
        forms = ("{}_values", "wait_for_{}", "{}_failed", "each_{}", *_MODES.values())
        forms += tuple(_WHOLE.format("{}", mode) for mode in ("done", "ended"))
        names: dict[str, str] = {}
        for name in self.pipeline.stages:
            stage = self.whole.stage_of(name)
            if stage not in names:
                names[stage] = free.new(stage, *forms)
            if name not in names:
                label = ",".join(self.whole.origins[name].labels.values())[:_LONGEST]
                names[name] = free.new(f"{names[stage]} {label}", *forms)
        asked: dict[tuple[str, str], str] = {}
        for asking in self.pipeline.stages.values():
            if asks_before(asking, self.ends):
                source = asking.when[0].source
                key = (source.node.stage, source.output)
                if key not in asked:
                    asked[key] = free.new(f"{names[key[0]]} {source.output}", "{}_ways")
        return job, names, asked

    @property
    def job_name(self) -> str:
        """The job's function."""
        return self._named[0]

    @property
    def names(self) -> dict[str, str]:
        """The op of each stage, and of each instance that stands alone."""
        return self._named[1]

    def ops(self) -> Iterator[str]:
        """One function for each op; the instances of a stage have theirs in common."""
        done: set[str] = set()
        for stage in self.pipeline.stages.values():
            name = self.whole.stage_of(stage.name)
            if name in done:
                continue
            done.add(name)
            if stage.foreach is not None and self._loop(stage)[0] == stage.name:
                yield self._values(stage)
            if waits_apart(self.whole, stage, self.ends):
                yield self._waiting(stage)
            yield self._stage(stage)
            if stage.name in self.ends and stage.critical:
                yield self._failed(name)
        for source in self._questions:
            yield self._question(source)

    # The ops of one stage.

    def _stage(self, stage: Stage) -> str:
        name = self.whole.stage_of(stage.name)
        signature = "context: OpExecutionContext, mlkit: Mlkit"
        if stage.foreach is not None:
            signature += ", item: str"
        ins = [*self._groups(stage)]
        if asks_before(stage, self.ends):
            ins.append("go")
        if waits_apart(self.whole, stage, self.ends):
            ins.append("arrived")
        arguments = ["context", self._fact(stage)]
        if stage.foreach is not None:
            arguments.append("item")
        elif stage.name in self.whole.origins:
            arguments.append("ITEMS[context.op_handle.name]")
        run = call("mlkit.run_stage", *arguments)
        doc = f"Run {stage.notebook.name}"
        if stage.timeout_s is not None:
            doc += f"; mlkit ends it after {number(stage.timeout_s)} s"
        return self._function(
            self.names[name],
            signature,
            [write(run, before="yield from ", indent=1)],
            doc=f"{doc}.",
            ins=ins,
            out=self._outs(stage),
            tags=self._tags(stage),
        )

    def _fact(self, stage: Stage) -> str:
        name = self.whole.stage_of(stage.name)
        facts: dict[str, Any] = {"name": value(name), "outputs": value(list(stage.outputs))}
        checks = checked(self.source, self.source.stages[name])
        if checks:
            facts["checks"] = value([list(key) for key in checks])
        if stage.retry.max_retries:
            facts["retries"] = _retries(stage.retry)
        if not stage.critical:
            facts["critical"] = "False"
        if stage.name in self.ends:
            facts["goes_on"] = "True"
        told = {"success": stage.notify.on_success, "failure": stage.notify.on_failure}
        if any(told.values()):
            facts["tells"] = value([what for what, who in told.items() if who])
        if waits_apart(self.whole, stage, self.ends):
            facts["waited"] = "True"
        return call("Stage", **facts)

    def _outs(self, stage: Stage) -> str:
        if stage.name not in self.ends:
            return "DONE"
        return "{**ENDED, **FAILED}" if stage.critical else "ENDED"

    def _tags(self, stage: Stage) -> dict[str, Any]:
        asked = machine(stage)
        return {"dagster-k8s/config": asked} if asked else {}

    def _values(self, stage: Stage) -> str:
        assert stage.foreach is not None
        labels, source = listed_labels(stage), stage.foreach.source
        own = f"{self.names[stage.name]}_values"
        mapped = ", ".join(self._loop(stage))
        if labels is not None:
            hand = call("mapped", value(labels))
            return self._function(
                own,
                "",
                [write(hand, before="yield from ", indent=1)],
                doc=f"The values of {mapped}.",
                out="DynamicOut(str)",
            )
        assert source is not None
        named = {}
        if stage.type_of_values(stage.foreach.parameter).kind == "float":
            named["kind"] = literal("float")
        read = call("mlkit.values", "context", literal(stage.name), literal(str(source)), **named)
        return self._function(
            own,
            "context: OpExecutionContext, mlkit: Mlkit",
            [write(read, before="yield from ", indent=1)],
            doc=f"Read the values of {mapped} from {source}.",
            ins=["upstream"],
            out="DynamicOut(str)",
        )

    def _waiting(self, stage: Stage) -> str:
        wait = stage.wait_for
        assert wait is not None
        named = {"every_s": number(wait.every_s), "timeout_s": number(wait.timeout_s)}
        look = call("mlkit.wait_for_file", "context", literal(str(wait.path)), **named)
        ins = [*self._groups(stage)]
        if asks_before(stage, self.ends):
            ins.append("go")
        return self._function(
            f"wait_for_{self.names[stage.name]}",
            "context: OpExecutionContext, mlkit: Mlkit",
            [write(look, before="yield from ", indent=1)],
            doc=f"Wait until a file is there for {stage.name}.",
            ins=ins,
            out="DONE",
        )

    def _failed(self, name: str) -> str:
        return self._function(
            f"{self.names[name]}_failed",
            "",
            [write(call("failed_for_good", literal(name)), indent=1)],
            doc=f"Let the run fail: {name} has failed, and others go on behind it.",
            ins=["failed"],
        )

    # Questions: what follows by what an artifact holds.

    @cached_property
    def _questions(self) -> dict[StageOutput, list[Stage]]:
        """The stages that each artifact decides on; of instances, one stands for all."""
        found: dict[StageOutput, dict[str, Stage]] = {}
        for stage in self.pipeline.stages.values():
            if asks_before(stage, self.ends):
                followed = found.setdefault(stage.when[0].source, {})
                followed.setdefault(self.whole.stage_of(stage.name), stage)
        return {source: list(stages.values()) for source, stages in found.items()}

    def _asker(self, source: StageOutput) -> str:
        return self._named[2][(source.node.stage, source.output)]

    def _question(self, source: StageOutput) -> str:
        stages = self._questions[source]
        follow = [self.names[self.whole.stage_of(stage.name)] for stage in stages]
        choices = {
            name: value([encode(item) for item in stage.when[0].values])
            for name, stage in zip(follow, stages, strict=True)
        }
        read = call("mlkit.value", "context", literal(str(source)))
        return self._function(
            self._asker(source),
            "context: OpExecutionContext, mlkit: Mlkit",
            [
                assign("found", read, 1),
                write(call("chosen", "found", mapping(choices)), before="yield from ", indent=1),
            ],
            doc=f"Choose what follows by what {source} holds.",
            ins=["upstream"],
            out=call("ways", *map(literal, follow)),
        )

    def _function(
        self,
        name: str,
        signature: str,
        lines: list[str],
        *,
        doc: str,
        ins: list[str] | None = None,
        out: str | None = None,
        tags: dict[str, Any] | None = None,
    ) -> str:
        named = {}
        if ins:
            named["ins"] = call("after", *map(literal, ins))
        if out is not None:
            named["out"] = out
        if tags:
            named["tags"] = value(tags)
        decorator = call("op", **named) if named else "op"
        returned = "" if out is not None else " -> None"
        return "\n".join(
            [
                decorate(decorator),
                f"def {name}({signature}){returned}:",
                f'    """{one_line(doc)}"""',
                *lines,
            ]
        )

    # The job.

    def items(self) -> dict[str, str]:
        """What stands in the brackets of each instance that stands alone, by its op."""
        return {
            self.names[name]: ",".join(origin.labels.values())
            for name, origin in self.whole.origins.items()
        }

    def job(self, arguments: dict[str, str]) -> str:
        """The job's function."""
        doc = one_line(self.pipeline.description or f"The pipeline {self.pipeline.name}.")
        lines = [
            decorate(call("job", **arguments)),
            f"def {self.job_name}() -> None:",
            f'    """{doc}"""',
        ]
        asked: set[StageOutput] = set()
        gathered: set[str] = set()
        for loop in self._order():
            for name in loop:
                stage = self.pipeline.stages[name]
                if asks_before(stage, self.ends) and stage.when[0].source not in asked:
                    asked.add(stage.when[0].source)
                    lines.append(self._asking(stage.when[0].source))
            stage = self.pipeline.stages[loop[0]]
            if stage.foreach is None:
                lines += self._single(stage)
                continue
            wholes = {k: v for k, v in self._wholes(loop).items() if k not in gathered}
            gathered |= wholes.keys()
            lines += [assign(name, made, indent=1) for name, made in wholes.items()]
            lines += self._mapped(loop)
        return "\n".join(lines)

    def _wholes(self, loop: tuple[str, ...]) -> dict[str, str]:
        """The maps that a loop waits for as a whole: an op of its own gathers each.

        Dagster lets no op be mapped over one list and gather what is mapped over another.
        """
        found = {}
        for name in loop:
            stage = self.pipeline.stages[name]
            for _, nodes in node_groups(self.whole, stage):
                for node in nodes:
                    if not self._is_map(node) or node.stage in loop:
                        continue
                    mode = self._mode(stage, node)
                    name = _WHOLE.format(self.names[node.stage], mode)
                    found[name] = call(
                        call("gathered.alias", literal(name)),
                        upstream=self._handle(node, mode, ()),
                    )
        return found

    def _is_map(self, node: Node) -> bool:
        return self.pipeline.stages[node.stage].foreach is not None

    def _order(self) -> list[tuple[str, ...]]:
        """The stages in the order in which they are written; those of a loop come together."""
        groups = {name: self._loop(stage) for name, stage in self.pipeline.stages.items()}
        graph: dict[str, tuple[str, ...]] = {}
        above = edges(self.pipeline)
        for loop in dict.fromkeys(groups.values()):
            outside = [groups[name][0] for stage in loop for name in above[stage]]
            graph[loop[0]] = tuple(dict.fromkeys(name for name in outside if name != loop[0]))
        return [groups[name] for name in topological_order(graph)]

    def _loop(self, stage: Stage) -> tuple[str, ...]:
        return together(self.pipeline).get(stage.name, (stage.name,))

    def _asking(self, source: StageOutput) -> str:
        asker = self._asker(source)
        made = call(asker, upstream=self._handle(source.node, "done", ()))
        return assign(f"{asker}_ways", made, indent=1)

    def _single(self, stage: Stage) -> list[str]:
        name = self.names[stage.name]
        lines = []
        op = self.names[self.whole.stage_of(stage.name)]
        given = self._given(stage, ())
        if waits_apart(self.whole, stage, self.ends):
            lines.append(assign(f"{name}_arrived", call(f"wait_for_{op}", **given), indent=1))
            given["arrived"] = f"{name}_arrived"
        called = op if op == name else call(f"{op}.alias", literal(name))
        lines.append(assign(self._results(stage), call(called, **given), indent=1))
        return [*lines, *self._failing(stage, 1)]

    def _failing(self, stage: Stage, indent: int) -> list[str]:
        if stage.name not in self.ends or not stage.critical:
            return []
        name, op = self.names[stage.name], self.names[self.whole.stage_of(stage.name)]
        called = f"{op}_failed"
        if op != name:
            called = call(f"{called}.alias", literal(f"{name}_failed"))
        return [write(call(called, failed=f"{name}_failing"), indent=indent)]

    def _modes(self, stage: Stage) -> list[str]:
        if stage.name not in self.ends:
            return ["done"]
        return ["done", "ended", "failed"] if stage.critical else ["done", "ended"]

    def _results(self, stage: Stage) -> str:
        name = self.names[stage.name]
        return ", ".join(_MODES[mode].format(name) for mode in self._modes(stage))

    def _mapped(self, loop: tuple[str, ...]) -> list[str]:
        first = self.pipeline.stages[loop[0]]
        each = f"each_{self.names[first.name]}"
        lines = []
        inner = [f"    def {each}(item):", f'        """{", ".join(loop)}, for one value."""']
        results = []
        for name in loop:
            stage = self.pipeline.stages[name]
            op, given = self.names[name], self._given(stage, loop)
            if waits_apart(self.whole, stage, self.ends):
                lines.append(assign(f"{op}_arrived", call(f"wait_for_{op}", **given), indent=1))
                given["arrived"] = f"{op}_arrived"
            inner.append(assign(self._results(stage), call(op, item="item", **given), indent=2))
            inner += self._failing(stage, 2)
            results += [_MODES[mode].format(op) for mode in self._modes(stage) if mode != "failed"]
        inner.append(write(", ".join(results), before="return ", indent=2))
        source = None if first.foreach is None else first.foreach.source
        given = {}
        if source is not None:
            mode = "ended" if source.node.stage in self.ends and self._is_late(first) else "done"
            given["upstream"] = self._handle(source.node, mode, ())
        values = call(f"{self.names[first.name]}_values", **given)
        mapped = write(f"{values}.map({each})", before=f"{', '.join(results)} = ", indent=1)
        return [*lines, "", *inner, "", mapped]

    def _is_late(self, stage: Stage) -> bool:
        """Whether a stage's op is started however what is upstream has ended."""
        loop = self._loop(stage)
        return any(
            name in self.ends or not is_native(self.pipeline, self.pipeline.stages[name])
            for name in loop
        )

    def _groups(self, stage: Stage) -> dict[str, list[Node]]:
        """What a stage's op waits for, by the names of its inputs."""
        groups = {self.names[name]: nodes for name, nodes in node_groups(self.whole, stage)}
        joins = stage.trigger is TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS and len(groups) > 1
        if joins and is_native(self.pipeline, stage):
            return {"upstream": [node for nodes in groups.values() for node in nodes]}
        return groups

    def _given(self, stage: Stage, loop: tuple[str, ...]) -> dict[str, str]:
        given = {}
        for name, nodes in self._groups(stage).items():
            handles = [self._handle(node, self._mode(stage, node), loop) for node in nodes]
            given[name] = handles[0] if len(handles) == 1 else listing(handles)
        if asks_before(stage, self.ends):
            source = stage.when[0].source
            asker, own = self._asker(source), self.names[self.whole.stage_of(stage.name)]
            several = len(self._questions[source]) > 1
            given["go"] = f"{asker}_ways.{own}" if several else f"{asker}_ways"
        return given

    def _mode(self, stage: Stage, node: Node) -> str:
        """What a stage's op waits for: that what is upstream has succeeded, or has ended."""
        late = stage.name in self.ends or not is_native(self.pipeline, stage)
        return "ended" if late and node.stage in self.ends else "done"

    def _handle(self, node: Node, mode: str, loop: tuple[str, ...]) -> str:
        name = self.names[node.stage]
        handle = _MODES[mode].format(name)
        if not self._is_map(node) or node.stage in loop:
            return handle
        return _WHOLE.format(name, mode) if loop else f"{handle}.collect()"


def _retries(retry: Retry) -> str:
    facts = {"most": str(retry.max_retries), "delay_s": number(retry.delay_s)}
    facts["backoff"] = number(retry.backoff)
    if retry.max_delay_s is not None:
        facts["max_delay_s"] = number(retry.max_delay_s)
    if not retry.jitter:
        facts["jitter"] = "False"
    return call("Retries", **facts)
