"""A kernel that is kept after its attempt has failed, and which of several have to go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, field, fields
from datetime import datetime
from typing import Any, Self

from mlkit.core.policies import Retry, is_retryable
from mlkit.core.record import ErrorRecord
from mlkit.frozen import dataclass

__all__ = ["MOST", "SHARE", "Keeping", "KeptKernel", "crowded_out"]

MOST = 2
"""How many kernels of one user are kept at a time."""

SHARE = 0.25
"""How much of the machine's memory they may hold together."""


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """That a failed attempt's kernel is to be kept.

    Parameters
    ----------
    for_s : float
        How long.
    facts : mapping of str to str
        Of which attempt it is: `run_id`, `runs_dir`, `pipeline`, `file`, `stage`.
    attempt : int
        The attempt's number.
    retries_left : int
        How often the stage may still be tried again.
    retry : Retry
        When it is.
    """

    for_s: float
    facts: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1
    retries_left: int = 0
    retry: Retry = field(default_factory=Retry)

    def is_last(self, error: ErrorRecord) -> bool:
        """Whether nothing is tried again after this error; an earlier kernel is not kept."""
        return self.retries_left <= 0 or not is_retryable(self.retry, error.bases)


@dataclass(frozen=True, kw_only=True)
class KeptKernel:
    """A kernel that stands where its notebook failed.

    Parameters
    ----------
    id : str
        By what it is named to `mlkit kernels stop`.
    run_id, runs_dir, pipeline, file, stage : str
        The run, where it lies, the pipeline with its pipeline.yaml, the stage or instance.
    attempt : int
        The attempt's number.
    error : str
        The class that the notebook raised.
    cell : int, optional
        The cell of the source that failed, from 0.
    began, until : float
        Since when and until when it is kept, in seconds since 1970 (UTC).
    memory_bytes : int
        What it held when it was kept.
    pid : int
        The kernel's process.
    keeper : int
        The process that holds it.
    connection : str
        The connection file.
    folder : str
        The attempt's working folder, kept with it.
    sockets : str
        The folder of its sockets.
    token : str
        What it and all that it has started carry.
    """

    id: str
    run_id: str
    runs_dir: str
    pipeline: str
    file: str
    stage: str
    attempt: int
    error: str
    cell: int | None
    began: float
    until: float
    memory_bytes: int
    pid: int
    keeper: int
    connection: str
    folder: str
    sockets: str
    token: str

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it from what `to_json` has made."""
        return cls(**{each.name: document[each.name] for each in fields(cls)})

    def to_json(self) -> dict[str, Any]:
        """All of it, as it is kept beside the connection file."""
        return asdict(self)

    def shown(self) -> dict[str, Any]:
        """What people and programs are told; how to connect stays with its owner."""
        hidden = {"connection", "keeper", "folder", "sockets", "token"}
        return {name: value for name, value in self.to_json().items() if name not in hidden}

    @property
    def clock(self) -> str:
        """Until when it is kept, as a clock on the wall says it."""
        until, began = datetime.fromtimestamp(self.until), datetime.fromtimestamp(self.began)
        return f"{until:%H:%M}" if until.date() == began.date() else f"{until:%Y-%m-%d %H:%M}"


def crowded_out(
    kept: Iterable[KeptKernel], new_bytes: int, most_bytes: float
) -> Sequence[KeptKernel] | None:
    """Say which kernels have to go so that one more can be kept: the oldest first.

    Parameters
    ----------
    kept : iterable of KeptKernel
        Those that are kept.
    new_bytes : int
        What the new one holds.
    most_bytes : float
        What all of them may hold together.

    Returns
    -------
    sequence of KeptKernel or None
        None if the new one alone holds too much.
    """
    if new_bytes > most_bytes:
        return None
    left = sorted(kept, key=lambda each: (each.began, each.id))
    gone = []
    while left and (
        len(left) >= MOST or sum(each.memory_bytes for each in left) + new_bytes > most_bytes
    ):
        gone.append(left.pop(0))
    return gone
