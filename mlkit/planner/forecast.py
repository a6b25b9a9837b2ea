"""What a run would do with each stage, and why, without running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from mlkit.core.triggers import TriggerRule, Verdict, judge
from mlkit.planner.conditions import ConditionError, unmet_condition
from mlkit.planner.deciding import Action, Planner
from mlkit.planner.fingerprint import Parts
from mlkit.planner.inputs import resolve_inputs
from mlkit.planner.mapping import MappingError, instances_of
from mlkit.planner.reasons import differences
from mlkit.planner.trace import unseen_programs

__all__ = ["Forecast", "Forecaster"]

_MOST_NAMED = 20

_ANOTHER = "another list"

_LOOK_BACK = 50
"""How many earlier results are held against a stage whose inputs are still to be made."""


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
    skipped : bool
        Whether it would be skipped.
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
    skipped: bool = False
    values: str = ""
    waits: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    result: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether its artifacts are known already."""
        return self.action == "reuse" or self.skipped

    @property
    def status(self) -> Status:
        """The status that it would have, if all goes well."""
        return Status.SKIPPED if self.skipped else Status.SUCCEEDED


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
            if not stage.is_chained:
                skip = self._skip_reason(stage, {})
                if skip is not None:
                    return [_skipped(stage.name, skip)]
            unknown = self._unknown_lists(stage)
            instances = [] if unknown else instances_of(stage, self._master)
        except (ConditionError, MappingError) as error:
            reason = f"would fail: {error}"
            return [Forecast(id=stage.name, action="unknown", reasons=(reason,), outputs={})]
        if unknown:
            return [self._unlisted(stage, unknown)]
        if not instances:
            skip = self._skip_reason(stage, {}) or "the list of values is empty"
            return [_skipped(stage.name, skip)]
        try:
            return [self._instance(instance) for instance in instances]
        except ConditionError as error:
            reason = f"would fail: {error}"
        except OSError as error:
            place = error.filename or "an input"
            reason = f"would fail: {place} cannot be read: {error.strerror}"
        return [Forecast(id=stage.name, action="unknown", reasons=(reason,), outputs={})]

    def _unknown_lists(self, stage: Stage) -> list[StageOutput]:
        """The lists that a stage maps over and that are still to be written."""
        found = []
        for source in () if stage.foreach is None else stage.foreach.sources:
            master = self._master(source.node, source.output)
            if master is None or not master.is_file():
                found.append(source)
        return found

    def _unlisted(self, stage: Stage, unknown: list[StageOutput]) -> Forecast:
        skip = self._skip_reason(stage, {})
        if skip is not None:
            return _skipped(stage.name, skip)
        names, verb = " and ".join(map(str, unknown)), "are" if unknown[1:] else "is"
        reason = f"the values come from {names}, which {verb} not known yet"
        waits = tuple(item.id for source in unknown for item in self._at(source.node, {}))
        return Forecast(id=stage.name, action="unknown", reasons=(reason,), outputs={}, waits=waits)

    def _skip_reason(self, stage: Stage, own: Mapping[str, str]) -> str | None:
        statuses = [item.status for node in stage.upstream for item in self._at(node, own)]
        if judge(stage.trigger, statuses) is Verdict.SKIP:
            if stage.trigger in (TriggerRule.ALL_FAILED, TriggerRule.ONE_FAILED):
                return f"{stage.trigger}: its upstream would not fail"
            return "its upstream would be skipped"
        if all(item.is_known for node in stage.data_upstream for item in self._at(node, own)):
            return unmet_condition(stage, self._master)
        return None

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
            skip = self._skip_reason(stage, own)
            if skip is not None:
                return replace(_skipped(instance.id, skip), values=_values(instance))
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
        action: Action = "unknown"
        waits = tuple(item.id for item in open_ends)
        more = len(waits) - _MOST_NAMED
        names = [*waits[:_MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
        reasons: tuple[str, ...] = (f"depends on what {', '.join(names)} will write",)
        results = self.planner.database.results(self.pipeline.name, instance.id, limit=_LOOK_BACK)
        if self._hangs_on(instance.stage, open_ends):
            return Forecast(
                id=instance.id,
                action=action,
                reasons=reasons,
                outputs={},
                values=_values(instance),
                waits=waits,
            )
        known = {
            name: [(item.id, _made(item, source.output), item.is_known) for item in found]
            for name, source in instance.stage.inputs.items()
            if isinstance(source, StageOutput)
            for found in [self._at(source.node, instance.labels)]
        }
        # Under this rule every instance has written; under others one may be skipped and missing.
        strict = instance.stage.trigger is TriggerRule.ALL_SUCCESS
        inputs = [_blinded(result.parts, parts, known, strict=strict) for result in results]
        changed = [
            differences({**result.parts, "inputs": own}, parts)
            for result, own in zip(results, inputs, strict=True)
        ]
        if self._forced(instance):
            action, reasons = "run", ("forced",)
        elif not instance.stage.cache:
            action, reasons = "run", ("never reused (cache: false)",)
        elif not results:
            action, reasons = "run", ("never run",)
        elif all(changed):
            action, reasons = "run", changed[0]
        return Forecast(
            id=instance.id,
            action=action,
            reasons=reasons,
            outputs={},
            values=_values(instance),
            waits=waits if action == "unknown" else (),
        )

    def _hangs_on(self, stage: Stage, open_ends: list[Forecast]) -> bool:
        """Whether it is not even known that the stage starts, since a `when` is not known."""
        deciding = {id(item) for c in stage.when for item in self._at(c.source.node, {})}
        return any(id(item) in deciding for item in open_ends)


_Known = Mapping[str, list[tuple[str, ArtifactRecord | None, bool]]]
"""For each input from another stage: the ids that it comes from, what they made, and whether that
is known."""


def _blinded(
    before: Mapping[str, Any], parts: Parts, known: _Known, *, strict: bool
) -> dict[str, Any]:
    """The inputs of an earlier result, those taken for equal that may still come out so.

    What is there already can be compared, and in a list also whose artifacts it holds; if it is
    not strict, one that is still to be made may come out as none.
    """
    inputs = dict(before.get("inputs", {}))
    for name, items in known.items():
        if name not in inputs or name not in parts.inputs:
            continue
        earlier = inputs[name]
        if isinstance(earlier, list):
            told = {key: digest for key, _, digest in (e.rpartition(" ") for e in earlier)}
            coming = {k: made for k, made, is_known in items if made is not None or not is_known}
            sure = {k for k, made in coming.items() if made is not None or strict}
            same = sure <= told.keys() <= coming.keys() and all(
                made is None or told.get(key) == made.digest for key, made in coming.items()
            )
        else:
            same = not all(is_known for _, _, is_known in items) or earlier == parts.inputs[name]
        if same:
            inputs[name] = parts.inputs[name]
        elif earlier == parts.inputs[name]:  # what is still to be made stands in neither
            inputs[name] = _ANOTHER
    return inputs


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
        skipped=True,
    )
