"""Keep some workers busy; a worker that fails costs one submission and no more."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from mlkit.errors import GradingError
from mlkit.frozen import dataclass
from mlkit.grading.verdict.verdict import Verdict, ungradable, verdict_from

__all__ = ["Task", "work_off"]

SLICE_S = 0.2  # how soon an interrupt is heeded


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker is asked: a submission, its exercise, and how long that may take."""

    path: str
    student: str
    exercise: str
    max_points: float
    request: dict[str, Any]
    deadline_s: float


def work_off(tasks: Iterable[Task], workers: int, done: Callable[[Task, Verdict], None]) -> None:
    """Grade all tasks, some at a time.

    Parameters
    ----------
    tasks : iterable of Task
        The submissions.
    workers : int
        How many at a time.
    done : callable
        Told every verdict as it comes, in one thread at a time.

    Notes
    -----
    On an interrupt the workers are ended, their sandboxes with them, and what was under way is not
    told.

    Raises
    ------
    GradingError
        If a worker cannot be started.
    """
    left: queue.SimpleQueue[Task] = queue.SimpleQueue()
    count = 0
    for task in tasks:
        left.put(task)
        count += 1
    stop = threading.Event()
    lock = threading.Lock()

    def tell(task: Task, verdict: Verdict) -> None:
        with lock:
            if not stop.is_set():
                done(task, verdict)

    with tempfile.TemporaryDirectory(prefix="mlkit-", ignore_cleanup_errors=True) as folder:
        trouble: list[OSError] = []

        def serve() -> None:
            try:
                _serve(left, stop, tell, folder)
            except OSError as error:
                trouble.append(error)

        threads = [threading.Thread(target=serve, daemon=True) for _ in range(min(workers, count))]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                time.sleep(SLICE_S / 4)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        if trouble:
            reason = trouble[0].strerror or trouble[0]
            raise GradingError(f"no worker can be started: {reason}") from trouble[0]


def _serve(
    left: queue.SimpleQueue[Task],
    stop: threading.Event,
    tell: Callable[[Task, Verdict], None],
    folder: str,
) -> None:
    """One worker process after the other, as long as there are tasks."""
    worker = _Worker(folder)
    try:
        while not stop.is_set():
            try:
                task = left.get_nowait()
            except queue.Empty:
                return
            reply = worker.ask(task.request, task.deadline_s, stop)
            if reply is None:
                worker.end()
                worker = _Worker(folder)
            tell(task, _verdict(task, reply))
    finally:
        worker.end()


def _verdict(task: Task, reply: dict[str, Any] | None) -> Verdict:
    if reply is not None:
        return verdict_from(reply)
    reason = "grading this submission did not come to its end"
    return ungradable(
        task.path, task.student, reason, exercise=task.exercise, max_points=task.max_points
    )


def _own_settings() -> dict[str, str]:
    """The environment without what would steer Python or pytest."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST_"))}


class _Worker:
    """One worker process, in a session of its own; what it leaves behind goes with the batch.

    It imports from its installation alone: neither the folder worked in (`-P`, and a folder of its
    own) nor variables such as PYTHONPATH (`-E`) name code, and none names a plugin or an option of
    pytest.
    """

    def __init__(self, folder: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-E", "-P", "-m", "mlkit.grading.worker"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**_own_settings(), "TMPDIR": folder},
            start_new_session=True,
        )

    def ask(
        self, request: dict[str, Any], deadline_s: float, stop: threading.Event
    ) -> dict[str, Any] | None:
        """The reply to a request, or None if the worker failed or was too slow."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write((json.dumps(request) + "\n").encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return None
        deadline = time.monotonic() + deadline_s
        while time.monotonic() < deadline and not stop.is_set():
            if select.select([self._process.stdout], [], [], SLICE_S)[0]:
                line = self._process.stdout.readline()
                return dict(json.loads(line)) if line.endswith(b"\n") else None
        return None

    def end(self) -> None:
        """End the process and its group; a sandbox dies with the worker that started it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
