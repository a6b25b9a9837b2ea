"""An artifact store that shares its artifacts through a URL.

The masters on this machine are what stages' copies are made from; the URL holds the same bytes
under the same digests for other machines. What comes from there is checked by digest before it is
used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from mlkit.core.outputs import DIGITS, is_tree
from mlkit.store.artifact_store import ArtifactStore, Marks, digest_file
from mlkit.store.remote.files import Remote

__all__ = ["SharedStore", "artifact_name"]

T = TypeVar("T")
_AT_ONCE = 8
_LISTED_FROM = 200
"""From so many files on, the store is listed instead of being asked for each."""


def artifact_name(digest: str) -> str:
    """Where an artifact stands below the store's URL."""
    return f"{digest[:2]}/{digest[2:DIGITS]}"


class SharedStore(ArtifactStore):
    """The folder `store/` of a runs folder, and what stands behind a URL.

    Parameters
    ----------
    path : Path
        The folder.
    remote : Remote
        The store behind the URL.
    only_looks : bool
        Fetch nothing merely in order to say that it is there.
    """

    def __init__(self, path: Path, remote: Remote, *, only_looks: bool = False) -> None:
        super().__init__(path)
        self.remote = remote
        self.only_looks = only_looks
        self._there: set[str] = set()

    def is_whole(self, digest: str, recorded: Marks | None, *, deep: bool) -> bool:
        """Whether an artifact is here unchanged; if not, it is fetched."""
        if super().is_whole(digest, recorded, deep=deep):
            return True
        if self.only_looks:
            return self.remote.size(artifact_name(digest)) is not None
        return self.fetch(digest)

    def readable(self, digest: str) -> Path:
        """The master of an artifact (of a folder: its manifest), fetched if it is not here."""
        master = self.master(digest)
        if not master.is_file():
            self._fetch_master(digest)
        return master

    def fetch(self, digest: str) -> bool:
        """Fetch an artifact; False if it is not there, or its bytes are not those of its digest.

        Of a folder only those files are fetched that are not here.
        """
        if not is_tree(digest):
            return self._fetch_master(digest)
        tree = self.tree(digest)
        if tree is None and self._fetch_master(digest):
            tree = self.tree(digest)
        if tree is None or not all(_at_once(self._fetch_master, self._damaged(digest))):
            return False
        self._there.add(digest)
        return True

    def _fetch_master(self, digest: str) -> bool:
        """Fetch one file of the store."""
        self.path.mkdir(parents=True, exist_ok=True)
        aside = self._aside()
        try:
            if not self.remote.download(artifact_name(digest), aside):
                return False
            if digest_file(aside) != digest[:DIGITS]:
                return False
            aside.chmod(0o444)
            self._publish(aside, digest)
        finally:
            aside.unlink(missing_ok=True)
        self._there.add(digest)
        return True

    def share(self, digests: Iterable[str], *, deep: bool = False) -> None:
        """Send artifacts to the URL, unless they are there.

        A folder's manifest is sent when all of its files are there, so a machine that finds it may
        rely on them, and files that any folder has brought there are not sent again.

        Parameters
        ----------
        digests : iterable of str
            Artifacts whose masters are here.
        deep : bool
            Read what is there, and replace it if it is damaged.
        """
        for digest in digests:
            if digest in self._there and not deep:
                continue
            is_there = self._is_there(digest, deep=deep)
            tree = self.tree(digest) if is_tree(digest) else None
            if tree is not None and (deep or not is_there):
                self._share_files({leaf.digest for leaf in tree.leaves}, deep=deep)
            if not is_there:
                self.remote.upload(self.master(digest), artifact_name(digest))
            self._there.add(digest)

    def _share_files(self, digests: Set[str], *, deep: bool) -> None:
        wanted = sorted(digests if deep else digests - self._there)
        if len(wanted) > _LISTED_FROM and not deep:
            # One listing instead of a question for each
            there = {entry.name: entry.size_bytes for entry in self.remote.entries()}
            wanted = [
                digest
                for digest in wanted
                if there.get(artifact_name(digest)) != self.master(digest).stat().st_size
            ]
            known = dict.fromkeys(wanted, False)
        else:
            found = _at_once(lambda digest: self._is_there(digest, deep=deep), wanted)
            known = dict(zip(wanted, found, strict=True))
        missing = [digest for digest, is_there in known.items() if not is_there]
        _at_once(
            lambda digest: self.remote.upload(self.master(digest), artifact_name(digest)), missing
        )
        self._there.update(digests)

    def _is_there(self, digest: str, *, deep: bool) -> bool:
        size = self.remote.size(artifact_name(digest))
        if size is None or size != self.master(digest).stat().st_size:
            return False
        if not deep:
            return True
        aside = self._aside()
        try:
            return self.remote.download(artifact_name(digest), aside) and (
                digest_file(aside) == digest[:DIGITS]
            )
        finally:
            aside.unlink(missing_ok=True)

    def discard(self, digest: str) -> None:
        """Remove one master, here and behind the URL."""
        super().discard(digest)
        self._there.discard(digest)
        self.remote.remove([artifact_name(digest)])


def _at_once(work: Callable[[str], T], digests: Iterable[str]) -> list[T]:
    """Do something for many files, several at a time."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mlkit-store") as pool:
        return list(pool.map(work, digests))
