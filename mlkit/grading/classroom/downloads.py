"""All files below a path, those inside zip archives too, without ever writing one under its name.

A zip is read, not unpacked: a name in it is a text, a link in it is passed over, and what comes out
is counted while it comes. So no name leads out of a folder, and no archive fills a disk.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from mlkit.core.harmless_text import harmless
from mlkit.frozen import dataclass
from mlkit.grading.classroom.zip_names import names_in_archive
from mlkit.grading.sandbox.bounded import TooCostlyError, bounded

__all__ = ["NOTEBOOKS", "NO_NOTEBOOK", "Bounds", "Item", "walk"]

NOTEBOOKS = (".ipynb", ".ipynb.txt", ".ipynb.json")
"""What browsers make of a notebook's name when they save it."""
NO_NOTEBOOK = "no notebook"
"""Why a file is passed over that may be all that somebody handed in."""
MEBIBYTE = 1024 * 1024
OTHER_ARCHIVES = (".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".gz", ".xz")
NOISE = ("__MACOSX", "__pycache__", ".ipynb_checkpoints")
TIMES = "timestamp.txt"
LEAST_ENTRY = 46
"""What a file takes at least in an archive's list (PKWARE's APPNOTE.TXT, 4.3.12)."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much is read of archives.

    Parameters
    ----------
    file_bytes : int
        Of one notebook.
    archive_bytes : int
        Of an archive as it stands.
    total_bytes : int
        Of what comes out of the archives of one path, together.
    times : int
        How many times its size, as it is packed itself, may come out of an archive, beside one
        notebook (of an outermost one: beside a quarter of `archive_bytes`). So nobody's archive
        uses up what those of others need. Notebooks are packed to a tenth at best.
    files : int
        Names in one archive.
    names_bytes : int
        All names in one archive together.
    depth : int
        Archives within archives.
    """

    file_bytes: int = 16 * MEBIBYTE
    archive_bytes: int = 1024 * MEBIBYTE
    total_bytes: int = 4096 * MEBIBYTE
    times: int = 50
    files: int = 50_000
    names_bytes: int = 8 * MEBIBYTE
    depth: int = 4


@dataclass(frozen=True, kw_only=True)
class Item:
    """A file that was met.

    Parameters
    ----------
    place : str
        Where it stands, for people: `download.zip/ann/05-retries.ipynb`.
    parts : tuple of str
        Its place below the path given; an archive counts as a folder without its ending.
    content : bytes
        What it holds, of notebooks and time stamps.
    trouble, remedy : str
        Why it cannot be used, and what to do; both empty for a notebook.
    noise : str
        Why nobody misses it: no notebook, hidden, a copy that an editor keeps.
    """

    place: str
    parts: tuple[str, ...]
    content: bytes = b""
    trouble: str = ""
    remedy: str = ""
    noise: str = ""


class _Budget:
    """What may still come out of an archive, and of all that it is in."""

    def __init__(self, left: int, above: _Budget | None = None) -> None:
        self._left = left
        self._above = above

    @property
    def left(self) -> int:
        """The least that is left anywhere."""
        return self._left if self._above is None else min(self._left, self._above.left)

    def spend(self, count: int) -> None:
        """So many bytes have come out."""
        self._left -= count
        if self._above is not None:
            self._above.spend(count)


def walk(path: Path, bounds: Bounds | None = None) -> Iterator[Item]:
    """Every file at or below a path, in order, each once; whatever is wrong with one is told.

    Parameters
    ----------
    path : Path
        A folder, an archive, or a notebook.
    bounds : Bounds, optional
        How much is read of archives.
    """
    limits = bounds or Bounds()
    budget = _Budget(limits.total_bytes)
    if path.is_dir():
        yield from _folder(path, limits, budget)
    elif _is_zip(path.name):
        yield from _zip_file(path, path.name, (), limits, budget)
    else:
        yield from _file(path, path.name, (path.name,), limits, budget)


def _is_zip(name: str) -> bool:
    return name.casefold().endswith(".zip")


def _folder(root: Path, limits: Bounds, budget: _Budget) -> Iterator[Item]:
    silent: list[OSError] = []
    for folder, folders, files in os.walk(root, onerror=silent.append):
        here = Path(folder)
        inner = here.relative_to(root)
        for name in sorted(folders):
            item = _passed_over_folder(here / name, inner.joinpath(name))
            if item is not None:
                folders.remove(name)
                yield item
        folders.sort()
        for name in sorted(files):
            place = inner / name
            yield from _file(here / name, place.as_posix(), place.parts, limits, budget)
        if not folders and not files and inner.parts:
            yield Item(
                place=inner.as_posix(),
                parts=inner.parts,
                trouble="an empty folder",
                remedy="Nothing was handed in here; ask, or leave it so.",
            )
    for error in silent:
        place = Path(error.filename).relative_to(root)
        yield Item(
            place=place.as_posix(),
            parts=place.parts,
            trouble=f"a folder that cannot be read ({error.strerror})",
            remedy="Give yourself the right to read it (chmod -R u+rX).",
        )


def _passed_over_folder(folder: Path, inner: Path) -> Item | None:
    place, parts = inner.as_posix(), inner.parts
    if folder.is_symlink():
        return Item(
            place=place,
            parts=parts,
            trouble="a link to a folder, which is not followed",
            remedy="Copy the folder itself here (cp -rL).",
        )
    if folder.name in NOISE or folder.name.startswith("."):
        return Item(place=place, parts=parts, noise="hidden")
    return None


def _file(
    path: Path, place: str, parts: tuple[str, ...], limits: Bounds, budget: _Budget
) -> Iterator[Item]:
    try:
        status = path.lstat()
    except OSError as error:
        yield _unreadable(place, parts, error)
        return
    if stat.S_ISLNK(status.st_mode):
        yield Item(
            place=place,
            parts=parts,
            trouble="a link, which is not followed",
            remedy="Copy the file itself here.",
        )
    elif not stat.S_ISREG(status.st_mode):
        yield Item(
            place=place, parts=parts, trouble="no regular file", remedy="Remove it from the folder."
        )
    elif _is_zip(path.name) and not path.name.startswith("."):
        yield from _zip_file(path, place, (*parts[:-1], path.name[:-4]), limits, budget)
    else:
        yield _leaf(place, parts, status.st_size, path.read_bytes, limits)


def _unreadable(place: str, parts: tuple[str, ...], error: OSError) -> Item:
    return Item(
        place=place,
        parts=parts,
        trouble=f"cannot be read ({error.strerror or error})",
        remedy="Give yourself the right to read it (chmod u+r), or ask for it again.",
    )


def _leaf(
    place: str, parts: tuple[str, ...], size: int, read: Callable[[], bytes], limits: Bounds
) -> Item:
    """A file that is no archive that we open."""
    name = parts[-1].casefold()
    hidden = any(part in NOISE or part.startswith(".") for part in parts)
    if hidden or name.startswith("~$"):  # what an editor keeps while it has the file open
        return Item(place=place, parts=parts, noise="hidden")
    if name.endswith(".dbc"):
        return Item(
            place=place,
            parts=parts,
            trouble="an archive of Databricks, which holds no notebook of Jupyter's format",
            remedy="Ask for an export as IPython notebook (.ipynb).",
        )
    if name.endswith(OTHER_ARCHIVES):
        return Item(
            place=place,
            parts=parts,
            trouble="an archive of another kind than zip",
            remedy="Unpack it into a folder of the same name, and collect again.",
        )
    if not name.endswith(NOTEBOOKS) and name != TIMES:
        return Item(place=place, parts=parts, noise=NO_NOTEBOOK)
    if size > limits.file_bytes:
        return Item(
            place=place,
            parts=parts,
            trouble=f"larger than {limits.file_bytes // MEBIBYTE} MiB",
            remedy="Ask for the notebook without its outputs.",
        )
    if size == 0:
        return Item(
            place=place,
            parts=parts,
            trouble="an empty file",
            remedy="The upload has failed: ask for it again.",
        )
    try:
        return Item(place=place, parts=parts, content=read())
    except OSError as error:
        return _unreadable(place, parts, error)


def _zip_file(
    path: Path, place: str, parts: tuple[str, ...], limits: Bounds, budget: _Budget
) -> Iterator[Item]:
    try:
        size = path.stat().st_size
        if size > limits.archive_bytes:
            yield _broken(place, parts, f"larger than {limits.archive_bytes // MEBIBYTE} MiB")
            return
        with path.open("rb") as file:
            own = _Budget(limits.archive_bytes // 4 + limits.times * size, budget)
            yield from _archive(file, place, parts, limits, own)
    except OSError as error:
        yield _unreadable(place, parts or (path.name,), error)


def _broken(place: str, parts: tuple[str, ...], trouble: str) -> Item:
    return Item(
        place=place,
        parts=parts or (place,),
        trouble=trouble,
        remedy="Open it yourself, put what is in it into a folder of the same name, and collect "
        "again; or ask for it again.",
    )


def _archive(
    file: IO[bytes], place: str, parts: tuple[str, ...], limits: Bounds, budget: _Budget
) -> Iterator[Item]:
    """The files of an archive; what zipfile itself cannot make sense of is one trouble."""
    size = file.seek(0, os.SEEK_END)
    try:
        if size > limits.files * LEAST_ENTRY:
            bounded(lambda: len(zipfile.ZipFile(file).infolist()))
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
    except TooCostlyError:
        yield _broken(place, parts, "an archive whose list of files is too long to read")
        return
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        yield _broken(place, parts, f"not a zip archive that can be opened ({error})")
        return
    if len(entries) > limits.files:
        yield _broken(place, parts, f"an archive of {len(entries)} files")
        return
    if sum(len(entry.filename) for entry in entries) > limits.names_bytes:
        yield _broken(place, parts, "an archive of names that are too long")
        return
    if all(entry.filename.endswith("/") for entry in entries):
        yield _broken(place, parts, "an archive without a file")
    for entry, name in zip(entries, names_in_archive(entries), strict=True):
        entry.filename = name
        if not name.endswith("/"):  # the like of zipfile breaks where there is no name
            yield from _entry(archive, entry, (place, parts), limits, budget)


def _entry(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    within: tuple[str, tuple[str, ...]],
    limits: Bounds,
    budget: _Budget,
) -> Iterator[Item]:
    names = tuple(n for n in entry.filename.replace("\\", "/").split("/") if n not in ("", "."))
    place, parts = f"{within[0]}/{'/'.join(names)}", (*within[1], *names)
    trouble, remedy = _refused(entry, names)
    if trouble:
        yield Item(place=place, parts=parts or (place,), trouble=trouble, remedy=remedy)
        return
    if not _is_zip(names[-1]) or any(n in NOISE or n.startswith(".") for n in names):
        item = _leaf(place, parts, entry.file_size, lambda: b"", limits)
        if item.trouble or item.noise:
            yield item
            return
    most = min(limits.file_bytes, budget.left)
    if _is_zip(names[-1]):
        if place.casefold().count(".zip/") >= limits.depth:
            yield _broken(place, parts, "an archive within too many others")
            return
        most = min(limits.archive_bytes // 4, budget.left)
    try:
        content = _content(archive, entry, most)
    except (
        *(zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError),
        *(NotImplementedError, ValueError, MemoryError),
    ) as error:
        yield _broken(place, parts, f"damaged in its archive ({error})")
        return
    if content is None:
        yield _broken(place, parts, "far larger than its archive lets on")
        return
    budget.spend(len(content))
    if _is_zip(names[-1]):
        inner = (*parts[:-1], names[-1][:-4])
        own = _Budget(limits.file_bytes + limits.times * entry.compress_size, budget)
        yield from _archive(io.BytesIO(content), place, inner, limits, own)
    else:
        yield _leaf(place, parts, len(content), lambda: content, limits)


def _refused(entry: zipfile.ZipInfo, names: tuple[str, ...]) -> tuple[str, str]:
    """Why an entry is not read, by its name and kind alone."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    drive = bool(names) and re.match(r"[A-Za-z]:", names[0]) is not None
    odd = entry.filename.startswith(("/", "\\")) or ".." in names or drive
    if not names or odd:
        return "a name that leads out of its archive", "Nobody does that by accident: ask."
    if max(map(len, names)) > 255:
        return "a name that no file can have", "Ask for it again, under another name."
    written = "".join(names)  # wide blanks and joiners stand in many people's names
    if harmless(written) != written or "\n" in written or "\t" in written:
        return "a name with control characters", "Ask for it again, under another name."
    if kind and kind != stat.S_IFREG:
        return "a link or a device in an archive", "Ask for the file itself."
    if entry.flag_bits & 0x1:
        return "encrypted", "Ask for it without a password."
    return "", ""


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes | None:
    """What an entry really holds; None if that is more than allowed, whatever it says of itself."""
    with archive.open(entry) as file:
        content = file.read(most + 1)
    return None if len(content) > most else content
