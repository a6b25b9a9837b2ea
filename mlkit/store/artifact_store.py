"""Artifacts by the sha256 digest of their bytes: written once, read-only, verified before reuse.

Each artifact has two files. The *master* stands in the store under its digest, and nothing but the
store ever opens it. The *copy* stands in the folder of the run that made it, and further runs link
to it; stages read copies only, so a stage that writes to its input damages a copy, which is made
good from the master. That is why a master is never a hard link to what a stage wrote: the two would
be one file.

Of a folder, the master is its manifest (`mlkit.store.trees`) and one master for each file in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Set
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG

from mlkit.core.interrupting import checkpoint
from mlkit.core.outputs import DIGITS, is_tree
from mlkit.store.marks import (
    NO_LINKS,
    READ_ONLY,
    Marks,
    chunks,
    copy_file,
    copy_read_only,
    digest_file,
    made_own,
    marks_of,
    same_time,
)
from mlkit.store.trees import Leaf, RefusedTreeError, Survey, Tree, fold, survey

__all__ = ["ArtifactStore", "Marks", "clear", "copy_file", "digest_file", "marks_of"]

_SYNC_CHUNKS = 64
"""Bytes go to the disk after so many chunks: one sync of a large file could take a minute, and
nothing is heard meanwhile."""
_SMALL_BYTES = 4 << 20
"""A file of a folder up to this size is read in one go, digested and written: ten thousand small
files would spend more time in opening and renaming them than in anything else."""


class ArtifactStore:
    """The folder `store/` of a runs folder.

    Parameters
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = str(path)

    def master(self, digest: str) -> Path:
        """Where an artifact's master stands."""
        return self.path / digest[:2] / digest[2:DIGITS]

    def _place(self, digest: str) -> str:
        """The same as text, for what is asked of thousands: a `Path` costs more than a `stat`."""
        return f"{self._folder}/{digest[:2]}/{digest[2:DIGITS]}"

    def readable(self, digest: str) -> Path:
        """The master of an artifact, for those who read it without changing anything."""
        return self.master(digest)

    def share(self, digests: Iterable[str], *, deep: bool = False) -> None:
        """Send artifacts to other machines; this store is for one machine alone."""

    def take(self, path: Path) -> tuple[str, Marks]:
        """Keep a file or a folder under its digest; what was given becomes a read-only copy.

        Raises
        ------
        RefusedTreeError
            If it is a folder that holds anything but files and folders.

        Returns
        -------
        digest : str
            The artifact's identity.
        marks : Marks
            The master's marks, to be recorded.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        return self._take_folder(path) if path.is_dir() else self._take_file(path)

    def _take_file(self, file: Path) -> tuple[str, Marks]:
        aside = self._aside()
        total = sha256()
        try:
            with aside.open("xb") as target:
                for number, chunk in enumerate(chunks(file), start=1):
                    total.update(chunk)
                    target.write(chunk)
                    if number % _SYNC_CHUNKS == 0:
                        os.fdatasync(target.fileno())
                target.flush()
                os.fdatasync(target.fileno())
            aside.chmod(READ_ONLY)
            same_time(file, aside)
            digest = total.hexdigest()
            self._publish(aside, digest)
        finally:
            aside.unlink(missing_ok=True)
        file.chmod(READ_ONLY)
        same_time(self.master(digest), file)
        marks = marks_of(self.master(digest))
        assert marks is not None
        return digest, marks

    def _take_folder(self, folder: Path) -> tuple[str, Marks]:
        found = survey(folder)
        leaves, marks = [], []
        for name, path in found.files.items():
            checkpoint()
            digest, mark = self._take_leaf(path)
            leaves.append(Leaf(name=name, digest=digest, size_bytes=mark.size_bytes))
            marks.append(mark)
        tree = Tree.of(leaves, found.empty)
        _sync(self.path)  # once for all of them; a sync for each would cost many times the writing
        aside = self._aside()
        try:
            with aside.open("xb") as target:
                target.write(tree.manifest)
                target.flush()
                os.fdatasync(target.fileno())
            aside.chmod(READ_ONLY)
            self._publish(aside, tree.digest)
        finally:
            aside.unlink(missing_ok=True)
        own = marks_of(self.master(tree.digest))
        assert own is not None
        return tree.digest, fold(marks, own)

    def _take_leaf(self, path: str) -> tuple[str, Marks]:
        """Keep one file of a folder; as few calls of the system as there can be."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            stat = os.fstat(descriptor)
            data = b"" if stat.st_size > _SMALL_BYTES else os.read(descriptor, stat.st_size + 1)
            if stat.st_nlink == 1 and len(data) == stat.st_size:
                os.fchmod(descriptor, READ_ONLY)
                digest = sha256(data).hexdigest()
                marks = self._keep(digest, data, stat)
                if marks is not None:
                    if marks.mtime_ns != stat.st_mtime_ns:
                        os.utime(path, ns=(stat.st_atime_ns, marks.mtime_ns))
                    return digest, marks
        finally:
            os.close(descriptor)
        if stat.st_nlink > 1:
            made_own(Path(path))
        return self._take_file(Path(path))

    def _keep(self, digest: str, data: bytes, stat: os.stat_result) -> Marks | None:
        """See that there is a master with these bytes; None if there is one with other bytes.

        A new one has its name before it has its bytes: a name aside, and the renaming, would double
        what a small file costs. That is no danger. A process that finds a master here looks into
        it, and nothing refers to it before the result that it belongs to is recorded, with its
        marks.
        """
        master = self._place(digest)
        try:
            target = _new(master)
        except FileExistsError:
            return marks_of(master) if _holds(master, data) else None
        try:
            if os.write(target, data) != len(data):
                return None
            os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            kept = os.fstat(target)
            if kept.st_mode & 0o777 != READ_ONLY:
                os.fchmod(target, READ_ONLY)
        finally:
            os.close(target)
        return Marks(size_bytes=kept.st_size, mtime_ns=kept.st_mtime_ns, inode=kept.st_ino)

    def _aside(self) -> Path:
        return self.path / f".part-{os.urandom(8).hex()}"

    def tree(self, digest: str) -> Tree | None:
        """What a folder in the store holds; None if its manifest is missing or damaged."""
        try:
            manifest = self.master(digest).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        if sha256(manifest).hexdigest() != digest[:DIGITS]:
            return None
        try:
            return Tree.parse(manifest)
        except ValueError:
            return None

    def size_bytes(self, digest: str) -> int:
        """The size of an artifact that is in the store."""
        tree = self.tree(digest) if is_tree(digest) else None
        return os.stat(self._place(digest)).st_size if tree is None else tree.size_bytes

    def masters(self, digests: Set[str]) -> set[str]:
        """The digests of all files of the store that some artifacts need."""
        found = {digest[:DIGITS] for digest in digests}
        for digest in filter(is_tree, digests):
            self.readable(digest)
            tree = self.tree(digest)
            found.update(() if tree is None else (leaf.digest for leaf in tree.leaves))
        return found

    def marks(self, digest: str) -> Marks | None:
        """How an artifact in the store looks now; None if it is not there as a whole."""
        own = marks_of(self._place(digest))
        if own is None or not is_tree(digest):
            return own
        tree = self.tree(digest)
        leaves = [] if tree is None else [marks_of(self._place(x.digest)) for x in tree.leaves]
        whole = [marks for marks in leaves if marks is not None]
        return None if tree is None or len(whole) < len(leaves) else fold(whole, own)

    def _publish(self, aside: Path, digest: str) -> None:
        """Give a complete file its name; one that is there already and whole stays."""
        master = self.master(digest)
        master.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(aside, master)
        except FileExistsError:
            if not self._holds_its_bytes(digest):
                if master.is_dir():  # no file can take its place in one step
                    clear(master)
                aside.replace(master)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            aside.replace(master)

    def is_whole(self, digest: str, recorded: Marks | None, *, deep: bool) -> bool:
        """Whether an artifact's master is there and unchanged.

        Parameters
        ----------
        digest : str
            The artifact.
        recorded : Marks, optional
            The marks recorded for it; where they match, the bytes are not read.
        deep : bool
            Read the bytes in any case.
        """
        now = self.marks(digest)
        if now is None:
            return False
        if not deep and now == recorded:
            return True
        return not self._damaged(digest)

    def _damaged(self, digest: str) -> list[str]:
        """Which masters of an artifact are missing or hold other bytes; all are read."""
        tree = self.tree(digest) if is_tree(digest) else None
        if tree is None:
            return [] if self._holds_its_bytes(digest) else [digest]
        leaves = dict.fromkeys(leaf.digest for leaf in tree.leaves)
        return [leaf for leaf in leaves if not self._holds_its_bytes(leaf)]

    def _holds_its_bytes(self, digest: str) -> bool:
        master = self.master(digest)
        return master.is_file() and digest_file(master) == digest[:DIGITS]

    def place(self, digest: str, to: Path, sibling: Path | None = None) -> None:
        """Put a copy of an artifact somewhere, in one step.

        Parameters
        ----------
        digest : str
            The artifact, which is whole.
        to : Path
            The new file or folder; the folder that holds it exists.
        sibling : Path, optional
            A copy known to be unchanged, to be linked to; otherwise the master is copied.
        """
        if sibling is not None and not is_tree(digest) and _link(str(sibling), str(to)):
            return  # a link comes into being in one step itself, unless something stands there
        aside = to.with_name(f".part-{os.urandom(8).hex()}")
        try:
            if is_tree(digest):
                self._fill(digest, aside, sibling)
                clear(to)
            else:
                self._copy(digest, str(aside), None if sibling is None else str(sibling))
            aside.replace(to)
        finally:
            clear(aside)

    def _fill(self, digest: str, aside: Path, sibling: Path | None) -> None:
        tree = self.tree(digest)
        if tree is None:
            raise FileNotFoundError(errno.ENOENT, "a folder's manifest is gone", str(aside))
        aside.mkdir()
        for folder in tree.folders:
            (aside / folder).mkdir()
        for leaf in tree.leaves:
            checkpoint()
            near = None if sibling is None else f"{sibling}/{leaf.name}"
            self._copy(leaf.digest, f"{aside}/{leaf.name}", near)

    def _copy(self, digest: str, to: str, sibling: str | None) -> None:
        """Make a new file that holds what a master does."""
        if sibling is None or not _link(sibling, to):
            copy_read_only(self._place(digest), to)

    def restore(self, digest: str, copy: Path) -> None:
        """Make a damaged copy good, in place: all its links are the same file.

        The copy gets the master's modification time.
        """
        if is_tree(digest):
            self._restore_folder(digest, copy)
        else:
            self._restore_file(digest, copy)

    def _restore_folder(self, digest: str, copy: Path) -> None:
        """Take away what does not belong there, and make good what is damaged."""
        tree = self.tree(digest)
        assert tree is not None
        if copy.is_symlink() or not copy.is_dir():
            clear(copy)
        copy.mkdir(parents=True, exist_ok=True)
        names = {leaf.name for leaf in tree.leaves}
        folders = set(tree.folders)
        for place, below, files in os.walk(copy):
            for name in (*below, *files):
                path = Path(place) / name
                relative = path.relative_to(copy).as_posix()
                is_folder = path.is_dir() and not path.is_symlink()
                if relative not in (folders if is_folder else names):
                    clear(path)
            below[:] = [name for name in below if (Path(place) / name).is_dir()]
        for folder in tree.folders:
            (copy / folder).mkdir(exist_ok=True)
        for leaf in tree.leaves:
            if not self.is_copy_whole(leaf.digest, copy / leaf.name, deep=True):
                self._restore_file(leaf.digest, copy / leaf.name)

    def _restore_file(self, digest: str, copy: Path) -> None:
        master = self.master(digest)
        if copy.is_symlink() or not copy.is_file():
            clear(copy)
            copy.parent.mkdir(parents=True, exist_ok=True)
            self.place(digest, copy)
            return
        try:
            copy.chmod(0o644)
        except PermissionError:
            self.place(digest, copy)  # another user's: only its owner can write into it
            return
        with copy.open("r+b") as target:
            for chunk in chunks(master):
                target.write(chunk)
            target.truncate()
        copy.chmod(READ_ONLY)
        same_time(master, copy)

    def is_copy_whole(self, digest: str, copy: Path, *, deep: bool = False) -> bool:
        """Whether a copy holds the artifact's bytes; by size and time where they match."""
        if is_tree(digest):
            return self._is_folder_whole(digest, copy, deep=deep)
        try:
            now = os.lstat(copy)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False
        if not S_ISREG(now.st_mode):
            return False
        master = None if deep else marks_of(self._place(digest))
        looks = Marks(size_bytes=now.st_size, mtime_ns=now.st_mtime_ns, inode=now.st_ino)
        return (master is not None and looks.looks_like(master)) or digest_file(copy) == digest

    def _is_folder_whole(self, digest: str, copy: Path, *, deep: bool) -> bool:
        tree = self.tree(digest)
        if tree is None or copy.is_symlink():
            return False
        try:
            found = survey(copy)
        except (RefusedTreeError, FileNotFoundError, NotADirectoryError):
            return False
        return _is_named_so(tree, found) and all(
            self._is_leaf_whole(leaf.digest, found.files[leaf.name], deep=deep)
            for leaf in tree.leaves
        )

    def _is_leaf_whole(self, digest: str, path: str, *, deep: bool) -> bool:
        if not deep:
            now, master = marks_of(path), marks_of(self._place(digest))
            if now is not None and master is not None and now.looks_like(master):
                return True
        return digest_file(Path(path)) == digest

    def drop(self, digest: str) -> None:
        """Take what is damaged of an artifact out of the store; the whole files of a folder stay.

        They may be others' too.
        """
        for each in {*self._damaged(digest), digest}:
            self.discard(each)

    def discard(self, digest: str) -> None:
        """Remove one master, or what stands in its place."""
        clear(self.master(digest))

    def digests(self) -> Iterator[str]:
        """Every file in the store, by its digest: artifacts, manifests, and files of folders."""
        if not self.path.is_dir():
            return
        for folder in sorted(self.path.iterdir()):
            if len(folder.name) == 2 and folder.is_dir():
                for file in sorted(folder.iterdir()):
                    yield folder.name + file.name

    def sweep(self) -> None:
        """Remove what writers that died left unfinished."""
        for leftover in self.path.glob(".part-*"):
            leftover.unlink(missing_ok=True)


def _link(sibling: str, to: str) -> bool:
    try:
        os.link(sibling, to)
    except OSError:
        return False
    return True


def _is_named_so(tree: Tree, found: Survey) -> bool:
    return found.empty == tree.empty and list(found.files) == [leaf.name for leaf in tree.leaves]


def _new(master: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(master, flags, READ_ONLY)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(master), exist_ok=True)
        return os.open(master, flags, READ_ONLY)


def _holds(master: str, data: bytes) -> bool:
    try:
        with open(master, "rb", buffering=0) as file:
            return file.read(len(data) + 1) == data
    except FileNotFoundError:
        return False


def clear(path: Path) -> None:
    """Remove whatever stands at a path."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Have everything that was written in a folder's file system reach the disk."""
    import ctypes  # a run that reuses everything does not wait for it

    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        with contextlib.suppress(AttributeError):  # a C library without it syncs everything
            if library.syncfs(descriptor) == 0:
                return
        os.sync()
    finally:
        os.close(descriptor)
