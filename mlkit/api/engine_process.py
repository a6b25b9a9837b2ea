"""An engine as a process of its own, followed through the run's event log.

It ends with the run's driver, as kernels do: where the driver is killed, its warden kills the
engine, with its servers and its tasks. Otherwise nobody could stop it, and between two of its tasks
the run would be resumed beside it.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from mlkit.core.events import Event, EventKind
from mlkit.driver.event_log import read_events
from mlkit.engines.launching import Launch
from mlkit.engines.local_server import end_group
from mlkit.errors import EngineError
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.warden import LEASH
from mlkit.notebook.notebook_runner import Cancellation

__all__ = ["EngineProcess"]

_LOOK_EVERY_S = 0.25
_WHOLE_RUN = frozenset({EventKind.RUN_STARTED, EventKind.RUN_RESUMED, EventKind.RUN_FINISHED})
"""Every task opens and closes the run for itself; the run as a whole is told by who started it."""


class EngineProcess:
    """Runs a `Launch` to its end.

    Parameters
    ----------
    launch : Launch
        The command.
    environ : mapping of str to str
        The environment to which the launch adds.
    log : Path
        Receives all that the engine says.
    events : Path
        The run's events.jsonl.
    """

    def __init__(self, launch: Launch, environ: Mapping[str, str], log: Path, events: Path) -> None:
        self.launch = launch
        self.environ = {**environ, **launch.environment}
        self.log = log
        self.events = events
        self._read = 0

    def run(self, cancellation: Cancellation, tell: Callable[[Event], None]) -> int:
        """Run it, tell each stage's events, and give its exit code.

        It stands in a process group of its own, which is ended as a whole when the run is
        cancelled.
        """
        with self.log.open("ab") as log, contextlib.closing(Leash()) as leash:
            process = self._start(log.fileno(), leash)
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_LOOK_EVERY_S)
                    self._tell(tell)
                    if process.poll() is not None or cancellation.requested:
                        return self._end(process, tell)
            finally:
                end_group(process)

    def _start(self, log: int, leash: Leash) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self.launch.command,
                env={**self.environ, LEASH: leash.token},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(
                f"{self.launch.command[0]} cannot be started: {error.strerror or error}"
            ) from error
        leash.watch(process.pid)
        return process

    def _end(self, process: subprocess.Popen[bytes], tell: Callable[[Event], None]) -> int:
        """Ask the group to end, wait for that, and tell the rest."""
        code = end_group(process, signal.SIGINT, signal.SIGTERM)
        self._tell(tell)
        return code

    def _tell(self, tell: Callable[[Event], None]) -> None:
        events, self._read = read_events(self.events, self._read)
        for event in events:
            if event.kind not in _WHOLE_RUN:
                tell(event)
