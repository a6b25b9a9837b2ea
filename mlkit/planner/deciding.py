"""Choose between running a stage and reusing a result, and say why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Instance, Pipeline
from mlkit.notebook.cells import NotebookSource, read_notebook
from mlkit.planner.checkout import Checkout
from mlkit.planner.fingerprint import Digests, Parts, parts_of
from mlkit.planner.reasons import differences
from mlkit.planner.trace import Circumstances, Today, file_marks
from mlkit.store.artifacts import ArtifactStore, digest_file, marks_of
from mlkit.store.database import Database, Result

__all__ = ["Action", "Decision", "Planner"]

Action = Literal["run", "reuse", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do with a stage, and why.

    Parameters
    ----------
    action : {"run", "reuse", "unknown"}
        What to do; unknown while an input is not known.
    reasons : tuple of str
        Why, to the cell, parameter, module, input or version.
    parts : Parts
        The fingerprint's parts that the choice was made from.
    result : Result, optional
        The result to reuse.
    warnings : tuple of str
        What was found damaged on the way.
    """

    action: Action
    reasons: tuple[str, ...]
    parts: Parts
    result: Result | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def reason(self) -> str:
        """The reasons in one line."""
        return "; ".join(self.reasons)


class Planner:
    """Decides for the stages of one pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    configuration : Configuration
        Its parameters.
    database : Database
        Where earlier results stand.
    store : ArtifactStore
        Where their artifacts stand.
    verify : bool
        Check artifacts by digest, not at a glance.
    only_looks : bool
        Change nothing: damage is told, and left for the run to deal with.
    circumstances : Circumstances, optional
        The environment of kernels, and the key of its digests.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        configuration: Configuration,
        database: Database,
        store: ArtifactStore,
        *,
        verify: bool = False,
        only_looks: bool = False,
        circumstances: Circumstances | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.configuration = configuration
        self.database = database
        self.store = store
        self.verify = verify
        self.only_looks = only_looks
        self.circumstances = circumstances or Circumstances()
        self.today = Today(self.circumstances, verify=verify)
        self._notebooks: dict[Path, NotebookSource] = {}
        self._checkouts: dict[str, Checkout] = {}
        self._whole: set[str] = set()

    def notebook(self, instance: Instance) -> NotebookSource:
        """The notebook of a stage, read once."""
        path = Path(instance.stage.notebook)
        if path not in self._notebooks:
            self._notebooks[path] = read_notebook(path)
        return self._notebooks[path]

    def parts(self, instance: Instance, inputs: Digests) -> Parts:
        """The parts of an instance's fingerprint."""
        bound = self.configuration.of(instance)
        return parts_of(instance.stage, self.notebook(instance), bound, inputs)

    def decide(self, instance: Instance, inputs: Digests, *, force: bool = False) -> Decision:
        """Decide for one instance whose inputs are known.

        Parameters
        ----------
        instance : Instance
            The stage, or one value of it.
        inputs : mapping
            The digests of its inputs.
        force : bool
            Run it even if it is unchanged.
        """
        parts = self.parts(instance, inputs)
        if force:
            return Decision(action="run", reasons=("forced",), parts=parts)
        if not instance.stage.cache:
            return Decision(action="run", reasons=("never reused (cache: false)",), parts=parts)
        return self.look_up(instance, parts)

    def look_up(self, instance: Instance, parts: Parts) -> Decision:
        """Look for a result with these parts, whatever the stage's policy."""
        warnings: list[str] = []
        reasons: tuple[str, ...] = ()
        for result in self.database.results_with_key(self.pipeline.name, instance.id, parts.key):
            changes = self.changes(instance, result)
            reasons = reasons or changes
            if changes:
                continue
            damage = self._damage(result)
            if not damage:
                reasons = ("nothing changed",)
                return Decision(
                    action="reuse", reasons=reasons, parts=parts, result=result,
                    warnings=tuple(warnings),
                )  # fmt: skip
            warnings += [f"stage '{instance.id}': {line}" for line in damage]
            reasons = reasons or tuple(damage)
            if not self.only_looks:
                self.database.forget_result(result.id)
        if not reasons:
            newest = self.database.results(self.pipeline.name, instance.id)
            reasons = ("never run",)
            if newest:
                reasons = differences(newest[0].parts, parts) or ("no result can be reused",)
        return Decision(action="run", reasons=reasons, parts=parts, warnings=tuple(warnings))

    def changes(self, instance: Instance, result: Result) -> tuple[str, ...]:
        """What a result observed that is no longer so."""
        return self.today.changes(result.observed, self.checkout(instance))

    def checkout(self, instance: Instance) -> Checkout:
        """Where the project of a stage stands.

        A runs folder never counts; of one that holds the project, only the store does not.
        """
        folder = str(Path(instance.stage.notebook).parent)
        if folder not in self._checkouts:
            runs = self.store.path.parent
            holds = any(Path(root).is_relative_to(runs) for root in (folder, self.pipeline.folder))
            never = (str(self.store.path if holds else runs),)
            self._checkouts[folder] = Checkout(folder, str(self.pipeline.folder), never)
        return self._checkouts[folder]

    def _damage(self, result: Result) -> list[str]:
        """Check a result's artifacts; damaged ones leave the store."""
        fresh = {n: d for n, d in result.outputs.items() if d not in self._whole}
        recorded = self.database.marks(fresh.values())
        damage = []
        for name, digest in fresh.items():
            if self.store.is_whole(digest, recorded.get(digest), deep=self.verify):
                self._whole.add(digest)
                self._refresh(digest, recorded)
                continue
            state = "damaged" if self.store.master(digest).exists() else "missing"
            if not self.only_looks:
                self.store.drop(digest)
            damage.append(f"artifact {name} was {state} in the store and is rebuilt")
        return damage

    def _refresh(self, digest: str, recorded: Mapping[str, object]) -> None:
        """Record new marks of a master that was whole under others."""
        marks = marks_of(self.store.master(digest))
        if not self.only_looks and marks is not None and marks != recorded.get(digest):
            from time import time

            self.database.remember_marks(digest, marks, time())

    def file_digest(self, path: Path) -> str | None:
        """The digest of a file from outside; None if there is none."""
        marks = file_marks(str(path))
        if marks is None:
            return None
        known = self.database.known_digest(str(path), marks)
        if known is not None and not self.verify:
            return known
        digest = digest_file(path)
        if file_marks(str(path)) == marks and not self.only_looks:
            self.database.remember_digest(str(path), marks, digest)
        return digest
