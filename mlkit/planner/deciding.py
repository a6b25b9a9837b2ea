"""Choose between running a stage and reusing a result, and say why."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Literal

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Instance, Pipeline, Stage
from mlkit.frozen import dataclass, replace
from mlkit.notebook.cells import NotebookSource
from mlkit.notebook.source import read_notebook
from mlkit.planner.checkout import Checkout
from mlkit.planner.fingerprint import Digests, Parts, parts_of
from mlkit.planner.interpreter import program_of
from mlkit.planner.reasons import differences, nearest
from mlkit.planner.today import Today
from mlkit.planner.trace import file_marks
from mlkit.planner.variables import Circumstances
from mlkit.store.artifact_store import ArtifactStore, Marks, digest_file
from mlkit.store.database import Database
from mlkit.store.result import Result
from mlkit.store.trees import digest_tree, survey

__all__ = ["Action", "Decision", "Planner", "never_reused"]

CLEANED = "its result was removed by mlkit clean"

ALL_CLEANED = "its earlier results were removed by mlkit clean"

Action = Literal["run", "reuse", "unknown"]


def never_reused(stage: Stage) -> tuple[str, ...]:
    """Why a stage's results are not reused by its own policy: what it says, or does not declare."""
    return ("never reused (cache: false)" if stage.outputs else "never reused (no outputs)",)


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
    damaged : frozenset of str
        The digests of artifacts that the store must not keep.
    lost : tuple of int
        The results that nobody can reuse for that.
    marks : mapping of str to Marks
        Of artifacts that are whole, but do not look as they are recorded: how they look now.
    seen : frozenset of int
        The results with these parts that there were to choose from.
    """

    action: Action
    reasons: tuple[str, ...]
    parts: Parts
    result: Result | None = None
    warnings: tuple[str, ...] = ()
    damaged: frozenset[str] = frozenset()
    lost: tuple[int, ...] = ()
    marks: Mapping[str, Marks] = field(default_factory=dict)
    seen: frozenset[int] = frozenset()

    @property
    def reason(self) -> str:
        """The reasons in one line."""
        return "; ".join(self.reasons)


class Planner:
    """Decides for the stages of one pipeline; what a decision asks for, others do.

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
        circumstances: Circumstances | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.configuration = configuration
        self.database = database
        self.store = store
        self.verify = verify
        self.circumstances = circumstances or Circumstances()
        self._todays: dict[tuple[tuple[str, str], ...], Today] = {}
        self._notebooks: dict[str, NotebookSource] = {}
        self._checkouts: dict[tuple[str, str], Checkout] = {}
        self._whole: set[str] = set()
        self._read: dict[str, tuple[Sequence[int], str]] = {}

    def notebook(self, instance: Instance) -> NotebookSource:
        """The notebook of a stage, read once."""
        path = str(instance.stage.notebook)
        if path not in self._notebooks:
            self._notebooks[path] = read_notebook(Path(path))
        return self._notebooks[path]

    def parts(self, instance: Instance, inputs: Digests) -> Parts:
        """The parts of an instance's fingerprint."""
        bound = self.configuration.of(instance)
        env = self.configuration.env.get(instance.stage.name)
        return parts_of(instance.stage, self.notebook(instance), bound, inputs, env)

    def environ(self, instance: Instance) -> dict[str, str]:
        """The environment in which kernels of a stage start, its own `env` included."""
        return {**self.circumstances.environ, **self.configuration.settings(instance)}

    def forget_today(self) -> None:
        """Look at everything anew: an attempt may have changed what others read."""
        for today in self._todays.values():
            today.forget()

    def _today(self, instance: Instance) -> Today:
        """What is so at present, for stages that share an environment."""
        settings = self.configuration.settings(instance)
        key = tuple(sorted(settings.items()))
        if key not in self._todays:
            there = replace(
                self.circumstances,
                environ=self.environ(instance),
                set_by_pipeline=frozenset(settings),
            )
            self._todays[key] = Today(there, verify=self.verify)
        return self._todays[key]

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
            return Decision(action="run", reasons=never_reused(instance.stage), parts=parts)
        return self.look_up(instance, parts)

    def look_up(self, instance: Instance, parts: Parts) -> Decision:
        """Look for a result with these parts, whatever the stage's policy."""
        found = self.database.results_with_key(self.pipeline.name, instance.id, parts.key)
        seen = frozenset(result.id for result in found)
        decision = Decision(action="run", reasons=(), parts=parts, seen=seen)
        changed: list[tuple[str, ...]] = []
        for result in found:
            changes = self.changes(instance, result)
            if changes:
                changed.append(changes)
                continue
            decision = self._reused_if_whole(decision, instance, result)
            if decision.action == "reuse":
                return decision
        if decision.reasons:
            return decision
        reasons = nearest(changed) if changed else self.without_results(instance, parts)
        return replace(decision, reasons=reasons)

    def without_results(self, instance: Instance, parts: Parts) -> tuple[str, ...]:
        """Why an instance runs that has no result with these parts: what the nearest one lacks."""
        if self.database.was_cleaned(self.pipeline.name, instance.id, parts.key):
            return (CLEANED,)
        results = self.database.results(self.pipeline.name, instance.id)
        if not results:
            gone = self.database.was_cleaned(self.pipeline.name, instance.id)
            return (ALL_CLEANED if gone else "never run",)
        told = [differences(result.parts, parts) for result in results]
        return nearest(told) or ("no result can be reused",)

    def changes(self, instance: Instance, result: Result) -> tuple[str, ...]:
        """What a result observed that is no longer so."""
        return self._today(instance).changes(result.observed, self.checkout(instance))

    def checkout(self, instance: Instance) -> Checkout:
        """Where the project of a stage stands.

        A runs folder never counts; of one that holds the project, only the store does not.
        """
        folder, program = os.path.dirname(instance.stage.notebook), program_of(instance.stage)  # noqa: PTH120 - as text: there are thousands
        key = (folder, program)
        if key not in self._checkouts:
            runs = self.store.path.parent
            holds = any(Path(root).is_relative_to(runs) for root in (folder, self.pipeline.folder))
            never = (str(self.store.path if holds else runs),)
            self._checkouts[key] = Checkout(folder, str(self.pipeline.folder), never, program)
        return self._checkouts[key]

    def _reused_if_whole(self, decision: Decision, instance: Instance, result: Result) -> Decision:
        """Take a result that is still true; if its artifacts are damaged, say which."""
        fresh = {n: d for n, d in result.outputs.items() if d not in self._whole}
        recorded = self.database.marks(fresh.values())
        marks, damage = dict(decision.marks), dict[str, str]()
        for name, digest in fresh.items():
            if self.store.is_whole(digest, recorded.get(digest), deep=self.verify):
                self._whole.add(digest)
                now = self.store.marks(digest)
                if now is not None and now != recorded.get(digest):
                    marks[digest] = now
                continue
            state = "damaged in" if self.store.master(digest).exists() else "missing in"
            if state == "missing in" and self.database.was_cleaned(
                self.pipeline.name, instance.id, result.key
            ):
                state = "cleaned out of"
            damage[digest] = f"artifact {name} was {state} the store and is rebuilt"
        if not damage:
            reasons = ("nothing changed",)
            return replace(decision, action="reuse", reasons=reasons, result=result, marks=marks)
        told = (f"stage '{instance.id}': {line}" for line in damage.values())
        return replace(
            decision,
            reasons=decision.reasons or tuple(damage.values()),
            warnings=(*decision.warnings, *told),
            damaged=decision.damaged | damage.keys(),
            lost=(*decision.lost, result.id),
            marks=marks,
        )

    def file_digest(self, path: Path, *, is_folder: bool = False) -> str | None:
        """The digest of a file or folder from outside; None if there is none.

        Raises
        ------
        OSError
            If it cannot be read, or is a folder that holds a link.
        """
        look = _folder_marks if is_folder else _file_marks
        place, marks = str(path), look(path)
        if marks is None:
            return None
        earlier, digest = self._read.get(place, ((), ""))
        known = digest if earlier == marks else self.database.known_digest(place, marks)
        if known is not None and not self.verify:
            return known
        digest = digest_tree(path) if is_folder else digest_file(path)
        if look(path) == marks:
            self._read[place] = marks, digest
        return digest

    def take_read(self) -> dict[str, tuple[Sequence[int], str]]:
        """The files from outside that were read since the last call: marks and digest by path."""
        read, self._read = self._read, {}
        return read


def _file_marks(path: Path) -> list[int] | None:
    return file_marks(str(path))


def _folder_marks(path: Path) -> list[int] | None:
    return survey(path).marks() if path.is_dir() else None
