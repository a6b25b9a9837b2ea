"""Where a runs folder and its artifacts stand: on this machine, or behind a URL too.

A run always works in a folder of this machine. Where the runs folder is a URL, that folder is its
*working copy*, and remembers the URL in a file of its own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.store.refusals import readable_os_errors
from mlkit.store.typed_path import typed_path

__all__ = [
    "CACHE_VARIABLE",
    "STORE_VARIABLE",
    "Remotes",
    "is_url",
    "remotes_of",
    "working_copy",
]

STORE_VARIABLE = "MLKIT_STORE"
CACHE_VARIABLE = "MLKIT_CACHE_DIR"
MEMO = ".remote.json"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SQUEEZED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?=[^/])")


@dataclass(frozen=True, kw_only=True)
class Remotes:
    """The URLs behind a runs folder.

    Parameters
    ----------
    runs : str, optional
        Where its runs are mirrored.
    store : str, optional
        Where its artifacts and results are shared.
    """

    runs: str | None = None
    store: str | None = None


def is_url(place: Path | str) -> bool:
    """Whether a place is a URL such as `s3://bucket/runs`, not a path."""
    return _URL.match(str(place)) is not None


def whole_url(place: Path | str) -> str:
    """Give a URL without a slash at its end.

    Raises
    ------
    UsageError
        If nothing follows the scheme.
    """
    url = str(place).rstrip("/")
    if not _URL.match(url):
        raise UsageError(
            f"'{place}' is no URL of a folder", remedy="Write it as s3://BUCKET/PREFIX"
        )
    return url


def as_typed(place: Path | str) -> str:
    """Give a place as it was typed: a `Path` of a URL has lost one of its slashes."""
    text = str(place)
    return _SQUEEZED.sub(r"\1://", text, count=1) if isinstance(place, Path) else text


def working_copy(url: str, environ: Mapping[str, str] | None = None) -> Path:
    """Give the folder of this machine that stands for a runs folder behind a URL; make it.

    Parameters
    ----------
    url : str
        The runs folder.
    environ : mapping of str to str, optional
        May name the folder of all working copies as `MLKIT_CACHE_DIR`; default: this process's.
    """
    url = whole_url(url)
    environ = os.environ if environ is None else environ
    shown = re.sub(r"[^A-Za-z0-9._-]+", "-", url.partition("://")[2])[-60:].strip("-.")
    folder = _cache(environ) / f"{shown}-{sha256(url.encode()).hexdigest()[:10]}"
    memo = _memo(folder)
    if memo.runs != url:
        _remember(folder, Remotes(runs=url, store=memo.store))
    return folder


def _cache(environ: Mapping[str, str]) -> Path:
    chosen = environ.get(CACHE_VARIABLE)
    if chosen:
        return typed_path(chosen).absolute()
    home = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return typed_path(home).absolute() / "mlkit"


def remotes_of(
    runs_dir: Path, store: str | None = None, environ: Mapping[str, str] | None = None
) -> Remotes:
    """Say which URLs belong to a runs folder of this machine.

    Parameters
    ----------
    runs_dir : Path
        A runs folder, or the working copy of one.
    store : str, optional
        The store that was asked for; otherwise `MLKIT_STORE`, the one that the working copy was
        last used with, or `store/` below the URL of the runs folder.
    environ : mapping of str to str, optional
        The environment; by default this process's.
    """
    memo = _memo(runs_dir)
    chosen = store or (os.environ if environ is None else environ).get(STORE_VARIABLE)
    if chosen:
        chosen = whole_url(chosen)
    if memo.runs is None:
        return Remotes(store=chosen)
    if chosen and chosen != memo.store:
        _remember(runs_dir, Remotes(runs=memo.runs, store=chosen))
    return Remotes(runs=memo.runs, store=chosen or memo.store or f"{memo.runs}/store")


def _memo(folder: Path) -> Remotes:
    with readable_os_errors(folder):
        try:
            known = json.loads((folder / MEMO).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return Remotes()
    return Remotes(runs=known["runs"], store=known["store"])


def _remember(folder: Path, remotes: Remotes) -> None:
    with readable_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f"{MEMO}-{os.urandom(4).hex()}"
        aside.write_text(json.dumps({"runs": remotes.runs, "store": remotes.store}), "utf-8")
        aside.replace(folder / MEMO)
