"""What a run would do with each stage, and why, without running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlkit.core.graph import edges, topological_order
from mlkit.core.instances import Table, is_named
from mlkit.core.outputs import is_tree
from mlkit.core.pipeline import (
    ExternalFile,
    Instance,
    Node,
    RunOutput,
    Stage,
    StageOutput,
    gives_list,
)
from mlkit.core.record import ArtifactRecord
from mlkit.core.states import Status
from mlkit.core.triggers import NOT_STARTED, TriggerRule, Verdict, judge_all
from mlkit.frozen import dataclass
from mlkit.planner.conditions import ConditionError, unmet_condition
from mlkit.planner.deciding import Action, Planner, never_reused
from mlkit.planner.fingerprint import Parts
from mlkit.planner.inputs import resolve_inputs
from mlkit.planner.mapping import MappingError, instances_of
from mlkit.planner.reasons import differences, nearest
from mlkit.planner.trace import unseen_programs

__all__ = ["Forecast", "Forecaster"]

_MOST_NAMED = 20

_ANOTHER = "another list"

_RUNS = frozenset({Status.SUCCEEDED})
_SKIPPED = frozenset({Status.SKIPPED})
_EITHER = _RUNS | _SKIPPED
_FAILS = frozenset({Status.FAILED})
_NONE: frozenset[Status] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run would do with one instance.

    Parameters
    ----------
    id : str
        `STAGE` or `STAGE[VALUE]`.
    action : {"run", "reuse", "unknown"}
        `unknown` if it depends on what an earlier stage will write, or if it would be skipped.
    reasons : tuple of str
        Why.
    outputs : mapping of str to str
        Of a reused one: output name to digest.
    ends : frozenset of Status
        How it may end, as far as its own notebook goes well.
    values : str
        Of a mapped stage: what stands in brackets.
    waits : tuple of str
        Of an unknown one: the stages or instances whose outputs it depends on.
    unseen : tuple of str
        Programs whose reading nobody sees: those that the attempt of a reused one has started, and
        a kernel in another language.
    result : int, optional
        Of a reused one: the number of the result.
    """

    id: str
    action: Action
    reasons: tuple[str, ...]
    outputs: Mapping[str, str]
    ends: frozenset[Status] = _RUNS
    values: str = ""
    waits: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    result: int | None = None

    @property
    def skipped(self) -> bool:
        """Whether it would be skipped."""
        return self.ends == _SKIPPED

    @property
    def is_known(self) -> bool:
        """Whether its artifacts are known already, or that it will have none."""
        return self.action == "reuse" or Status.SUCCEEDED not in self.ends


class Forecaster:
    """Walks the graph once, upstream first.

    Parameters
    ----------
    planner : Planner
        Decides for single stages.
    force : bool or frozenset of str
        All stages, or the names of those that run even if they are unchanged.
    ignore_policy : bool
        Look for results of stages that are never reused as well.
    """

    def __init__(
        self,
        planner: Planner,
        force: bool | frozenset[str] = False,  # noqa: FBT001, FBT002 - a choice, not a switch
        *,
        ignore_policy: bool = False,
    ) -> None:
        self.planner = planner
        self.force = force
        self.ignore_policy = ignore_policy
        self.pipeline = planner.pipeline
        self.found: dict[str, dict[str, Forecast]] = {}
        self.tables: dict[str, Table] = {}

    def forecast(self, names: Sequence[str] | None = None) -> dict[str, Forecast]:
        """Say for each stage (of those named; all by default) what a run would do.

        Returns
        -------
        dict of str to Forecast
            By instance id, in topological order.
        """
        order = topological_order(edges(self.pipeline))
        for name in order:
            if names is None or name in names:
                stage = self.pipeline.stages[name]
                self.found[name] = {
                    item.id: _with_unseen(item, stage) for item in self._stage(stage)
                }
                parameters = () if stage.foreach is None else stage.foreach.parameters
                self.tables[name] = Table(name, parameters, list(self.found[name]))
        return {key: item for found in self.found.values() for key, item in found.items()}

    def _stage(self, stage: Stage) -> list[Forecast]:
        try:
            try:
                return self._instances(stage)
            except MappingError as error:
                gate, failing = self._gate(stage, stage.name, {}), self._failing(stage, str(error))
                if gate is None:
                    return [failing]
                return (
                    [replace(gate, ends=gate.ends - _RUNS | failing.ends)] if gate.waits else [gate]
                )
        except ConditionError as error:
            return [self._failing(stage, str(error))]
        except OSError as error:
            place = error.filename or "an input"
            return [self._failing(stage, f"{place} cannot be read: {error.strerror}")]

    def _instances(self, stage: Stage) -> list[Forecast]:
        unknown = self._unknown_lists(stage)
        gate = None
        if unknown or not stage.is_chained:
            gate = self._gate(stage, stage.name, {})
            if gate is not None and not (unknown and gate.waits):
                return [gate]
        if unknown:
            return [self._unlisted(stage, unknown, gate)]
        instances = instances_of(stage, self._master)
        if not instances:
            gate = self._gate(stage, stage.name, {})
            return [gate or _skipped(stage.name, "the list of values is empty")]
        return [self._instance(instance) for instance in instances]

    def _failing(self, stage: Stage, fact: str) -> Forecast:
        """Of a stage that fails before its notebook starts, unless a condition skips it."""
        ends = _FAILS if self._conditions_known(stage) else _FAILS | _SKIPPED
        reasons = (f"would fail: {fact}",)
        return Forecast(id=stage.name, action="unknown", reasons=reasons, outputs={}, ends=ends)

    def _conditions_known(self, stage: Stage) -> bool:
        return all(i.is_known for c in stage.when for i in self._at(c.source.node, {}))

    def _unknown_lists(self, stage: Stage) -> list[StageOutput]:
        """The lists that a stage maps over and that are still to be written."""
        sources = () if stage.foreach is None else stage.foreach.sources
        return [
            source
            for source in sources
            if not all(item.is_known for item in self._at(source.node, {}))
        ]

    def _unlisted(
        self, stage: Stage, unknown: list[StageOutput], gate: Forecast | None
    ) -> Forecast:
        names, verb = " and ".join(map(str, unknown)), "are" if unknown[1:] else "is"
        reason = f"the values come from {names}, which {verb} not known yet"
        waits = tuple(item.id for source in unknown for item in self._at(source.node, {}))
        return Forecast(
            id=stage.name,
            action="unknown",
            reasons=(reason,),
            outputs={},
            ends=_EITHER
            | (gate.ends if gate is not None else _NONE)
            | (_FAILS if self._may_lack(stage, set(waits)) else _NONE),
            waits=waits,
        )

    def _may_lack(self, stage: Stage, lists: set[str]) -> bool:
        """Whether a stage may come to map over a list that nobody has written."""
        upstream = [item for node in stage.upstream for item in self._at(node, {})]
        if all(item.ends == _RUNS for item in upstream if item.id in lists):
            return False
        ends = [(i.ends - _RUNS or i.ends) if i.id in lists else i.ends for i in upstream]
        return Verdict.START in judge_all(stage.trigger, ends)

    def _gate(self, stage: Stage, id: str, own: Mapping[str, str]) -> Forecast | None:
        """What is known of an instance that does not start, or perhaps not; None if it starts.

        A result that is looked for whatever becomes of the run (`ignore_policy`) is not asked
        whether its stage would start this time, unless it is sure that it would not.
        """
        upstream = [item for node in stage.upstream for item in self._at(node, own)]
        verdicts = judge_all(stage.trigger, [item.ends for item in upstream])
        not_started = frozenset(NOT_STARTED[v] for v in verdicts if v in NOT_STARTED)
        if Verdict.START not in verdicts:
            return _not_started(stage, id, not_started, upstream)
        if self._conditions_known(stage):
            unmet = unmet_condition(stage, self._master)
            if unmet is not None:
                return replace(_skipped(id, unmet), ends=not_started | _SKIPPED)
        if not not_started or self.ignore_policy:
            return None
        waits = tuple(item.id for item in upstream if len(item.ends) > 1)
        return Forecast(
            id=id,
            action="unknown",
            reasons=(f"depends on whether {_listed(waits)} will be skipped",),
            outputs={},
            ends=not_started | _RUNS | (_SKIPPED if stage.when else _NONE),
            waits=waits,
        )

    def _at(self, node: Node, own: Mapping[str, str]) -> list[Forecast]:
        if node.stage not in self.tables:
            return []
        found = self.found[node.stage]
        return [found[i] for i in self.tables[node.stage].matching(node.wanted(own))]

    def _master(self, node: Node, output: str) -> Path | None:
        for item in self._at(node, {}):
            if output in item.outputs:
                return self.planner.store.readable(item.outputs[output])
        return None

    def _instance(self, instance: Instance) -> Forecast:
        stage, own = instance.stage, instance.labels
        if stage.is_chained:
            gate = self._gate(stage, instance.id, own)
            if gate is not None:
                return replace(gate, values=_values(instance))
        upstream = [item for node in stage.data_upstream for item in self._at(node, own)]
        open_ends = [item for item in upstream if not item.is_known]
        digests = self._digests(instance)
        if open_ends:
            return self._open(instance, self.planner.parts(instance, digests), open_ends)
        if self.ignore_policy:
            decision = self.planner.look_up(instance, self.planner.parts(instance, digests))
        else:
            decision = self.planner.decide(instance, digests, force=self._forced(instance))
        outputs = {} if decision.result is None else decision.result.outputs
        return Forecast(
            id=instance.id,
            action=decision.action,
            reasons=decision.reasons,
            outputs=outputs,
            values=_values(instance),
            unseen=() if decision.result is None else unseen_programs(decision.result.observed),
            result=None if decision.result is None else decision.result.id,
        )

    def _forced(self, instance: Instance) -> bool:
        if isinstance(self.force, bool):
            return self.force
        return any(is_named(text, instance.id) for text in self.force)

    def _digests(self, instance: Instance) -> dict[str, Any]:
        files: dict[str, list[tuple[str, ArtifactRecord | None]]] = {}
        for name, source in instance.stage.inputs.items():
            if isinstance(source, ExternalFile):
                path = Path(self.planner.configuration.files[f"{instance.stage.name}.{name}"])
                files[name] = [(name, self._file(path, is_folder=source.is_folder))]
            elif isinstance(source, RunOutput):
                files[name] = [
                    (item.instance, self._file(Path(item.path), is_folder=is_tree(item.digest)))
                    for item in source.files or ()
                ]

        def made(node: Node, output: str) -> list[tuple[str, ArtifactRecord | None]]:
            return [(item.id, _made(item, output)) for item in self._at(node, instance.labels)]

        def is_list(node: Node) -> bool:
            return gives_list(node, self.pipeline.stages)

        return dict(resolve_inputs(instance, made, is_list, files).digests)

    def _file(self, path: Path, *, is_folder: bool) -> ArtifactRecord | None:
        digest = self.planner.file_digest(path, is_folder=is_folder)
        if digest is None:
            return None
        return ArtifactRecord(path=str(path), digest=digest, size_bytes=0)

    def _open(self, instance: Instance, parts: Parts, open_ends: list[Forecast]) -> Forecast:
        """Decide for a stage whose inputs are still to be made: it runs for certain, or not."""
        waits = tuple(item.id for item in open_ends)
        hangs = self._hangs_on(instance.stage, open_ends)
        certain = None if hangs else self._sure_to_run(instance, parts)
        return Forecast(
            id=instance.id,
            action="unknown" if certain is None else "run",
            reasons=certain or (f"depends on what {_listed(waits)} will write",),
            outputs={},
            ends=_EITHER if hangs else _RUNS,
            values=_values(instance),
            waits=waits if certain is None else (),
        )

    def _sure_to_run(self, instance: Instance, parts: Parts) -> tuple[str, ...] | None:
        """Why an instance runs whatever its inputs will be; None if that hangs on them."""
        if self._forced(instance):
            return ("forced",)
        if not instance.stage.cache:
            return never_reused(instance.stage)
        results = self.planner.database.results(self.pipeline.name, instance.id)
        if not results:
            return self.planner.without_results(instance, parts)
        known = self._coming(instance)
        changed = []
        for result in results:
            inputs = _blinded(result.parts, parts, known)
            changed.append(differences({**result.parts, "inputs": inputs}, parts))
        return nearest(changed) if all(changed) else None

    def _coming(self, instance: Instance) -> dict[str, list[_Coming]]:
        """What each input from another stage will hold, as far as that is known."""
        # Under this rule every instance has written; under others one may be skipped and missing.
        strict = instance.stage.trigger is TriggerRule.ALL_SUCCESS
        found: dict[str, list[_Coming]] = {}
        for name, source in instance.stage.inputs.items():
            if not isinstance(source, StageOutput):
                continue
            stage = self.pipeline.stages[source.node.stage]
            found[name] = [
                _Coming(
                    id=item.id,
                    made=_made(item, source.output),
                    is_known=item.is_known,
                    is_sure=strict and not stage.outputs[source.output].optional,
                    is_listed=stage.foreach is None or item.id != stage.name or item.is_known,
                )
                for item in self._at(source.node, instance.labels)
            ]
        return found

    def _hangs_on(self, stage: Stage, open_ends: list[Forecast]) -> bool:
        """Whether it is not even known that the stage starts, since a `when` is not known."""
        deciding = {id(item) for c in stage.when for item in self._at(c.source.node, {})}
        return any(id(item) in deciding for item in open_ends)


@dataclass(frozen=True, kw_only=True)
class _Coming:
    """What one instance will hand on by one of its outputs.

    Parameters
    ----------
    id : str
        The instance, or a stage whose instances are not known.
    made : ArtifactRecord, optional
        What it has made already.
    is_known : bool
        Whether that is all that is to come.
    is_sure : bool
        Whether it will write, if that is still to come.
    is_listed : bool
        Whether it is one instance; otherwise there may be any number of them.
    """

    id: str
    made: ArtifactRecord | None
    is_known: bool
    is_sure: bool
    is_listed: bool


def _blinded(
    before: Mapping[str, Any], parts: Parts, known: Mapping[str, Sequence[_Coming]]
) -> dict[str, Any]:
    """The inputs of an earlier result, those taken for equal that may still come out so.

    What is there already can be compared, and in a list also whose artifacts it holds, if it is
    known who writes them.
    """
    inputs = dict(before.get("inputs", {}))
    for name, items in known.items():
        if name not in inputs or name not in parts.inputs:
            continue
        earlier = inputs[name]
        if not all(item.is_listed for item in items):
            same = True
        elif isinstance(earlier, list):
            told = {key: digest for key, _, digest in (e.rpartition(" ") for e in earlier)}
            coming = {i.id: i.made for i in items if i.made is not None or not i.is_known}
            sure = {i.id for i in items if i.id in coming and (i.made is not None or i.is_sure)}
            same = sure <= told.keys() <= coming.keys() and all(
                made is None or told.get(key) == made.digest for key, made in coming.items()
            )
        else:
            same = not all(item.is_known for item in items) or earlier == parts.inputs[name]
        if same:
            inputs[name] = parts.inputs[name]
        elif earlier == parts.inputs[name]:  # what is still to be made stands in neither
            inputs[name] = _ANOTHER
    return inputs


def _listed(names: Sequence[str]) -> str:
    """Some names; of many the first ones."""
    more = len(names) - _MOST_NAMED
    return ", ".join([*names[:_MOST_NAMED], *([f"{more} more"] if more > 0 else [])])


def _values(instance: Instance) -> str:
    return ",".join(instance.labels.values())


def _made(item: Forecast, output: str) -> ArtifactRecord | None:
    if output not in item.outputs:
        return None
    return ArtifactRecord(path="", digest=item.outputs[output], size_bytes=0)


def _with_unseen(item: Forecast, stage: Stage) -> Forecast:
    """Name the language of a kernel that does not tell what it reads, also before its first run."""
    kernel = stage.kernel
    if kernel is None or kernel.language == "python" or item.skipped or item.unseen:
        return item
    return replace(item, unseen=(kernel.language,))


def _skipped(name: str, reason: str) -> Forecast:
    return Forecast(
        id=name,
        action="unknown",
        reasons=(f"would be skipped: {reason}",),
        outputs={},
        ends=_SKIPPED,
    )


def _not_started(
    stage: Stage, name: str, ends: frozenset[Status], upstream: Sequence[Forecast]
) -> Forecast:
    """Of an instance that a trigger rule does not let start, whatever else comes."""
    if ends == _SKIPPED:
        failing = (TriggerRule.ALL_FAILED, TriggerRule.ONE_FAILED)
        reason = "its upstream would be skipped"
        if stage.trigger in failing:
            reason = f"{stage.trigger}: its upstream would not fail"
        return _skipped(name, reason)
    culprits = [item.id for item in upstream if not item.ends & _EITHER]
    reason = f"would not start: {_listed(culprits)} would fail"
    return Forecast(id=name, action="unknown", reasons=(reason,), outputs={}, ends=ends)
