"""An artifact store that shares its artifacts through a URL.

The masters on this machine are what stages' copies are made from; the URL holds the same bytes
under the same digests for other machines. What comes from there is checked by digest before it is
used.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from mlkit.store.artifacts import ArtifactStore, Marks, digest_file
from mlkit.store.remote.files import Remote

__all__ = ["SharedStore", "artifact_name"]


def artifact_name(digest: str) -> str:
    """Where an artifact stands below the store's URL."""
    return f"{digest[:2]}/{digest[2:]}"


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
        """The master of an artifact, fetched if it is not here."""
        master = self.master(digest)
        if not master.is_file():
            self.fetch(digest)
        return master

    def fetch(self, digest: str) -> bool:
        """Fetch an artifact; False if it is not there, or its bytes are not those of its digest."""
        self.path.mkdir(parents=True, exist_ok=True)
        aside = self.path / f".part-{secrets.token_hex(8)}"
        try:
            if not self.remote.download(artifact_name(digest), aside):
                return False
            if digest_file(aside) != digest:
                return False
            aside.chmod(0o444)
            self._publish(aside, digest)
        finally:
            aside.unlink(missing_ok=True)
        self._there.add(digest)
        return True

    def share(self, digests: Iterable[str], *, deep: bool = False) -> None:
        """Send artifacts to the URL, unless they are there.

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
            if not self._is_there(digest, deep=deep):
                self.remote.upload(self.master(digest), artifact_name(digest))
            self._there.add(digest)

    def _is_there(self, digest: str, *, deep: bool) -> bool:
        size = self.remote.size(artifact_name(digest))
        if size is None or size != self.master(digest).stat().st_size:
            return False
        if not deep:
            return True
        aside = self.path / f".part-{secrets.token_hex(8)}"
        try:
            return self.remote.download(artifact_name(digest), aside) and (
                digest_file(aside) == digest
            )
        finally:
            aside.unlink(missing_ok=True)

    def drop(self, digest: str) -> None:
        """Take a damaged artifact out of the store, here and behind the URL."""
        super().drop(digest)
        self._there.discard(digest)
        self.remote.remove([artifact_name(digest)])
