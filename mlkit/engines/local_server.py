"""An engine's server on this machine: its port, its group of processes, its end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from mlkit.errors import EngineError, MlkitError
from mlkit.frozen import dataclass

__all__ = ["Served", "end_group", "free_port", "running_group", "until_interrupted"]

_PATIENCE_S = 20.0
"""How long a group may take to end after each signal: a web server lets its requests end first."""

_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server that runs.

    Parameters
    ----------
    url : str
        Its web page.
    process : subprocess.Popen
        Its first process, which leads the group of all.
    log : Path
        Receives what it says.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until(self, answers: Callable[[], bool], name: str) -> None:
        """Wait until the server answers.

        Parameters
        ----------
        answers : callable
            Asks it; an error of the connection means not yet.
        name : str
            What the server is called in the error.

        Raises
        ------
        EngineError
            If it has ended instead.
        """
        while self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                if answers():
                    return
            time.sleep(_LOOK_EVERY_S)
        raise EngineError(
            f"{name} ended with exit code {self.process.returncode}",
            self.log,
            remedy="Read its log",
        )


S = TypeVar("S", bound=Served)


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running_group(
    command: Sequence[str], environ: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command as the leader of a process group, and end the whole group.

    Parameters
    ----------
    command : sequence of str
        The command.
    environ : mapping of str to str
        Its whole environment.
    log : Path
        Receives what it says; its folder is the one that the command works in.
    """
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            end_group(process, signal.SIGTERM)


def end_group(process: subprocess.Popen[bytes], *politely: signal.Signals) -> int:
    """End a process and its group, and give its exit code.

    Parameters
    ----------
    process : subprocess.Popen
        The group's leader.
    *politely : signal.Signals
        What is sent first, one after the other while the leader is there.
    """
    for number in politely:
        if process.poll() is None:
            _send(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_S)
    _send(process.pid, signal.SIGKILL)  # also behind a leader that is gone and left others
    return process.wait()


def _send(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def until_interrupted(start: AbstractContextManager[S], words: Callable[[S], str]) -> int:
    """Run a server as a command does, until Ctrl-C or SIGTERM; gives the exit code.

    Parameters
    ----------
    start : context manager
        Starts the server, and ends it.
    words : callable
        What is said of it when it runs.
    """
    ends = (signal.SIGINT, signal.SIGTERM)  # what it has started ends with it either way
    before = {number: signal.signal(number, signal.default_int_handler) for number in ends}
    try:
        with start as server:
            print(words(server), "Ctrl-C ends it.", sep="\n", flush=True)  # noqa: T201 - a command
            return server.process.wait()
    except KeyboardInterrupt:
        return 130
    except MlkitError as error:
        print(f"mlkit: {error}", file=sys.stderr)  # noqa: T201 - a command
        return error.exit_code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
