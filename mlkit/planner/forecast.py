"""What a run would do with each stage, and why, without running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import ExternalFile, Instance, Node, Stage
from mlkit.core.record import ArtifactRecord
from mlkit.core.states import Status
from mlkit.core.triggers import Verdict, judge
from mlkit.core.values import label
from mlkit.planner.conditions import ConditionError, unmet_condition
from mlkit.planner.deciding import Action, Planner
from mlkit.planner.fingerprint import Parts
from mlkit.planner.inputs import resolve_inputs
from mlkit.planner.mapping import MappingError, instances_of
from mlkit.planner.reasons import differences
from mlkit.planner.trace import unseen_programs

__all__ = ["Forecast", "Forecaster"]

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
    value : object
        Of a mapped stage: its value.
    waits : tuple of str
        Of an unknown one: the stages or instances whose outputs it depends on.
    unseen : tuple of str
        Of a reused one: the programs that its attempt started and whose reading nobody saw.
    """

    id: str
    action: Action
    reasons: tuple[str, ...]
    outputs: Mapping[str, str]
    skipped: bool = False
    value: Any = None
    waits: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

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
        self.found: dict[str, list[Forecast]] = {}

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
                self.found[name] = self._stage(self.pipeline.stages[name])
        return {item.id: item for name in self.found for item in self.found[name]}

    def _stage(self, stage: Stage) -> list[Forecast]:
        try:
            skip = self._skip_reason(stage)
            if skip is not None:
                return [_skipped(stage.name, skip)]
            instances = self._instances(stage)
        except (ConditionError, MappingError) as error:
            reason = f"would fail: {error}"
            return [Forecast(id=stage.name, action="unknown", reasons=(reason,), outputs={})]
        if instances is None:
            assert stage.foreach is not None
            reason = f"the values come from {stage.foreach.source}, which is not known yet"
            source = stage.foreach.source
            waits = () if source is None else tuple(item.id for item in self._at(source.node))
            return [
                Forecast(
                    id=stage.name, action="unknown", reasons=(reason,), outputs={}, waits=waits
                )
            ]
        if not instances:
            return [_skipped(stage.name, "the list of values is empty")]
        try:
            return [self._instance(instance) for instance in instances]
        except OSError as error:
            place = error.filename or "an input"
            reason = f"would fail: {place} cannot be read: {error.strerror}"
            return [Forecast(id=stage.name, action="unknown", reasons=(reason,), outputs={})]

    def _skip_reason(self, stage: Stage) -> str | None:
        statuses = [item.status for node in stage.upstream for item in self._at(node)]
        if judge(stage.trigger, statuses) is Verdict.SKIP:
            return "its upstream would be skipped"
        if all(item.is_known for node in stage.data_upstream for item in self._at(node)):
            return unmet_condition(stage, self._master)
        return None

    def _at(self, node: Node) -> list[Forecast]:
        found = self.found.get(node.stage, [])
        return found if node.value is None else [f for f in found if label(f.value) == node.value]

    def _master(self, node: Node, output: str) -> Path | None:
        for item in self._at(node):
            if output in item.outputs:
                return self.planner.store.readable(item.outputs[output])
        return None

    def _instances(self, stage: Stage) -> list[Instance] | None:
        source = None if stage.foreach is None else stage.foreach.source
        if source is not None:
            master = self._master(source.node, source.output)
            if master is None or not master.is_file():
                return None
        return instances_of(stage, self._master)

    def _instance(self, instance: Instance) -> Forecast:
        upstream = [item for node in instance.stage.data_upstream for item in self._at(node)]
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
            value=instance.value,
            unseen=() if decision.result is None else unseen_programs(decision.result.observed),
        )

    def _forced(self, instance: Instance) -> bool:
        if isinstance(self.force, bool):
            return self.force
        return bool({instance.id, instance.stage.name} & self.force)

    def _digests(self, instance: Instance) -> dict[str, Any]:
        files: dict[str, ArtifactRecord | None] = {}
        for name, source in instance.stage.inputs.items():
            if isinstance(source, ExternalFile):
                path = Path(self.planner.configuration.files[f"{instance.stage.name}.{name}"])
                digest = self.planner.file_digest(path)
                files[name] = None
                if digest is not None:
                    files[name] = ArtifactRecord(path=str(path), digest=digest, size_bytes=0)
        resolved = resolve_inputs(instance, self._made, self._is_mapped, files)
        return dict(resolved.digests)

    def _is_mapped(self, name: str) -> bool:
        return self.pipeline.stages[name].foreach is not None

    def _made(self, node: Node, output: str) -> list[tuple[str, ArtifactRecord | None]]:
        return [
            (
                item.id,
                ArtifactRecord(path="", digest=item.outputs[output], size_bytes=0)
                if output in item.outputs
                else None,
            )
            for item in self._at(node)
        ]

    def _open(self, instance: Instance, parts: Parts, open_ends: list[Forecast]) -> Forecast:
        """Decide for a stage whose inputs are still to be made: it runs for certain, or not."""
        action: Action = "unknown"
        waits = tuple(item.id for item in open_ends)
        reasons: tuple[str, ...] = (f"depends on what {', '.join(waits)} will write",)
        results = self.planner.database.results(self.pipeline.name, instance.id, limit=_LOOK_BACK)
        if self._hangs_on(instance.stage, open_ends):
            return Forecast(
                id=instance.id,
                action=action,
                reasons=reasons,
                outputs={},
                value=instance.value,
                waits=waits,
            )
        blind = {"inputs": dict(parts.inputs)}
        changed = [differences({**result.parts, **blind}, parts) for result in results]
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
            value=instance.value,
            waits=waits if action == "unknown" else (),
        )

    def _hangs_on(self, stage: Stage, open_ends: list[Forecast]) -> bool:
        """Whether it is not even known that the stage starts, since a `when` is not known."""
        deciding = {id(item) for c in stage.when for item in self._at(c.source.node)}
        return any(id(item) in deciding for item in open_ends)


def _skipped(name: str, reason: str) -> Forecast:
    return Forecast(
        id=name,
        action="unknown",
        reasons=(f"would be skipped: {reason}",),
        outputs={},
        skipped=True,
    )
