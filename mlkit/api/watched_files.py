"""Look at files again and again, and say which were saved: once for each save, when it is whole.

Looking (`stat`) is honest where notifications are not: on shares, in containers, behind links, for
a name that is not there yet, and however an editor saves: in place, or aside and renamed. A few
hundred places cost a fraction of a millisecond.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from mlkit.errors import NotebookError
from mlkit.frozen import dataclass
from mlkit.notebook.source import read_notebook
from mlkit.planner.fingerprint import digest_of_code

__all__ = ["Contents", "Tree", "WatchedFiles", "is_passing", "marks_of"]

Marks = tuple[int, ...]

CALM_S = 0.02
"""A file that has looked the same for so long has been written."""

DOUBT_S = 0.3
"""What is gone, empty or half a notebook is probably being saved: so long it may come back."""

TOGETHER_S = 0.25
"""For so long what is saved together waits for one another."""

LEAST_PAUSE_S = 0.02
_SHARE = 0.05
"""The most of one core's time that looking takes."""

_MOST_BYTES = 4 << 20
"""Files above this size are told apart by their looks alone; the planner digests them."""

_PASSING = re.compile(r"~$|\.(sw[a-z]x?|tmp|bak|orig|part|crdownload)$|^#.*#$|^4913$|___jb_")


def is_passing(name: str) -> bool:
    """Whether a name is that of an editor's own file: a swap file, a copy, a lock."""
    return name.startswith(".") or _PASSING.search(name) is not None


def marks_of(place: str) -> Marks | None:
    """How a place looks, in the form of a trace's marks; None if there is nothing.

    Of a folder it is the moment at which a name came or went.
    """
    try:
        found = os.stat(place)
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return (found.st_mtime_ns, found.st_ino)
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A folder with all that may count in it.

    Parameters
    ----------
    root : str
        The folder.
    counts : callable
        Whether a place in it may count.
    """

    root: str
    counts: Callable[[str], bool]

    def places(self) -> Iterator[str]:
        """Every file; neither environments of Python nor what editors leave for a moment."""
        for folder, names, files in os.walk(self.root):
            names[:] = [
                name
                for name in names
                if not is_passing(name)
                and name != "node_modules"
                and self.counts(os.path.join(folder, name))
                and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
            ]
            for name in files:
                place = os.path.join(folder, name)
                if not is_passing(name) and self.counts(place):
                    yield place


class WatchedFiles:
    """Remembers how places looked; its methods are thread-safe.

    Parameters
    ----------
    clock : callable
        Gives a time in seconds that only grows.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Marks | None] = {}
        self._near: frozenset[str] = frozenset()
        self._trees: tuple[Tree, ...] = ()
        self._in_trees: frozenset[str] = frozenset()
        self._next_walk = 0.0
        self._flux: dict[str, tuple[Marks | None, float, float]] = {}

    def follow(
        self,
        places: Iterable[str],
        trees: Iterable[Tree] = (),
        marks: Mapping[str, Marks] | None = None,
        since: float = math.inf,
    ) -> None:
        """Say what is looked at from now on; what was looked at before keeps its looks.

        Parameters
        ----------
        places : iterable of str
            Files and folders, there or not.
        trees : iterable of Tree
            Folders in which a new name is noticed, too.
        marks : mapping of str to tuple of int, optional
            How some places looked when they were read; by default they look as they do now.
        since : float
            In a folder that is new here, what was saved at this moment or later (in seconds since
            1970) counts as saved.
        """
        near, walks, given = frozenset(places), tuple(trees), marks or {}
        with self._lock:
            within = tuple(tree.root + os.sep for tree in self._trees)
            found = frozenset(self._walk(walks)) - near
            for place in found - self._known.keys():
                how = marks_of(place)
                is_old = not place.startswith(within) and how is not None and how[1] < since * 1e9
                self._known[place] = how if is_old else None
            self._trees, self._in_trees = walks, found
            for place in near - self._known.keys():
                self._known[place] = given.get(place) or marks_of(place)
            kept = near | self._in_trees
            self._known = {place: how for place, how in self._known.items() if place in kept}
            self._flux = {place: how for place, how in self._flux.items() if place in kept}
            self._near = near

    @property
    def known(self) -> frozenset[str]:
        """The places that are looked at."""
        with self._lock:
            return frozenset(self._known)

    def look(self) -> tuple[frozenset[str], float]:
        """Give what was saved since the last call, and how long to wait until the next one."""
        with self._lock:
            begun = self._clock()
            self._look_at(self._near, begun)
            if self._trees and begun >= self._next_walk:
                found = frozenset(self._walk(self._trees)) - self._near
                for place in found - self._in_trees:
                    self._known.setdefault(place, None)
                self._in_trees |= found
                self._look_at(self._in_trees, begun)
                took = self._clock() - begun
                self._next_walk = self._clock() + max(LEAST_PAUSE_S, took / _SHARE)
                begun += took
            else:
                self._look_at(self._flux.keys() & self._in_trees, begun)
            saved = self._settled()
            pause = max(LEAST_PAUSE_S / 2 if self._flux else LEAST_PAUSE_S, 0.0)
            return saved, max(pause, (self._clock() - begun) / _SHARE)

    @staticmethod
    def _walk(trees: Iterable[Tree]) -> Iterator[str]:
        for tree in trees:
            yield from tree.places()

    def _look_at(self, places: Iterable[str], now: float) -> None:
        for place in places:
            marks = marks_of(place)
            if marks == self._known[place]:
                self._flux.pop(place, None)
                continue
            before = self._flux.get(place)
            if before is None:
                self._flux[place] = marks, now, now
            elif before[0] != marks:
                self._flux[place] = marks, now, before[2]

    def _settled(self) -> frozenset[str]:
        """Take what has been written; what is saved together is taken together."""
        now = self._clock()
        calm = {p for p, (m, since, _) in self._flux.items() if now - since >= _patience(p, m)}
        waiting = [first for p, (_, _, first) in self._flux.items() if p not in calm]
        if not calm or (waiting and now - min(self._flux[p][2] for p in calm) < TOGETHER_S):
            return frozenset()
        for place in calm:
            self._known[place] = self._flux.pop(place)[0]
        return frozenset(calm)


def _patience(place: str, marks: Marks | None) -> float:
    if marks is None or marks[0] == 0:
        return DOUBT_S
    if place.endswith(".ipynb"):
        try:
            json.loads(Path(place).read_bytes())
        except (OSError, ValueError, RecursionError):
            return DOUBT_S
    return CALM_S


class Contents:
    """Tells saves that change what counts from those that do not.

    Of a stage's notebook its code counts, and neither prose nor outputs; of a folder its names.
    """

    def __init__(self) -> None:
        self._digests: dict[str, str | None] = {}
        self._notebooks: frozenset[str] = frozenset()

    def follow(
        self, places: Iterable[str], notebooks: Iterable[str], doubtful: Collection[str] = ()
    ) -> None:
        """Read what is not known yet, and forget the rest.

        Parameters
        ----------
        places : iterable of str
            The files.
        notebooks : iterable of str
            Those among them that are notebooks of stages.
        doubtful : collection of str
            Those that no longer look as they did when a stage read them: what they hold is none of
            what is known.
        """
        fresh = frozenset(notebooks)
        again, self._notebooks = fresh ^ self._notebooks, fresh
        known = self._digests
        self._digests = {
            p: known[p] if p in known and p not in again else self._digest(p)
            for p in places
            if p in known or p not in doubtful
        }

    def counting(self, saved: Iterable[str]) -> frozenset[str]:
        """Those of some saved files in which something changed that may count."""
        found = set()
        for place in saved:
            digest = self._digest(place)
            if digest is None or digest != self._digests.get(place):
                found.add(place)
            self._digests[place] = digest
        return frozenset(found)

    def _digest(self, place: str) -> str | None:
        """The digest of what counts; empty of what is not there, None where it takes too long."""
        try:
            if place in self._notebooks:
                return digest_of_code(read_notebook(Path(place)))
            if os.path.isdir(place):
                return self._names(place)
            if os.path.getsize(place) > _MOST_BYTES:
                return None
            return sha256(Path(place).read_bytes()).hexdigest()
        except FileNotFoundError:
            return ""
        except NotebookError:
            return self._raw(place)
        except OSError:
            return None

    @staticmethod
    def _names(place: str) -> str:
        """The digest of a folder's names: a file that is saved aside and renamed changes none."""
        names = sorted(name for name in os.listdir(place) if not is_passing(name))
        return sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()

    @staticmethod
    def _raw(place: str) -> str | None:
        try:
            return sha256(Path(place).read_bytes()).hexdigest()
        except OSError:
            return ""
