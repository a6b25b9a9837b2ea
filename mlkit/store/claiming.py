"""Claim a name in a runs folder, such as an interval's: on this machine, and behind its URL."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from mlkit.store.folder import RunsFolder
from mlkit.store.remote.places import remotes_of

__all__ = ["claimed"]


@contextlib.contextmanager
def claimed(folder: RunsFolder, name: str, lost: Callable[[], None]) -> Iterator[str]:
    """Claim a name for this process; yields who has it if it is not free, otherwise nothing.

    Parameters
    ----------
    folder : RunsFolder
        The runs folder of this machine; where it is the working copy of one behind a URL, the name
        is claimed there as well.
    name : str
        What is claimed.
    lost : callable
        See `mlkit.store.remote.claims.held_remotely`.

    Raises
    ------
    UsageError
        If the URL cannot be used.
    """
    with folder.claim(name) as mine:
        url = remotes_of(folder.path).runs
        if not mine:
            yield "another process"
        elif url is None:
            yield ""
        else:
            # What is behind URLs costs 0.1 s.
            from mlkit.store.remote.claims import held_remotely
            from mlkit.store.remote.files import Remote

            remote = Remote(url)
            remote.check(writes=True)
            with held_remotely(remote, name, lost) as holder:
                yield holder
