"""A folder behind a URL, by fsspec: whole files in, whole files out, errors that say what to do.

On an object store a file appears when all of its bytes are there. Elsewhere it is written aside and
renamed.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from mlkit.errors import MlkitError, StoreError, UsageError, install_extra
from mlkit.frozen import dataclass

__all__ = ["Entry", "Remote"]

WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory"})
"""Stores in which a file is visible only once it is complete."""

_AT_ONCE = 8
ANSWER_WITHIN_S = 60.0
"""How long a small request may take, repetitions included: a store's library repeats each several
times, with a patience of its own, which is a quarter of an hour where nothing answers at all."""
_BYTES_A_S = 100_000
"""The slowest way to the store that is waited for."""
_PART = ".part-"

_ENDPOINT = (
    "See that the network and the endpoint (AWS_ENDPOINT_URL) are there; what was finished is "
    "kept: 'mlkit resume RUN' goes on"
)
_CREDENTIALS = (
    "Give them as the store's own tools want them, for s3:// AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY or AWS_PROFILE"
)
_RIGHTS = "See that the credentials are right and allow to list, read, write and delete there"
_MISSING = "Make the bucket first, or correct the URL"
_SPACE = "Free some space, here or there; what was finished is kept"
_EXTRA = f"Install what it needs: {install_extra('remote')}"

_KINDS = (
    (("nocredentials", "partialcredentials", "defaultcredentials"), "no credentials", _CREDENTIALS),
    (("endpoint", "connect", "timeout", "gaierror", "clienterror"), "no answer", _ENDPOINT),
    (("filenotfound", "nosuchbucket"), "there is no such place", _MISSING),
    (("permission", "forbidden", "accessdenied"), "access is refused", _RIGHTS),
    (("importerror", "modulenotfound"), "a library is missing", _EXTRA),
)
"""Words in the names of an error's classes (and of those behind it), the fact, the remedy."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file behind the URL.

    Parameters
    ----------
    name : str
        Its path below the URL.
    size_bytes : int
        Its size.
    mark : str
        Another one whenever the file was written anew.
    written_s : float
        When it was written, by the store's own clock; 0 where the store does not say.
    """

    name: str
    size_bytes: int
    mark: str
    written_s: float = 0.0


class Remote:
    """A folder behind a URL; usable from several threads.

    Parameters
    ----------
    url : str
        Such as `s3://bucket/prefix`; credentials and endpoint come from the environment, as the
        store's own tools take them.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.protocol = url.partition("://")[0].lower()
        with readable_store_errors(url):
            # Here, so that a broken installation of a store's library is told as such.
            from fsspec.core import url_to_fs

            self._fs, root = url_to_fs(url, **_settings(self.protocol))
        self._root = str(root).rstrip("/")

    def _patience(self, size_bytes: int = 0) -> dict[str, float]:
        """The deadline of a request, as fsspec's asynchronous file systems take it in any call."""
        if not self._fs.async_impl:
            return {}
        return {"timeout": ANSWER_WITHIN_S + size_bytes / _BYTES_A_S}

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def check(self, *, writes: bool) -> None:
        """See that the place can be used, before anything depends on it.

        Raises
        ------
        UsageError
            If it cannot.
        """
        try:
            with readable_store_errors(self.url):
                if writes:
                    name = f".probe-{secrets.token_hex(6)}"
                    self.write(name, b"probe")
                    self.remove([name])
                else:
                    self._fs.find(self._path(".leases"), **self._patience())
                    self._see_bucket()
        except StoreError as error:
            raise UsageError(error.message, error.file, remedy=error.remedy) from error

    def _see_bucket(self) -> None:
        """An object store lists nothing in a bucket that is not there, and does not say so."""
        if self.protocol in WHOLE and self.protocol != "memory":
            self._fs.ls(self._root.partition("/")[0], **self._patience())

    def size(self, name: str) -> int | None:
        """The size of a file in bytes; None if there is none."""
        with readable_store_errors(self.url):
            try:
                info: Mapping[str, Any] = self._fs.info(self._path(name), **self._patience())
            except FileNotFoundError:
                return None
            return int(info["size"]) if info["type"] == "file" else None

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if there is none."""
        with readable_store_errors(self.url):
            try:
                return bytes(self._fs.cat_file(self._path(name), **self._patience()))
            except FileNotFoundError:
                return None

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """The bytes of many files, several at once; those that are gone are absent."""
        wanted = list(names)
        if not wanted:
            return {}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mlkit-store") as pool:
            found = dict(zip(wanted, pool.map(self.read, wanted), strict=True))
        return {name: data for name, data in found.items() if data is not None}

    def write(self, name: str, data: bytes) -> None:
        """Write a file in one piece."""
        with readable_store_errors(self.url):
            if self.protocol in WHOLE:
                self._fs.pipe_file(self._path(name), data, **self._patience(len(data)))
                return
            with self._aside(name) as aside:
                self._fs.pipe_file(aside, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file that must not be there yet; False if it is, and then nothing is changed.

        An object store is asked to decide it itself (S3: `If-None-Match`), a file system opens
        exclusively: of two who do it at once one is told that it was first.
        """
        with readable_store_errors(self.url):
            try:
                patience = self._patience(len(data))
                self._fs.pipe_file(self._path(name), data, mode="create", **patience)
            except FileExistsError:
                return False
            return True

    def upload(self, file: Path, name: str) -> None:
        """Put a local file there, in one piece."""
        with readable_store_errors(self.url):
            if self.protocol in WHOLE:
                self._fs.put_file(str(file), self._path(name))
                return
            with self._aside(name) as aside:
                self._fs.put_file(str(file), aside)

    @contextlib.contextmanager
    def _aside(self, name: str) -> Iterator[str]:
        """Give another path to write to, which gets the name when it is written."""
        aside = self._path(f"{_PART}{secrets.token_hex(8)}")
        try:
            yield aside
            self._fs.mv(aside, self._path(name))
        except BaseException:
            with contextlib.suppress(OSError):
                self._fs.rm_file(aside)
            raise

    def download(self, name: str, to: Path) -> bool:
        """Fetch a file to a new local one; whether it was there."""
        with readable_store_errors(self.url):
            try:
                self._fs.get_file(self._path(name), str(to))
            except FileNotFoundError:
                return False
            return True

    def entries(self, folder: str = "") -> list[Entry]:
        """Every file below a folder, in order; parts that writers left behind are none."""
        with readable_store_errors(self.url):
            base = self._path(folder).rstrip("/")
            found: Mapping[str, Mapping[str, Any]] = self._fs.find(base, detail=True)
        cut = len(self._root) + 1
        entries = [
            Entry(
                name=path[cut:],
                size_bytes=int(info["size"]),
                mark=_mark(info),
                written_s=_written(info),
            )
            for path, info in sorted(found.items())
            if path.startswith(base + "/") and info["type"] == "file"
        ]
        return [entry for entry in entries if not entry.name.startswith(_PART)]

    def sweep(self) -> None:
        """Remove what writers that died have left; nobody may be writing."""
        with readable_store_errors(self.url):
            for path in self._fs.find(self._root):
                if path.startswith(self._path(_PART)):
                    self._fs.rm_file(path)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone already are no error."""
        with readable_store_errors(self.url):
            for name in names:
                try:
                    self._fs.rm_file(self._path(name), **self._patience())
                except FileNotFoundError:
                    continue


def _settings(protocol: str) -> dict[str, Any]:
    """What the file systems are told: no stale listings, and no waiting for minutes."""
    if protocol in ("file", "local"):
        return {"auto_mkdir": True}
    shared: dict[str, Any] = {"use_listings_cache": False}
    if protocol in ("s3", "s3a"):
        shared["config_kwargs"] = {
            "connect_timeout": 10,
            "read_timeout": 60,
            "retries": {"max_attempts": 2, "mode": "standard"},
        }
    return shared


def _mark(info: Mapping[str, Any]) -> str:
    for key in ("ETag", "etag", "generation", "mtime", "LastModified", "updated", "created"):
        if key in info:
            return f"{info['size']}:{info[key]}"
    return str(info["size"])


def _written(info: Mapping[str, Any]) -> float:
    for key in ("LastModified", "mtime", "last_modified", "updated", "created"):
        told = info.get(key)
        if isinstance(told, str):
            told = datetime.fromisoformat(told)
        if isinstance(told, datetime):
            return told.timestamp()
        if isinstance(told, (int, float)):
            return float(told)
    return 0.0


@contextlib.contextmanager
def readable_store_errors(url: str) -> Iterator[None]:
    """Turn what a file system of fsspec raises into a `StoreError`.

    Parameters
    ----------
    url : str
        The place that was being used.
    """
    try:
        yield
    except MlkitError:
        raise
    except Exception as error:  # noqa: BLE001 - every store's library has errors of its own
        fact, remedy = _explain(error)
        text = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"the store cannot be used: {fact} ({text})", url, remedy=remedy) from (
            ConnectionError(text)
        )


def _explain(error: BaseException) -> tuple[str, str]:
    """Find the kind of an error by its classes' names: every store's library has its own."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space is left", _SPACE
    if isinstance(error, ValueError) and "rotocol" in str(error):
        return "nothing here knows this kind of URL", "Write s3://, gs:// or file://"
    seen: BaseException | None = error
    while seen is not None:
        names = " ".join(kind.__name__ for kind in type(seen).__mro__[:-3]).lower()
        for words, fact, remedy in _KINDS:
            if any(word in names for word in words):
                return fact, remedy
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__, _ENDPOINT
