"""The commands that a panel has started: each in a process of its own, as in a terminal.

So a run blocks nothing in the server, has the options and the words of `mlkit run`, and goes on
when JupyterLab is closed; what it does is read from its event log, like every other run's.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlkit.errors import UsageError

__all__ = ["Jobs"]


@dataclass(kw_only=True)
class _Job:
    kind: str
    process: asyncio.subprocess.Process
    is_cancelled: bool = False
    error: dict[str, Any] | None = None
    watcher: asyncio.Task[bytes] | None = field(default=None, repr=False)

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None


class Jobs:
    """One command at a time on each pipeline."""

    def __init__(self) -> None:
        self._jobs: dict[Path, _Job] = {}

    def told(self, file: Path) -> dict[str, Any] | None:
        """What the newest command on a pipeline is doing; None if there was none."""
        job = self._jobs.get(file)
        if job is None:
            return None
        return {
            "kind": job.kind,
            "running": job.is_running,
            "cancelled": job.is_cancelled,
            "error": job.error,
        }

    async def start(self, file: Path, kind: str, words: Sequence[str]) -> None:
        """Start `mlkit KIND …` on a pipeline.

        Parameters
        ----------
        file : Path
            Its pipeline.yaml.
        kind : str
            The command.
        words : sequence of str
            What stands behind it.

        Raises
        ------
        UsageError
            If a command that was started here goes on with this pipeline.
        """
        before = self._jobs.get(file)
        if before is not None and before.is_running:
            raise UsageError(
                f"'mlkit {before.kind}' goes on with this pipeline",
                remedy="Wait for its end, or cancel it",
            )
        job = await _begun(kind, words, file.parent)
        job.watcher = asyncio.create_task(_watch(job))
        self._jobs[file] = job

    async def wait(self, kind: str, words: Sequence[str]) -> dict[str, Any]:
        """Do `mlkit KIND …` to its end; gives what it says, or under `error` what was wrong."""
        job = await _begun(kind, words, Path.cwd())
        said = await _watch(job)
        if job.error is not None:
            return {"error": job.error}
        found: dict[str, Any] = json.loads(said)
        return found

    def cancel(self, file: Path) -> bool:
        """Stop the command on a pipeline as Ctrl-C does; False if none goes on."""
        job = self._jobs.get(file)
        if job is None or not job.is_running:
            return False
        job.is_cancelled = True
        job.process.send_signal(signal.SIGINT)
        return True


async def _begun(kind: str, words: Sequence[str], folder: Path) -> _Job:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mlkit", kind, *words, "--json"),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    return _Job(kind=kind, process=process)


async def _watch(job: _Job) -> bytes:
    """Wait for the end, and keep what the command says was wrong; gives what it has printed."""
    said, told = await job.process.communicate()
    if job.process.returncode in (0, 1) or job.is_cancelled:
        return said  # it ran, and its record says how
    try:
        job.error = json.loads(said)["error"]
    except (ValueError, KeyError, TypeError):
        last = told.decode(errors="replace").strip().splitlines()[-8:]
        code = job.process.returncode
        message = "\n".join(last) or f"'mlkit {job.kind}' ended with {code}"
        job.error = {"message": message, "file": None, "line": None, "remedy": None, "code": None}
    return said
