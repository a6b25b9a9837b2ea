"""How many stages can run at once with the files that this process may have open."""

from __future__ import annotations

import os
import resource

from mlkit.errors import UsageError

__all__ = ["affordable", "fit_workers"]

OWN = 24
"""Files of the driver itself, beside what is open when it starts: database, logs, helpers."""
EACH = 16
"""Files of one running stage: sockets to its kernel, pipes, its log; 14 were measured."""


LEAST = 80
"""Below some 60 no kernel starts: ipykernel alone opens more than 50, and the notebook some."""


def affordable(workers: int, limit: int, used: int) -> int:
    """How many workers a limit allows; one is always tried. Pure.

    Parameters
    ----------
    workers : int
        How many are wanted.
    limit : int
        How many files may be open.
    used : int
        How many are open already.
    """
    return max(1, min(workers, (limit - used - OWN) // EACH))


def fit_workers(workers: int) -> tuple[int, str | None]:
    """Raise the limit on open files as far as it is needed and allowed; else take fewer workers.

    Returns
    -------
    int
        How many stages can run at once.
    str, optional
        What to tell people if these are fewer than were wanted.

    Raises
    ------
    UsageError
        If the limit is so low that no kernel could start.
    """
    used = _open_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(LEAST, used + OWN + EACH * workers)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if allowed > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
    if soft == resource.RLIM_INFINITY:
        return workers, None
    if soft < LEAST:
        raise UsageError(
            f"only {soft} files may be open at once here, and a kernel needs {LEAST}",
            remedy=f"Raise the limit before you start mlkit: ulimit -n {max(wanted, 1024)}",
        )
    chosen = affordable(workers, soft, used)
    if chosen == workers:
        return workers, None
    return chosen, (
        f"{chosen} instead of {workers} stages ran at once, since only {soft} files may be open "
        f"here; for {workers} call 'ulimit -n {wanted}' first, or have the limit raised"
    )


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the number is all that is wanted
    except OSError:  # not Linux, or the limit is reached already
        return OWN
