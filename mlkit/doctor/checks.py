"""What `mlkit doctor` looks at, one function a check."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from importlib import metadata, util
from pathlib import Path
from typing import Any, Literal

from mlkit.core.states import Status
from mlkit.engines.environments import engine_version, find_python
from mlkit.engines.registry import ENGINES, Engine
from mlkit.engines.remedies import engine_remedy, install_remedy
from mlkit.errors import DISTRIBUTION, RunsFolderError, install_extra
from mlkit.frozen import dataclass
from mlkit.observe.layout import near
from mlkit.store.connection import open_to_read, readable_sqlite_errors
from mlkit.store.refusals import readable_os_errors, refuse_other_than_folder

__all__ = ["Finding", "all_checks"]

LEAST_FREE_BYTES = 1_000_000_000
EXTRAS = {
    "flights": ("mlflow", "the flights pipeline and the lessons"),
    "catboost": ("catboost", "the model family CatBoost in the flights pipeline"),
    "dask": ("distributed", "mlkit run --executor dask://HOST:PORT"),
    "optuna": ("optuna", "mlkit sweep --optuna N"),
    "remote": ("s3fs", "stores and runs folders at s3:// and gs://"),
    "telemetry": ("opentelemetry.sdk", "OpenTelemetry spans of runs"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    title : str
        What was looked at.
    state : {"ok", "missing", "broken"}
        `missing` is an optional part that is not there; `broken` keeps pipelines from running.
    detail : str
        What was found.
    remedy : str
        What to do.
    """

    title: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON."""
        return asdict(self)


Check = Callable[[], Finding]


def all_checks(runs_dir: Path | None) -> Iterator[Check]:
    """Give every check, quick ones first.

    Parameters
    ----------
    runs_dir : Path or None
        The runs folder in question; None where there is no pipeline.
    """
    yield check_python
    yield check_packages
    yield check_sqlite
    if runs_dir is None:
        yield partial(no_pipeline, Path.cwd())
    else:
        yield partial(check_runs_folder, runs_dir)
    yield partial(check_disk, runs_dir or Path.cwd())
    for extra in EXTRAS:
        yield partial(check_extra, extra)
    for engine in ENGINES.values():
        yield partial(check_engine, engine)
    yield check_sandbox
    yield partial(check_kernel, "spawn")
    yield partial(check_kernel, "fork")


def check_python() -> Finding:
    """Which Python this is; an older one than mlkit supports could not have installed it."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(title="Python", state="ok", detail=f"{version} ({sys.executable})")


def check_packages() -> Finding:
    """Every package that mlkit requires is installed, new enough."""
    lines = [line for line in metadata.requires(DISTRIBUTION) or () if _unmet(line)]
    if not lines:
        version = metadata.version(DISTRIBUTION)
        return Finding(title="packages", state="ok", detail=f"mlkit {version} and all it requires")
    return Finding(
        title="packages",
        state="broken",
        detail="; ".join(filter(None, map(_unmet, lines))),
        remedy=install_remedy(Path.cwd(), lines),
    )


def _unmet(requirement: str) -> str | None:
    """Say what is wrong with a requirement; extras' are left to their own checks."""
    match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:>=([0-9.]+))?", requirement)
    if match is None or "extra ==" in requirement:
        return None
    try:
        installed = metadata.version(match[1])
    except metadata.PackageNotFoundError:
        return f"{match[1]} is not installed"
    if match[2] and _numbers(installed) < _numbers(match[2]):
        return f"{match[1]} {installed} is older than {match[2]}"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def check_sqlite() -> Finding:
    """SQLite is new enough for the write-ahead log and partial features that are used."""
    version = sqlite3.sqlite_version
    return Finding(title="SQLite", state="ok", detail=version)


def no_pipeline(folder: Path) -> Finding:
    """There is no pipeline here, so there is no runs folder to look at."""
    return Finding(
        title="pipeline",
        state="missing",
        detail=f"there is no pipeline.yaml in {folder}",
        remedy="'mlkit init DIR' writes a first one; 'mlkit doctor FOLDER' looks at another",
    )


def check_runs_folder(folder: Path) -> Finding:
    """The runs folder can be made and written, and its database is whole; nothing is written."""
    title, shown = "runs folder", near(folder, Path.cwd())
    try:
        refuse_other_than_folder(folder)
    except RunsFolderError as error:
        remedy = error.remedy or ""
        return Finding(title=title, state="broken", detail=error.message, remedy=remedy)
    place = _existing(folder)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            title=title,
            state="broken",
            detail=f"{shown} cannot be written" if place == folder else f"{shown} cannot be made",
            remedy="Choose another one with --runs-dir or MLKIT_RUNS_DIR",
        )
    database = folder / "mlkit.db"
    if not database.exists():
        return Finding(title=title, state="ok", detail=f"{shown} can be written")
    try:
        _check_database(database)
    except RunsFolderError as error:
        remedy = error.remedy or ""
        return Finding(title=title, state="broken", detail=error.message, remedy=remedy)
    return Finding(title=title, state="ok", detail=f"{shown}, its database is whole")


def _existing(folder: Path) -> Path:
    """The folder, or the innermost one above it that there is."""
    return next((path for path in [folder, *folder.parents] if path.exists()), Path.cwd())


def _check_database(file: Path) -> None:
    """Refuse a database as those who look at runs do: on a full disk, say, it is not damaged."""
    with (
        readable_os_errors(file.parent),
        readable_sqlite_errors(file),
        contextlib.closing(open_to_read(file)) as connection,
    ):
        answer = str(connection.execute("PRAGMA quick_check").fetchone()[0])
        if answer != "ok":
            damage = sqlite3.DatabaseError(answer.splitlines()[-1])
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage


def check_disk(folder: Path) -> Finding:
    """There is room for artifacts."""
    free = shutil.disk_usage(_existing(folder)).free
    detail = f"{free / 1e9:.1f} GB free"
    if free >= LEAST_FREE_BYTES:
        return Finding(title="disk", state="ok", detail=detail)
    return Finding(
        title="disk",
        state="broken",
        detail=detail,
        remedy="Free some space, for example with 'mlkit clean --keep 3'",
    )


def check_extra(extra: str) -> Finding:
    """An optional package is there."""
    module, purpose = EXTRAS[extra]
    try:
        found = util.find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if found:
        return Finding(title=extra, state="ok", detail=purpose)
    return Finding(
        title=extra,
        state="missing",
        detail=f"not installed; it is for {purpose}",
        remedy=install_extra(extra),
    )


def check_engine(engine: Engine) -> Finding:
    """An engine's own environment is there."""
    python = find_python(engine, os.environ)
    version = None if python is None else engine_version(engine, python)
    if version is not None:
        detail = f"{engine.title} {version} ({python})"
        return Finding(title=engine.name, state="ok", detail=detail)
    return Finding(
        title=engine.name,
        state="missing",
        detail=f"{engine.title} is not there; it is for 'mlkit run --on {engine.name}'",
        remedy=engine_remedy(engine, Path.cwd()),
    )


def check_sandbox() -> Finding:
    """Bubblewrap is there for grading other people's notebooks."""
    path = shutil.which("bwrap")
    if path is not None:
        return Finding(title="sandbox", state="ok", detail=f"bubblewrap ({path})")
    return Finding(
        title="sandbox",
        state="missing",
        detail="no bubblewrap; grading other people's notebooks needs it",
        remedy="apt-get install bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora)",
    )


def check_kernel(kind: Literal["fork", "spawn"]) -> Finding:
    """A kernel of that kind starts and executes a notebook."""
    # Here, so that an installation in which they are broken is told what is broken.
    from mlkit.notebook.execute import PapermillRunner
    from mlkit.notebook.kernels import open_kernels
    from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest

    said: list[str] = []
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    with (
        tempfile.TemporaryDirectory() as name,
        open_kernels(kind, env=env, say=said.append) as kernels,
    ):
        folder = Path(name)
        request = ExecutionRequest(
            document=_PROBE,
            cwd=folder,
            folder=folder,
            env=env,
            notebook=folder / "notebook.ipynb",
            log=folder / "log.txt",
            facts=folder / "facts.json",
            timeout_s=60,
        )
        result = PapermillRunner(kernels).execute(request, _ignore, Cancellation())
        used = kernels.kind
    title = f"kernels ({kind})"
    if result.status is not Status.SUCCEEDED:
        why = "no reason given" if result.error is None else result.error.message
        return Finding(
            title=title,
            state="broken",
            detail=f"a kernel did not start: {why}",
            remedy=install_remedy(Path.cwd()),
        )
    if used != kind:
        return Finding(
            title=title,
            state="missing",
            detail=f"not to be had here; stock kernels are used ({'; '.join(said)})",
        )
    return Finding(title=title, state="ok", detail="a notebook was executed")


_PROBE: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        {
            "cell_type": "code",
            "id": "probe",
            "metadata": {},
            "source": "assert 1 + 1 == 2",
            "outputs": [],
            "execution_count": None,
        }
    ],
}


def _ignore(news: object) -> None:
    """Take no interest in which cell runs."""
