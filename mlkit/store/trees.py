"""A folder as one artifact: a list of names and digests, whose own digest is the folder's.

What counts is what a reader of the folder sees: the names of its files, their contents, and the
subfolders that are empty; not times, not modes, not the order in which it was filled. Each file is
kept under its own digest, so that equal files, of one folder or of several, are kept and sent once;
the *manifest*, a small JSON document, says which belong together. A manifest is written when all of
its files are there.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b, sha256
from operator import attrgetter
from pathlib import Path, PurePosixPath

from mlkit.core.interrupting import checkpoint
from mlkit.core.outputs import TREE
from mlkit.frozen import dataclass
from mlkit.store.marks import Marks, digest_file

__all__ = ["Leaf", "RefusedTreeError", "Survey", "Tree", "digest_tree", "fold", "survey"]

_FORMAT = 1
_KINDS = ("a link", "neither a file nor a folder")


class RefusedTreeError(OSError):
    """A folder holds something that no manifest can name, such as a link."""


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One file of a folder: its name below it, its digest and its size."""

    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What a folder holds.

    Parameters
    ----------
    leaves : tuple of Leaf
        Its files, by name; names are relative to it, with slashes.
    empty : tuple of str
        Its empty subfolders.
    """

    leaves: tuple[Leaf, ...] = ()
    empty: tuple[str, ...] = ()

    @classmethod
    def of(cls, leaves: Iterable[Leaf], empty: Iterable[str]) -> Tree:
        """Put the parts of a folder in order."""
        return cls(leaves=tuple(sorted(leaves, key=attrgetter("name"))), empty=tuple(sorted(empty)))

    @classmethod
    def parse(cls, manifest: bytes) -> Tree:
        """Read a manifest.

        Raises
        ------
        ValueError
            If it is none, or names something outside of the folder.
        """
        document = json.loads(manifest)
        if not isinstance(document, Mapping) or document.get("format") != _FORMAT:
            raise ValueError("this is no manifest of a folder")
        leaves = [Leaf(name=n, digest=d, size_bytes=s) for n, d, s in document["files"]]
        tree = cls(leaves=tuple(leaves), empty=tuple(document["empty"]))
        for name in (*(leaf.name for leaf in tree.leaves), *tree.empty):
            path = PurePosixPath(name)
            if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in name:
                raise ValueError("a manifest names something outside of its folder")
        return tree

    @cached_property
    def manifest(self) -> bytes:
        """The one text that is equal for equal folders; names that are no UTF-8 are escaped."""
        document = {
            "format": _FORMAT,
            "files": [[leaf.name, leaf.digest, leaf.size_bytes] for leaf in self.leaves],
            "empty": self.empty,
        }
        return (json.dumps(document, ensure_ascii=True, separators=(",", ":")) + "\n").encode()

    @cached_property
    def digest(self) -> str:
        """The folder's identity."""
        return sha256(self.manifest).hexdigest() + TREE

    @property
    def size_bytes(self) -> int:
        """The sizes of its files together."""
        return sum(leaf.size_bytes for leaf in self.leaves)

    @property
    def folders(self) -> tuple[str, ...]:
        """Every subfolder, outer ones first."""
        found = set(self.empty)
        for name in (*(leaf.name for leaf in self.leaves), *self.empty):
            above = name.rpartition("/")[0]
            while above and above not in found:
                found.add(above)
                above = above.rpartition("/")[0]
        return tuple(sorted(found))


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What stands in a folder on the disk: files with their paths, and empty subfolders."""

    files: Mapping[str, str]
    empty: tuple[str, ...]

    def marks(self) -> list[int]:
        """What tells at a glance that nothing in the folder has changed."""
        total, folded = 0, blake2b(digest_size=8)
        for name, path in self.files.items():
            stat = os.stat(path)
            total += stat.st_size
            row = (name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
            folded.update(repr(row).encode("utf-8", "surrogatepass"))
        folded.update(repr(self.empty).encode("utf-8", "surrogatepass"))
        return [len(self.files), total, _number(folded.digest())]


def survey(folder: Path) -> Survey:
    """Look through a folder.

    Raises
    ------
    RefusedTreeError
        If it holds a link, or something that cannot be read twice.
    """
    files: dict[str, str] = {}
    empty: list[str] = []
    todo = [""]
    while todo:
        below = todo.pop()
        checkpoint()
        there = False
        with os.scandir(os.path.join(folder, below)) as entries:
            for entry in entries:
                there = True
                name = below + entry.name
                if entry.is_symlink():
                    raise _refused(folder, name, _KINDS[0])
                if entry.is_dir(follow_symlinks=False):
                    todo.append(name + "/")
                elif entry.is_file(follow_symlinks=False):
                    files[name] = entry.path
                else:
                    raise _refused(folder, name, _KINDS[1])
        if not there and below:
            empty.append(below[:-1])
    return Survey(files=dict(sorted(files.items())), empty=tuple(sorted(empty)))


def _refused(folder: Path, name: str, kind: str) -> RefusedTreeError:
    fact = f"'{name}' in it is {kind}; a folder that is handed on holds files of its own only"
    return RefusedTreeError(errno.EINVAL, fact, str(folder))


def digest_tree(folder: Path) -> str:
    """The digest of a folder that stands anywhere; its files are read."""
    found = survey(folder)
    leaves = []
    for name, path in found.files.items():
        place = Path(path)
        leaves.append(Leaf(name=name, digest=digest_file(place), size_bytes=place.stat().st_size))
    return Tree.of(leaves, found.empty).digest


def fold(leaves: Sequence[Marks], manifest: Marks) -> Marks:
    """The marks of a folder in the store: another one as soon as a file of it looks otherwise.

    One row stands so for ten thousand files.
    """
    folded = blake2b(digest_size=8)
    for each in leaves:
        folded.update(b"%d %d %d;" % (each.size_bytes, each.mtime_ns, each.inode))
    return Marks(
        size_bytes=sum(each.size_bytes for each in leaves),
        mtime_ns=_number(folded.digest()),
        inode=manifest.inode,
    )


def _number(digest: bytes) -> int:
    """A number that SQLite can hold."""
    return int.from_bytes(digest, "big") >> 1
