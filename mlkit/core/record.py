"""What a run leaves behind: its record, down to each attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from mlkit.core.outputs import is_tree
from mlkit.core.states import RunStatus, Status
from mlkit.core.values import decode, encode, plain
from mlkit.frozen import dataclass

__all__ = [
    "FORMAT",
    "ArtifactRecord",
    "AttemptRecord",
    "ErrorRecord",
    "Places",
    "RunRecord",
    "StageRecord",
    "with_overrides",
]

FORMAT = 2
"""The form of run.json; in the first one, a run's parameters were encoded twice."""


class Places:
    """Where entries stand in a run's record: stages as in the file, values as in the list.

    Parameters
    ----------
    stages : iterable of str
        The stages of the pipeline, in order; of any other one the place is the first.
    """

    INSTANCES_PER_STAGE = 1_000_000
    """Above `MOST_INSTANCES` of a product, and above any list that could be run."""

    def __init__(self, stages: Iterable[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(stages)}

    def stage(self, name: str) -> int:
        """Which one a stage is, from 0."""
        return self._numbers.get(name, 0)

    def entry(self, stage: str, rank: int = 0) -> int:
        """The place of an instance that is the rank-th of its stage."""
        return self.stage(stage) * self.INSTANCES_PER_STAGE + rank


@dataclass(frozen=True, kw_only=True)
class ErrorRecord:
    """Why an attempt failed.

    Parameters
    ----------
    type : str
        The class that the notebook raised, or `StageTimeout`, `DeadKernel`, `MissingOutput`, ….
    message : str
        Its text.
    bases : tuple of str
        The class and all its bases, with their modules, the class itself first.
    cell : int, optional
        The index of the cell in the stage's own notebook, from 0.
    traceback : str
        As the notebook showed it, without terminal colours.
    place : str
        Of a notebook that is text: the cell and the line, `cell 3, line 41 of train.py`.
    """

    type: str
    message: str
    bases: tuple[str, ...] = ()
    cell: int | None = None
    traceback: str = ""
    place: str = ""

    def to_json(self) -> dict[str, Any]:
        """The error as JSON."""
        return {
            "type": self.type,
            "message": self.message,
            "bases": list(self.bases),
            "cell": self.cell,
            "traceback": self.traceback,
            **({"place": self.place} if self.place else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ErrorRecord:
        """Undo `to_json`."""
        return cls(**{**data, "bases": tuple(data["bases"])})


@dataclass(frozen=True, kw_only=True)
class ArtifactRecord:
    """A file or folder that a stage wrote: where it stands in the run's folder, its identity."""

    path: str
    digest: str
    size_bytes: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return is_tree(self.digest)

    def to_json(self) -> dict[str, Any]:
        """The artifact as JSON."""
        return {"path": self.path, "digest": self.digest, "size_bytes": self.size_bytes}


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """One execution of a stage's notebook.

    Parameters
    ----------
    number : int
        From 1.
    status : Status
        succeeded, failed, skipped, cancelled or lost.
    started, ended : float
        Seconds since 1970 (UTC).
    error : ErrorRecord, optional
        Why it failed.
    delay_s : float
        How long the driver waited before it, as a retry.
    cpu_s : float, optional
        CPU seconds of the kernel and its children.
    peak_memory_bytes : int, optional
        The kernel's largest resident set.
    """

    number: int
    status: Status
    started: float
    ended: float
    error: ErrorRecord | None = None
    delay_s: float = 0.0
    cpu_s: float | None = None
    peak_memory_bytes: int | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0.0, self.ended - self.started)

    def to_json(self) -> dict[str, Any]:
        """The attempt as JSON."""
        return {
            "number": self.number,
            "status": self.status.value,
            "started": self.started,
            "ended": self.ended,
            "error": None if self.error is None else self.error.to_json(),
            "delay_s": self.delay_s,
            "cpu_s": self.cpu_s,
            "peak_memory_bytes": self.peak_memory_bytes,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AttemptRecord:
        """Undo `to_json`."""
        error = data["error"]
        return cls(
            **{
                **data,
                "status": Status(data["status"]),
                "error": None if error is None else ErrorRecord.from_json(error),
            }
        )


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """How one stage, or one instance of a mapped stage, ended.

    Parameters
    ----------
    id : str
        `STAGE` or `STAGE[VALUE]`.
    stage : str
        The stage's name.
    status : Status
        Its state.
    reason : str
        Why it ran, was reused, was skipped, or ended as it did.
    history : tuple of AttemptRecord
        Its attempts in this run, in order.
    artifacts : mapping of str to ArtifactRecord
        By output name.
    absent : tuple of str
        Outputs that may be missing, and were not written.
    parameters : mapping
        What the notebook received; secrets are not shown.
    inputs : mapping
        Input name to path, list of paths, or None.
    result : int, optional
        The stored result (a row of `fingerprints`) that it made or reused.
    source_run : str, optional
        The run that computed a reused result.
    engine_task : str, optional
        The task that an engine ran it as.
    metrics : mapping of str to float, optional
        What it measured, by name; None in a record of an older mlkit, which did not write it down.
    curves : mapping of str to sequence of (float, float)
        What it logged step by step: name to pairs of step and value, in the order of steps.
    begun : float, optional
        When the attempt that is under way began; a reader that finds it in the record of a stage
        whose process is gone knows that this attempt is lost.
    engine_round : int
        The engine's round in which it has ended well: more than 1 where a person had the engine do
        it anew.
    """

    id: str
    stage: str
    status: Status
    reason: str = ""
    started: float | None = None
    ended: float | None = None
    history: tuple[AttemptRecord, ...] = ()
    artifacts: Mapping[str, ArtifactRecord] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    error: ErrorRecord | None = None
    critical: bool = True
    result: int | None = None
    source_run: str | None = None
    engine_task: str | None = None
    metrics: Mapping[str, float] | None = None
    curves: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    begun: float | None = None
    engine_round: int = 1

    @property
    def attempts(self) -> int:
        """How many attempts there were in this run."""
        return len(self.history)

    @property
    def seconds(self) -> float:
        """How long it took, waits between attempts included."""
        if self.started is None or self.ended is None:
            return 0.0
        return max(0.0, self.ended - self.started)

    @property
    def outputs(self) -> dict[str, Any]:
        """Output name to absolute path; None for one that may be missing and was not written."""
        paths = {name: artifact.path for name, artifact in self.artifacts.items()}
        return {**paths, **dict.fromkeys(self.absent)}

    def summary(self) -> dict[str, Any]:
        """The part of the record that `mlkit run --json` prints."""
        short = None
        if self.error is not None:
            short = {"type": self.error.type, "message": self.error.message}
        return {
            "status": self.status.value,
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "outputs": self.outputs,
            "error": short,
            "reason": self.reason,
        }

    def to_json(self, *, exact: bool = True) -> dict[str, Any]:
        """The whole record as JSON; see `RunRecord.to_full_json`."""
        form = encode if exact else plain
        return {
            **self.summary(),
            "stage": self.stage,
            "started": self.started,
            "ended": self.ended,
            "error": None if self.error is None else self.error.to_json(),
            "critical": self.critical,
            "history": [attempt.to_json() for attempt in self.history],
            "artifacts": {name: item.to_json() for name, item in self.artifacts.items()},
            "absent": list(self.absent),
            "parameters": form(self.parameters),
            "inputs": form(self.inputs),
            "source_run": self.source_run,
            "engine_task": self.engine_task,
            **({} if self.metrics is None else {"metrics": dict(self.metrics)}),
            **(
                {"curves": {n: [list(p) for p in c] for n, c in self.curves.items()}}
                if self.curves
                else {}
            ),
            **({} if self.begun is None else {"begun": self.begun}),
            **({} if self.engine_round == 1 else {"engine_round": self.engine_round}),
        }

    @classmethod
    def from_json(
        cls, instance_id: str, data: Mapping[str, Any], *, result: int | None = None
    ) -> StageRecord:
        """Undo `to_json`.

        Parameters
        ----------
        instance_id : str
            Under which it stands in its run.
        data : mapping
            What `to_json` gave.
        result : int, optional
            The number of its result, which only a database knows.
        """
        error = data["error"]
        return cls(
            id=instance_id,
            stage=data["stage"],
            status=Status(data["status"]),
            reason=data["reason"],
            started=data["started"],
            ended=data["ended"],
            history=tuple(AttemptRecord.from_json(item) for item in data["history"]),
            artifacts={key: ArtifactRecord(**item) for key, item in data["artifacts"].items()},
            absent=tuple(data.get("absent", ())),
            parameters=decode(data["parameters"]),
            inputs=decode(data["inputs"]),
            error=None if error is None else ErrorRecord.from_json(error),
            critical=data["critical"],
            result=result,
            source_run=data["source_run"],
            engine_task=data.get("engine_task"),
            metrics=data.get("metrics"),
            curves={n: tuple((s, v) for s, v in c) for n, c in data.get("curves", {}).items()},
            begun=data.get("begun"),
            engine_round=data.get("engine_round", 1),
        )


def with_overrides(
    parameters: Mapping[str, Any], overrides: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Add to a pipeline's parameters what a run gave to one stage alone.

    Parameters
    ----------
    parameters : mapping
        The pipeline's own.
    overrides : mapping, optional
        What the run was given, encoded; names with a dot are of one stage.
    """
    own = {name: decode(value) for name, value in (overrides or {}).items() if "." in name}
    return {**parameters, **own}


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One execution of a pipeline.

    Parameters
    ----------
    run_id : str
        An id that sorts by time.
    pipeline : str
        The pipeline's name.
    file : str
        The absolute path of its pipeline.yaml.
    runs_dir : str
        The absolute path of the runs folder.
    status : RunStatus
        Its state; `killed` if its process is gone and could not write down how it ended.
    started, ended : float
        Seconds since 1970 (UTC); no end as long as it runs.
    parameters : mapping
        The pipeline's parameters; secrets are not shown.
    options : mapping
        What was asked of it: `RunOptions` that differ from the usual, its name, note and sweep.
    stages : mapping of str to StageRecord
        By instance id, in the order in which the pipeline lists them.
    edges : mapping of str to tuple of str
        Each stage with the stages upstream of it.
    warnings : tuple of str
        What people were warned of.
    complete : bool
        Whether every stage of the pipeline was to be done.
    engine : mapping, optional
        The engine that ran it, as `name`, and its own id of the run, as `run_id`.
    labels : tuple of str
        The names that people have given it; they stand in the runs folder, not in run.json.
    idle_s : float
        How long it lay still, all in all, before it was resumed.
    """

    run_id: str
    pipeline: str
    file: str
    runs_dir: str
    status: RunStatus
    started: float
    ended: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    stages: Mapping[str, StageRecord] = field(default_factory=dict)
    edges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    complete: bool = True
    engine: Mapping[str, str] | None = None
    labels: tuple[str, ...] = ()
    idle_s: float = 0.0

    @property
    def note(self) -> str:
        """What was noted of it when it began."""
        return str(self.options.get("note") or "")

    @property
    def group(self) -> str:
        """The sweep that it belongs to; empty if it stands alone."""
        return str(self.options.get("group") or "")

    @property
    def chosen(self) -> Mapping[str, Any]:
        """The pipeline's parameters, and what the run gave to one stage alone: `STAGE.NAME`."""
        return with_overrides(self.parameters, self.options.get("overrides"))

    @property
    def seconds(self) -> float:
        """How long it took; what it lay still before it was resumed is no part of that."""
        return 0.0 if self.ended is None else max(0.0, self.ended - self.started - self.idle_s)

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.status is RunStatus.SUCCEEDED

    def to_json(self) -> dict[str, Any]:
        """The document that `mlkit run --json` prints."""
        return {**self._head(), "stages": {n: each.summary() for n, each in self.stages.items()}}

    def _head(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "pipeline": self.pipeline,
            "status": self.status.value,
            "seconds": round(self.seconds, 3),
            "parameters": plain(self.parameters),
        }

    def to_full_json(self, *, exact: bool = True) -> dict[str, Any]:
        """The document in run.json: everything.

        Parameters
        ----------
        exact : bool
            Write values so that `from_json` makes the same ones again; otherwise in the plain
            form that commands print.
        """
        form = encode if exact else plain
        return {
            **({"format": FORMAT} if exact else {"labels": list(self.labels)}),
            **self._head(),
            "stages": {n: stage.to_json(exact=exact) for n, stage in self.stages.items()},
            "parameters": form(self.parameters),
            "file": self.file,
            "runs_dir": self.runs_dir,
            "started": self.started,
            "ended": self.ended,
            "complete": self.complete,
            "engine": None if self.engine is None else dict(self.engine),
            "options": form(self.options),
            "edges": {name: list(upstream) for name, upstream in self.edges.items()},
            "warnings": list(self.warnings),
            **({"idle_s": self.idle_s} if self.idle_s else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunRecord:
        """Undo `to_full_json`; the numbers of results are not in it.

        Parameters
        ----------
        data : mapping
            What `to_full_json` gave.
        """
        parameters = decode(data["parameters"])
        return cls(
            run_id=data["run_id"],
            pipeline=data["pipeline"],
            file=data["file"],
            runs_dir=data["runs_dir"],
            status=RunStatus(data["status"]),
            started=data["started"],
            ended=data["ended"],
            parameters=parameters if data.get("format", 1) >= FORMAT else decode(parameters),
            options=decode(data["options"]),
            edges={name: tuple(upstream) for name, upstream in data["edges"].items()},
            warnings=tuple(data["warnings"]),
            complete=data["complete"],
            engine=data.get("engine"),
            idle_s=data.get("idle_s", 0.0),
            stages={
                name: StageRecord.from_json(name, item) for name, item in data["stages"].items()
            },
        )
