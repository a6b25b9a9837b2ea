"""What a stage does when it fails, has to wait, or has something to tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import PurePath
from typing import Literal

from mlkit.frozen import dataclass

__all__ = [
    "FORMER_NAMES",
    "NEVER_RETRIED",
    "KernelKind",
    "Notify",
    "Resources",
    "Retry",
    "Volume",
    "VolumeKind",
    "WaitFor",
    "is_retryable",
]

KernelKind = Literal["fork", "spawn"]
"""How kernels are started."""

VolumeKind = Literal["claim", "config_map", "secret"]
"""What an engine can mount."""

FORMER_NAMES = {"kernel": "start"}
"""What options of a run were called until 0.1: in records, and on command lines, where it is still
taken."""

NEVER_RETRIED = frozenset({"MissingOutput", "SystemExit"})


@dataclass(frozen=True, kw_only=True)
class Retry:
    """When and how often a failed stage is tried again.

    Parameters
    ----------
    max_retries : int
        Further attempts after the first: 3 means up to 4 attempts.
    delay_s : float
        Seconds before the first retry.
    backoff : float
        The factor between one delay and the next.
    max_delay_s : float, optional
        The longest delay.
    jitter : bool
        Whether each delay is drawn at random between half of its length and its whole length;
        without it the n-th delay (from 0) is exactly `delay_s * backoff ** n`.
    on : tuple of str, optional
        Bare names of exception classes, matched against the class raised and all its bases.
        None: every failure but those that cannot pass by themselves (`NEVER_RETRIED`).
    """

    max_retries: int = 0
    delay_s: float = 1.0
    backoff: float = 2.0
    max_delay_s: float | None = None
    jitter: bool = True
    on: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class WaitFor:
    """A sensor: the stage starts when a file matches.

    Parameters
    ----------
    path : PurePath
        An absolute pattern: `*`, `?` and `[…]` match as in the shell, and `[[]`, `[*]`, `[?]` stand
        for these characters in the names of the folders above it.
    every_s : float
        Seconds between two looks.
    timeout_s : float
        Seconds after which the stage has failed.
    """

    path: PurePath
    every_s: float = 60.0
    timeout_s: float = 3600.0

    @property
    def shown(self) -> str:
        """The pattern as people know it."""
        return re.sub(r"\[([*?\[])\]", r"\1", str(self.path))


@dataclass(frozen=True, kw_only=True)
class Notify:
    """Apprise addresses that are told of a stage's end."""

    on_failure: tuple[str, ...] = ()
    on_success: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What an engine that places work shall give the stage."""

    cpu: str | None = None
    memory: str | None = None
    gpu: int | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A folder that an engine that places work mounts for a stage.

    Parameters
    ----------
    kind : {"claim", "config_map", "secret"}
        What stands there: a persistent volume claim, or the entries of a config map or a secret.
    source : str
        Its name in the cluster.
    path : str
        Where the stage finds it; absolute.
    """

    kind: VolumeKind
    source: str
    path: str


def is_retryable(retry: Retry, classes: tuple[str, ...]) -> bool:
    """Say whether a failure of that class may be tried again.

    Parameters
    ----------
    retry : Retry
        The stage's policy.
    classes : tuple of str
        The names of the class raised and of all its bases, the class itself first; a name may
        carry its module.
    """
    bare = {name.rsplit(".", 1)[-1] for name in classes}
    if not classes or bare & NEVER_RETRIED:
        return False
    return retry.on is None or bool(bare & set(retry.on))
