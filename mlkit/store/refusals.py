"""What the operating system refuses, as a sentence: the real cause, and a remedy that works."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

from mlkit.errors import RunsFolderError, WrongPlaceError

__all__ = [
    "readable_os_errors",
    "refusal",
    "refuse_other_than_folder",
    "room_remedy",
    "sentence_of",
    "write_remedy",
]

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_RIGHT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})
_OTHER = {
    errno.ENAMETOOLONG: "Choose a folder with a shorter path with --runs-dir, or shorter names",
    errno.ELOOP: "Links lead in a circle there: take one away",
    errno.ENOTDIR: "A file stands where a folder is wanted: move it away",
    errno.EEXIST: "A file stands where a folder is wanted: move it away",
    errno.EISDIR: "A folder stands where a file is wanted: move it away",
    errno.ENOENT: "Something took it away meanwhile: start again",
    errno.EIO: "The disk, or the network that it is behind, does not answer as it should",
    errno.ESTALE: "The network file system has lost it: mount it anew",
}


@contextlib.contextmanager
def readable_os_errors(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses into a `RunsFolderError` that says what to do.

    A broken connection is not the folder's fault, and goes on as it is.
    """
    try:
        yield
    except ConnectionError:
        raise
    except OSError as error:
        raise refusal(error, folder) from error


def refuse_other_than_folder(path: Path) -> None:
    """Refuse what stands in the place of a runs folder and is none; where nothing is, it is made.

    Looking would see a folder without runs, and a run would be told of a file that is none: a link
    leads nowhere as long as the disk behind it is not there.

    Raises
    ------
    RunsFolderError
        If it is a file, or a link that leads to nothing.
    """
    # Of what may not be seen both say no, and the work that follows says why.
    if os.path.isdir(path) or not os.path.lexists(path):  # noqa: PTH112 - see above
        return
    kind: type[RunsFolderError] = WrongPlaceError
    fact, remedy = "a file stands in its place", "Move it away"
    if not path.exists():
        kind, fact = RunsFolderError, f"it is a link to '{path.readlink()}', where nothing is"
        remedy = "Make or mount what it leads to, or take the link away"
    raise kind(
        f"the runs folder cannot be used: {fact}",
        path,
        remedy=f"{remedy}, or choose another folder with --runs-dir",
    )


def refusal(error: OSError, folder: Path) -> RunsFolderError:
    """The readable form of an error.

    Parameters
    ----------
    error : OSError
        What the system said.
    folder : Path
        The place that was worked on, where the error itself names none.
    """
    if error.errno in _TOO_MANY:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        whole = "of the whole machine" if error.errno == errno.ENFILE else f"here ({limit})"
        return RunsFolderError(
            f"too many files are open at once: the limit {whole} is reached",
            remedy="Raise it before you start mlkit, 'ulimit -n 1024', or give --workers 1",
        )
    place = _place_of(error) or str(folder)
    return RunsFolderError(
        f"the runs folder cannot be used: {error.strerror or error}",
        place,
        remedy=_remedy(error.errno or 0, Path(place)),
    )


def sentence_of(error: OSError) -> tuple[str, str | None, str]:
    """The fact, the place and the remedy of an error that nobody else has put into words."""
    name = _place_of(error)
    if error.errno in _TOO_MANY:
        made = refusal(error, Path.cwd())
        return made.message, name, str(made.remedy)
    if error.errno in _NO_ROOM:
        return f"a file cannot be written: {error.strerror}", name, "Free some space on that disk"
    remedy = "For the traceback call 'mlkit --verbose COMMAND …'"
    if error.errno in _OTHER or error.errno in _NO_RIGHT:
        remedy = f"Look at that path and its rights; f{remedy[1:]}"
    return error.strerror or str(error), name, remedy


def _place_of(error: OSError) -> str | None:
    """The path that was refused; of a link or a rename the second one, which is to be written."""
    named = error.filename if error.filename2 is None else error.filename2
    return os.fsdecode(named) if isinstance(named, str | bytes) else None


def _remedy(number: int, place: Path) -> str:
    if number in _NO_ROOM:
        return room_remedy()
    if number in _NO_RIGHT:
        return write_remedy(place)
    return _OTHER.get(number, "Look at the folder and its rights")


def room_remedy() -> str:
    """What to do where no room is left; cleaning frees room before it needs any."""
    return (
        "Free some space: 'mlkit clean --keep 1 --yes' does so on a full disk too; what was "
        "finished is kept"
    )


def write_remedy(place: Path) -> str:
    """What to do where something may not be written: its owner and mode say who may help."""
    choose = "Choose a folder that can be written with --runs-dir"
    try:
        there = next(path for path in (place, *place.parents) if path.exists())
        found = there.stat()
    except (OSError, StopIteration):
        return choose
    if found.st_uid == os.geteuid():
        return choose
    owner = _name_of(found.st_uid)
    if stat.S_IMODE(found.st_mode) & stat.S_IWGRP or found.st_gid not in {
        os.getegid(),
        *os.getgroups(),
    }:
        return f"{choose}; {there} is {owner}'s"
    return f"{choose}, or let {owner} share it with the group: chmod -R g+rwX '{there}'"


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
