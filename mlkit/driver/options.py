"""What is asked of a run beside its parameters: name, type, words and JSON of each option, once.

The command line, resumed runs, the engines' tasks and the record read them here. A further option
is a field of `RunOptions`, and a line where the driver heeds it; every command then offers it that
`NOT_OFFERED` does not name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import field
from inspect import formatannotation
from typing import Annotated, Any, Self, get_args, get_type_hints

from mlkit.core.durations import parse_duration
from mlkit.core.intervals import Interval
from mlkit.core.policies import FORMER_NAMES, KernelKind
from mlkit.errors import UsageError
from mlkit.frozen import dataclass

__all__ = [
    "ALL",
    "NOT_OFFERED",
    "OPTIONS",
    "TYPES",
    "RunOptions",
    "Spelling",
    "available_cores",
    "flag",
    "offered",
]

ALL = "*"
"""What stands on a command line for all stages."""


def available_cores() -> int:
    """The cores that this process may use."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """How an option is spelled outside of Python.

    Parameters
    ----------
    words : str
        What it does, in a sentence.
    metavar : str, optional
        What stands for its value in the help.
    default : str, optional
        What the help says of the default.
    least : int, optional
        The smallest number that it takes.
    is_recorded : bool
        Whether the run's record tells it.
    is_resumed : bool
        Whether it also holds when the run is resumed.
    """

    words: str
    metavar: str | None = None
    default: str | None = None
    least: int | None = None
    is_recorded: bool = True
    is_resumed: bool = True


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a run."""

    profile: Annotated[
        str | None,
        Spelling(
            words="One of the profiles in pipeline.yaml.",
            metavar="NAME",
            default="MLKIT_PROFILE",
        ),
    ] = None
    until: Annotated[
        str | None,
        Spelling(
            words="This stage, or part of a mapped one, and what is upstream of it, nothing else.",
            metavar="STAGE",
        ),
    ] = None
    before: Annotated[
        str | None,
        Spelling(
            words="What is upstream of this stage, or of part of a mapped one, without itself.",
            metavar="STAGE",
        ),
    ] = None
    only: Annotated[
        str | None,
        Spelling(
            words="This stage, instance STAGE[VALUE], or part STAGE[VALUE,*] alone, on the latest "
            "artifacts of its upstream.",
            metavar="STAGE",
        ),
    ] = None
    force: Annotated[
        bool | frozenset[str],
        Spelling(
            words="All stages, or this one, even if unchanged.",
            metavar="[STAGE]",
            is_resumed=False,
        ),
    ] = False
    workers: Annotated[
        int,
        Spelling(
            words="How many stages run at once.",
            metavar="N",
            default="the cores, or the threads of the cluster",
            least=1,
        ),
    ] = field(default_factory=available_cores)
    fail_fast: Annotated[bool, Spelling(words="Stop everything at the first failure.")] = False
    verify: Annotated[
        bool, Spelling(words="Check reused artifacts by digest, not at a glance.")
    ] = False
    start: Annotated[
        KernelKind,
        Spelling(
            words="How kernels start: fork (in a moment, libraries loaded) or spawn (as in "
            "Jupyter).",
            default="fork",
        ),
    ] = "fork"
    no_warm: Annotated[
        bool,
        Spelling(
            words="Leave nothing behind for the next run, and use nothing that was left.",
            is_recorded=False,
            is_resumed=False,
        ),
    ] = False
    store: Annotated[
        str | None,
        Spelling(
            words="Share artifacts and results through this URL.",
            metavar="URL",
            default="MLKIT_STORE, or store/ below a runs folder that is a URL",
        ),
    ] = None
    executor: Annotated[
        str,
        Spelling(
            words="Where notebooks run: threads (here) or dask://HOST:PORT (the workers of a "
            "Dask cluster).",
            metavar="WHERE",
            default="threads",
        ),
    ] = "threads"
    keep_failed: Annotated[
        str | None,
        Spelling(
            words="Keep the kernel of a failed stage for this long (30m, 2h): 'mlkit debug RUN "
            "STAGE --live' opens it where it stopped.",
            metavar="DURATION",
            is_recorded=False,
            is_resumed=False,
        ),
    ] = None
    track: Annotated[
        str | None,
        Spelling(
            words="Tell MLflow of the run: mlflow:URL, or mlflow for the server that "
            "MLFLOW_TRACKING_URI names, else for the runs folder.",
            metavar="WHERE",
        ),
    ] = None
    name: Annotated[
        str | None,
        Spelling(
            words="A name for the run, usable wherever RUN is; 'mlkit clean' keeps the run.",
            metavar="NAME",
            is_resumed=False,
        ),
    ] = None
    note: Annotated[
        str | None,
        Spelling(
            words="A sentence about the run, for its record.", metavar="TEXT", is_resumed=False
        ),
    ] = None
    group: Annotated[
        str | None, Spelling(words="The sweep that the run belongs to.", is_resumed=False)
    ] = None
    run_id: Annotated[
        str | None,
        Spelling(
            words="With --only: join (or open) this run. Exit code 99: the stage was skipped. "
            "This is what an orchestrator's task calls.",
            metavar="ID",
            is_recorded=False,
            is_resumed=False,
        ),
    ] = None
    interval: Annotated[
        Interval | None,
        Spelling(words="The interval of the schedule that the run is for.", is_resumed=False),
    ] = None

    def __post_init__(self) -> None:
        """Refuse what no run could heed, before anything begins; one stage is a set of one."""
        self._check_texts()
        force: Any = self.force  # a caller in Python may give a text or a list as well
        if not isinstance(force, bool | frozenset):
            named = [force] if isinstance(force, str) or not isinstance(force, Iterable) else force
            object.__setattr__(self, "force", frozenset(map(str, named)))
        if self.start not in get_args(KernelKind):
            raise UsageError(
                f"a kernel cannot be started by {self.start!r}",
                remedy=f"Give one of {', '.join(get_args(KernelKind))}",
                code="E102",
            )
        if self.track is not None:
            # A run that is told to nobody starts the sooner, as does a command's help.
            from mlkit.observe.tracker import check_track

            check_track(self.track)
        if self.keep_failed is not None:
            self._check_keeping()

    def _check_texts(self) -> None:
        """Refuse another value where a text belongs: it would go into the run's record."""
        for name, kind in _TEXTS.items():
            value: Any = getattr(self, name)
            if not isinstance(value, kind):
                raise UsageError(
                    f"the option '{name}' cannot be {value!r}",
                    remedy="Give an interval" if name == "interval" else "Give a text",
                    code="E102",
                )

    def _check_keeping(self) -> None:
        where = ""
        if self.executor != "threads":
            where = "those of a cluster's workers end with their attempts (--executor)"
        elif self.run_id is not None:
            where = "a task that is called by --run-id does not wait at it"
        if where:
            raise UsageError(
                f"--keep-failed keeps kernels of runs on this machine: {where}",
                remedy="Leave --keep-failed out, or run here",
                code="E102",
            )
        try:
            seconds = parse_duration(self.keep_failed)
        except ValueError as error:
            raise UsageError(f"--keep-failed: {error}", remedy="Write 30m or 2h") from None
        if not seconds:
            raise UsageError("--keep-failed 0 keeps nothing", remedy="Write 30m or 2h")

    @property
    def is_warm(self) -> bool:
        """Whether kernels may come from what an earlier run has left, and leave something.

        What an orchestrator's task starts ends with it.
        """
        return not self.no_warm and self.run_id is None

    @property
    def keep_failed_s(self) -> float | None:
        """For how many seconds a failed attempt's kernel is kept; None if it is not."""
        return None if self.keep_failed is None else parse_duration(self.keep_failed)

    def to_json(self) -> dict[str, Any]:
        """The options as they stand in the record."""
        told = {name: getattr(self, name) for name, item in OPTIONS.items() if item.is_recorded}
        for name in (
            "interval",
            "track",
            "name",
            "note",
            "group",
        ):  # seldom given; runs are sought by one
            if told[name] is None:
                del told[name]
        return {name: _json(value) for name, value in told.items()}

    @classmethod
    def of_record(cls, document: Mapping[str, Any]) -> Self:
        """The options with which a run is resumed, from those of its record.

        Parameters
        ----------
        document : mapping of str to object
            What `to_json` made; that of an earlier mlkit may lack some.
        """
        told = {new: document[old] for old, new in FORMER_NAMES.items() if old in document}
        told |= document
        kept = {
            name: told[name] for name, item in OPTIONS.items() if item.is_resumed and name in told
        }
        return cls(**kept)

    def to_words(self, command: str) -> tuple[str, ...]:
        """Those that differ from the default, as words for a command that offers them.

        Parameters
        ----------
        command : str
            The command's name.
        """
        words: list[str] = []
        for name in offered(command):
            value, word = getattr(self, name), flag(name)
            if value == getattr(_DEFAULTS, name):
                continue
            if isinstance(value, frozenset):
                words += [part for stage in sorted(value) for part in (word, stage)]
            else:
                words += [word] if value is True else [word, str(value)]
        return tuple(words)


def _json(value: Any) -> Any:
    if isinstance(value, Interval):
        return value.to_json()
    return sorted(value) if isinstance(value, frozenset) else value


_HINTS = get_type_hints(RunOptions, include_extras=True)

OPTIONS: Mapping[str, Spelling] = {name: hint.__metadata__[0] for name, hint in _HINTS.items()}
"""How each option is spelled, by name."""

TYPES: Mapping[str, Any] = {name: hint.__origin__ for name, hint in _HINTS.items()}
"""The type of each option, by name."""

RunOptions.__doc__ = "The options of a run.\n\nParameters\n----------\n" + "".join(
    f"{name} : {formatannotation(TYPES[name])}\n    {item.words}\n"
    for name, item in OPTIONS.items()
)

_TEXTS: Mapping[str, Any] = {
    name: kind
    for name, kind in TYPES.items()
    if {str, Interval} & {kind, *get_args(kind)} and name != "keep_failed"
}
"""What holds a text or an interval; a duration may be a number, and is read as one."""

_DEFAULTS = RunOptions()

_SCHEDULED = "only a schedule gives a run its interval: mlkit backfill, mlkit serve"
_OWN = "a run that is resumed keeps its own"
_WHOLE = "an interval has its run when the whole pipeline has run"
_SWEPT = "only 'mlkit sweep' makes a group of runs, and --name names it"
_LABELLED = "a run that is resumed keeps its own; 'mlkit label' gives it a further name"
_ENGINE = "the engine runs the whole pipeline"
_NOTHING_RUNS = "nothing is run"
_ON_ENGINE = {
    "until": _ENGINE,
    "before": _ENGINE,
    "only": _ENGINE,
    "run_id": _ENGINE,
    "fail_fast": _ENGINE,
    "executor": "the engine places the work",
    "store": "the engine's tasks read their own environment: set MLKIT_STORE there",
    "interval": "the engine keeps the schedule",
    "group": _SWEPT,
    "track": "a run on an engine is of many processes, and --track tells of one",
    "keep_failed": "an engine's task ends with its process, and its kernel with it",
    "no_warm": "an engine's tasks leave nothing behind",
}
_COMPILED = {
    **_ON_ENGINE,
    "name": "the engine names its runs; 'mlkit label' names one afterwards",
    "note": "every run of the files would have the same",
}

NOT_OFFERED: Mapping[str, Mapping[str, str]] = {
    "run": {"interval": _SCHEDULED, "group": _SWEPT},
    "run --on": _ON_ENGINE,
    "run --watch": {
        "executor": "the kernels that stay ready are those of this machine",
        "run_id": "each round is a run of its own",
        "name": "each round is a run of its own; 'mlkit label' names one",
        "group": _SWEPT,
        "interval": _SCHEDULED,
    },
    "plan": {
        "track": _NOTHING_RUNS,
        "workers": _NOTHING_RUNS,
        "fail_fast": _NOTHING_RUNS,
        "keep_failed": _NOTHING_RUNS,
        "no_warm": _NOTHING_RUNS,
        "start": _NOTHING_RUNS,
        "executor": _NOTHING_RUNS,
        "run_id": _NOTHING_RUNS,
        "name": _NOTHING_RUNS,
        "note": _NOTHING_RUNS,
        "group": _SWEPT,
        "interval": _SCHEDULED,
    },
    "resume": {
        "until": _OWN,
        "before": _OWN,
        "only": _OWN,
        "interval": _OWN,
        "name": _LABELLED,
        "note": _OWN,
        "group": _OWN,
        "run_id": "RUN is the id",
    },
    "sweep": {
        "run_id": "each combination is a run of its own",
        "group": "--name names the sweep",
        "interval": _SCHEDULED,
    },
    "backfill": {
        "until": _WHOLE,
        "before": _WHOLE,
        "only": _WHOLE,
        "run_id": "each interval has a run of its own",
        "interval": "--from and --to choose the intervals",
        "name": "each interval has a run of its own; 'mlkit label' names one",
        "group": _SWEPT,
    },
    "serve": {
        "until": _WHOLE,
        "before": _WHOLE,
        "only": _WHOLE,
        "run_id": "each interval has a run of its own",
        "interval": "the clock chooses the interval",
        "name": "each interval has a run of its own; 'mlkit label' names one",
        "group": _SWEPT,
    },
    "export": _COMPILED,
    "task": {**_COMPILED, "workers": "a task runs one stage"},
}
"""What a command does not offer, and why; `task` is an engine's call for one stage."""


def flag(name: str) -> str:
    """An option's name on a command line."""
    return f"--{name.replace('_', '-')}"


def offered(command: str) -> tuple[str, ...]:
    """The options that a command offers."""
    return tuple(name for name in OPTIONS if name not in NOT_OFFERED[command])
