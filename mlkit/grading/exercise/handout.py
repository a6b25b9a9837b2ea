"""Write a folder for learners: whole, the same each time, and never over what somebody has written.

A handout is a mapping from paths to bytes. The folder that holds one remembers it in
`.mlkit/handout.json`, so that a later one can tell what was changed by people since.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import Any

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.exercise.source import GIVEN
from mlkit.grading.tables import write_whole

__all__ = ["RECORD", "Handout", "Written", "home_of", "read_record", "write_folder", "write_zip"]

RECORD = ".mlkit/handout.json"
MOMENT = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold: equal handouts are equal bytes


@dataclass(frozen=True, kw_only=True)
class Handout:
    """What learners are to get.

    Parameters
    ----------
    files : Mapping
        Path in the folder → content.
    about : Mapping
        What the record says of it.
    """

    files: Mapping[str, bytes]
    about: Mapping[str, Any] = field(default_factory=dict)

    def record(self, earlier: Mapping[str, str]) -> bytes:
        """The text of the record; what an earlier handout said of files stays, if it is given."""
        digests = {name: _digest(content) for name, content in self.files.items()}
        document = {**self.about, "files": {**digests, **earlier}}
        return (json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of a handout's files: new ones, changed ones, those left as people made them."""

    place: Path
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def home_of(place: Path) -> Path | None:
    """The folder for learners that a place lies in: the nearest one with exercises as given."""
    for folder in (place, *place.parents):
        if (folder / RECORD).is_file() and (folder / GIVEN).is_dir():
            return folder
    return None


def read_record(folder: Path) -> dict[str, Any]:
    """What the folder remembers of its handout; empty if there is none.

    Raises
    ------
    GradingError
        If the record is not one.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise GradingError(f"the folder's record cannot be read ({error})", path) from error
    kinds = {"files": dict, "exercises": dict, "opened": list, "packages": list}
    if not isinstance(record, dict) or not all(
        isinstance(record.get(name, kind()), kind) for name, kind in kinds.items()
    ):
        raise GradingError("the folder's record is not one that mlkit has written", path)
    return record


def write_folder(
    handout: Handout, folder: Path, *, keep_edited: bool = False, git: bool = False
) -> Written:
    """Put a handout into a folder.

    Parameters
    ----------
    handout : Handout
        What learners are to get.
    folder : Path
        Where; an earlier handout there is brought up to date.
    keep_edited : bool
        Leave files alone that were changed since they were handed out; otherwise they are a
        reason to write nothing.
    git : bool
        Make the folder a git repository, and commit.

    Raises
    ------
    GradingError
        If something else stands there, or has been changed since; then nothing is written.
    """
    if git and shutil.which("git") is None:
        raise GradingError("git is not installed", remedy="Install git, or leave --git away.")
    earlier = _earlier(folder)
    states = {
        name: _state(folder / name, content, earlier.get(name))
        for name, content in handout.files.items()
    }
    edited = sorted(name for name, state in states.items() if state == "edited")
    if edited and not keep_edited:
        raise GradingError(
            f"{', '.join(edited)} was changed since it was handed out, and would be overwritten",
            folder,
            remedy="Move it away, or give another folder with --to.",
            code="E806",
        )
    wanted = {
        name: handout.files[name] for name, state in states.items() if state in ("new", "old")
    }
    # What people have changed stays another than what was handed out, and other files stay ours.
    still = {n: d for n, d in earlier.items() if n in edited or n not in handout.files}
    for name, content in wanted.items():
        _replace(folder / name, content)
    _replace(folder / RECORD, handout.record(still))
    if git:
        _commit(folder)
    return Written(
        place=folder,
        new=tuple(sorted(name for name, state in states.items() if state == "new")),
        changed=tuple(sorted(name for name, state in states.items() if state == "old")),
        kept=tuple(edited),
    )


def _earlier(folder: Path) -> dict[str, str]:
    """What an earlier handout put there: name → digest."""
    if folder.exists() and not folder.is_dir():
        raise GradingError("this is no folder", folder, remedy="Give another place with --to.")
    record = read_record(folder)
    if record:
        return {str(name): str(digest) for name, digest in record.get("files", {}).items()}
    there = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    if [name for name in there if name != ".git"]:
        raise GradingError(
            "the folder is not empty, and nothing in it was handed out by mlkit",
            folder,
            remedy="Give a new folder, or one that an earlier call of this command has written.",
            code="E806",
        )
    return {}


def _state(path: Path, content: bytes, known: str | None) -> str:
    """`same`, `new`, `old` (as it was handed out before), or `edited`."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return "edited"
    if not path.exists():
        return "new"
    there = _digest(path.read_bytes())
    if there == _digest(content):
        return "same"
    return "old" if there == known else "edited"


def write_zip(handout: Handout, path: Path) -> Written:
    """Put a handout into a zip, below a folder of the zip's own name.

    Raises
    ------
    GradingError
        If something is there that is no such zip; then nothing is written.
    """
    before = path.read_bytes() if path.is_file() else None
    if path.exists() and (before is None or not _is_handout(before)):
        raise GradingError(
            "something is there that mlkit has not handed out",
            path,
            remedy="Move it away, or give another place with --to.",
            code="E806",
        )
    whole = {**handout.files, RECORD: handout.record({})}
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(whole.items()):
            entry = zipfile.ZipInfo(f"{path.stem}/{name}", date_time=MOMENT)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    content = held.getvalue()
    if content == before:
        return Written(place=path)
    _replace(path, content)
    names = tuple(sorted(whole))
    return Written(place=path, changed=names) if before else Written(place=path, new=names)


def _is_handout(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(PurePosixPath(name).match(RECORD) for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _commit(folder: Path) -> None:
    """Commit all that stands in a folder, in a repository of its own."""
    if not (folder / ".git").exists():
        _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all")
    if not _git(folder, "status", "--porcelain").strip():
        return
    known = subprocess.run(
        ["git", "-C", str(folder), "config", "user.email"], capture_output=True, check=False
    )
    nobody = ["-c", "user.name=mlkit", "-c", "user.email=mlkit@localhost"]
    who = [] if known.returncode == 0 else nobody
    quiet = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]
    _git(folder, *who, *quiet, "commit", "--quiet", "--message", "Exercises")


def _git(folder: Path, *words: str) -> str:
    # A call from within a hook or another repository would otherwise be about that one.
    around = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=around,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise GradingError(f"git {words[0]} failed: {' '.join(said)}", folder)
    return done.stdout


def _replace(path: Path, content: bytes) -> None:
    """Write a file in one step.

    Raises
    ------
    GradingError
        If it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise GradingError(
            f"the file cannot be written: {reason}",
            path,
            remedy="Name another folder, or make room there",
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
