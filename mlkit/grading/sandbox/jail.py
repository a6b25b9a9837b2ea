"""Start the processes of a submission's kernel, watch them, and end them all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any, Literal

from mlkit.errors import GradingError
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.memory import MemoryGroup, files_in, held_bytes
from mlkit.grading.sandbox.seccomp import filter_program
from mlkit.grading.sandbox.walls import (
    HOME,
    PRIVATE,
    SOCKETS,
    Handed,
    Isolation,
    Surroundings,
    as_file,
    command,
    environment,
    inmate_line,
    uid,
)
from mlkit.grading.sandbox.witness import Witness

__all__ = ["Jail"]

# A program that hands work to and fro between threads is caught at it by one of these looks.
LOOKS, BETWEEN_S = 8, 0.02
LINUX = sys.platform == "linux"


class Jail:
    """One kernel's processes: in a sandbox, or with limits only.

    Parameters
    ----------
    surroundings : Surroundings
        Limits, and what must not be seen.
    isolation : str
        `sandboxed` or `limited`.
    """

    def __init__(self, surroundings: Surroundings, isolation: Isolation) -> None:
        self.limits: Limits = surroundings.limits
        self.key = os.urandom(16).hex()
        self._sandboxed = isolation == "sandboxed"
        self._folder = Path(tempfile.mkdtemp(prefix="mlkit-"))
        self._home = self._folder / "home"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._group = MemoryGroup.make(self.limits.memory_bytes) if LINUX else None
        start = self._start_sandboxed if self._sandboxed else self._start_limited
        try:
            self.process, self._first, self.prefix = start(surroundings)
            self.ended_fd = _readable_at_end(self.process)
        except BaseException:
            self._remove()
            raise
        self._namespace = _namespace(self._first)

    def _start_sandboxed(self, around: Surroundings) -> tuple[subprocess.Popen[bytes], int, Path]:
        """Bubblewrap tells the id of the sandbox's first process; through it we see its sockets."""
        connection = as_file(_connection(SOCKETS, self.key).encode())
        users = as_file(f"learner:x:{uid()}:{uid()}::{HOME}:/bin/sh\n".encode())
        calls = as_file(filter_program(memory_files=self._group is not None))
        heard, told = os.pipe()
        begin, let = os.pipe()
        handed = Handed(connection=connection, users=users, calls=calls, told=told, begin=begin)
        line = command(replace(around, data=self._own_copies(around.data)), handed)
        process = subprocess.Popen(
            line, pass_fds=astuple(handed), env=environment(), **self._streams()
        )
        for descriptor in astuple(handed):
            os.close(descriptor)
        with os.fdopen(heard) as answer:
            text = answer.read()
        if not text:
            os.close(let)
            process.wait(timeout=30)
            raise GradingError(f"the sandbox did not start: {self.last_words()}", code="E805")
        first = int(json.loads(text)["child-pid"])
        self._join(first)
        os.close(let)
        return process, first, Path(f"/proc/{first}/root{SOCKETS}/k")

    def _start_limited(self, around: Surroundings) -> tuple[subprocess.Popen[bytes], int, Path]:
        """An ordinary process with limits, for one's own work."""
        connection, home = self._folder / "connection.json", self._home
        home.mkdir()
        for name, path in self._own_copies(around.data).items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(home / name)
        connection.write_text(_connection(str(self._folder), self.key), encoding="utf-8")
        limits = json.dumps({**asdict(around.limits), "processes": 4096})
        process = subprocess.Popen(
            inmate_line(str(connection), limits),
            env={**environment(), "HOME": str(home), "TMPDIR": str(home)},
            cwd=home,
            start_new_session=True,
            **self._streams(),
        )
        self._join(process.pid)
        return process, process.pid, self._folder / "k"

    def _own_copies(self, data: Mapping[str, Path]) -> dict[str, Path]:
        """An exercise's data, readable by the kernel's user; the originals may not be."""
        copies: dict[str, Path] = {}
        for name, path in data.items():
            copies[name] = self._folder / f"data-{len(copies)}"
            shutil.copyfile(path, copies[name])
            copies[name].chmod(0o644)
        return copies

    def _join(self, pid: int) -> None:
        """Put a process into the control group, if there is one; else its use is added up."""
        if self._group is not None and not self._group.take_in(pid):
            self._group.remove()
            self._group = None

    def _streams(self) -> dict[str, Any]:
        return {"stdin": subprocess.DEVNULL, "stdout": self._log, "stderr": self._log}

    def await_sockets(self) -> None:
        """Wait until the kernel has opened its shell and output sockets.

        Raises
        ------
        GradingError
            If the kernel has ended, or the time is over.
        """
        deadline = time.monotonic() + self.limits.start_s
        wanted = [Path(f"{self.prefix}-{number}") for number in (1, 2)]
        while not all(map(self._listens, wanted)):
            if not self.is_alive() or time.monotonic() > deadline:
                raise GradingError(f"the kernel did not start: {self.last_words()}", code="E805")
            time.sleep(0.005)  # nothing tells when a socket is bound; a kernel takes some 200 ms

    def _listens(self, path: Path) -> bool:
        """Whether somebody accepts connections there; that the file exists is not enough."""
        with socket.socket(socket.AF_UNIX) as trial:
            try:
                trial.connect(str(path))
            except PermissionError as error:
                raise GradingError(
                    "the kernel's sockets cannot be reached: this process lacks rights, such as "
                    "those that containers take from root (CAP_DAC_OVERRIDE, CAP_SYS_PTRACE)",
                    code="E805",
                ) from error
            except OSError:
                return False
        return True

    def witness(self, files: Mapping[str, str], watched: str) -> tuple[Witness, str]:
        """A folder that is looked at from here, and its path as the kernel sees it."""
        seen_from_here = (
            Path("/proc", str(self._first), "root", "tmp") if self._sandboxed else self._home
        )
        witness = Witness(seen_from_here, files, watched)
        inside = Path("/tmp") if self._sandboxed else self._home
        return witness, str(inside / witness.name)

    def last_words(self) -> str:
        """The last line that the kernel's processes wrote outside of any cell."""
        self._log.seek(0)
        words = self._log.read(65536).decode(errors="replace").strip().splitlines()
        return words[-1] if words else "it said nothing"

    def is_alive(self) -> bool:
        """Whether the kernel runs."""
        return self.process.poll() is None

    def excess(self) -> Literal["", "memory", "files"]:
        """What the jail's processes use beyond their limits, if anything."""
        if self._group is not None:
            held_too_much = self._group.is_exceeded()
        else:
            held_too_much = self._held_bytes() > self.limits.memory_bytes
        if held_too_much:
            return "memory"
        return "files" if files_in(self._private_folders()) > self.limits.files else ""

    def is_watched(self) -> bool:
        """Whether it can be told from here what the jail's processes hold."""
        return self._group is not None or self._held_bytes() > 0

    def is_asleep(self) -> bool:
        """Whether some thread waits for the clock, and none computes (Linux)."""
        states = [state for pid in self._members() for state in _threads(pid)]
        return any("nanosleep" in where for _, where in states) and not any(
            state == "R" for state, _ in states
        )

    def is_computing(self) -> bool:
        """Whether some thread has a processor, or waits for its turn (Linux)."""
        return any(state == "R" for pid in self._members() for state, _ in _threads(pid))

    def used_s(self) -> float:
        """What all processes have had of the processors, those that have ended included (Linux)."""
        return sum(map(_used_s, self._members()))

    def is_waiting(self) -> bool:
        """Whether no thread computes, however often one looks (Linux)."""
        for _ in range(LOOKS):
            states = {state for pid in self._members() for state, _ in _threads(pid)}
            if not states or states & {"R", "D"}:
                return False
            time.sleep(BETWEEN_S)
        return True

    def _held_bytes(self) -> int:
        network = self._first if self._sandboxed else None
        return held_bytes(self._members(), self._private_folders(), network)

    def _private_folders(self) -> list[Path]:
        """The folders in memory that only the sandbox has."""
        if not self._sandboxed:
            return []
        return [Path(f"/proc/{self._first}/root{folder}") for folder in (*PRIVATE, SOCKETS)]

    def _members(self) -> Iterator[int]:
        entries = os.listdir("/proc") if LINUX else []  # noqa: PTH208 - names are all we need
        for entry in entries:
            if entry.isdigit() and self._is_member(int(entry)):
                yield int(entry)

    def _is_member(self, pid: int) -> bool:
        if self._sandboxed:
            return _namespace(pid) == self._namespace
        try:
            return os.getsid(pid) == self._first
        except ProcessLookupError:
            return False

    def _strays(self) -> Iterator[int]:
        """Where there is no sandbox, what has left for a session of its own (Linux).

        It is told by the home that this kernel alone was given, and what it has started.
        """
        if self._sandboxed or not LINUX:
            return
        home = os.fsencode(f"HOME={self._home}")
        for told in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):  # it has ended, or is somebody else's
                if home in told.read_bytes().split(b"\0"):
                    yield int(told.parent.name)

    def kill(self) -> None:
        """SIGKILL to the first process of the sandbox takes all others with it."""
        if self.is_alive():
            try:
                if self._sandboxed:
                    os.kill(self._first, signal.SIGKILL)
                else:
                    os.killpg(self._first, signal.SIGKILL)
            except ProcessLookupError:
                self.process.kill()
        for pid in self._strays():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=30)  # SIGKILL is sent: only a process stuck in the kernel stays

    def close(self) -> None:
        """End the kernel and remove what belongs to it; may be called again."""
        self.kill()
        if self.ended_fd >= 0:
            os.close(self.ended_fd)
            self.ended_fd = -1
        self._remove()

    def _remove(self) -> None:
        self._log.close()
        if self._group is not None:
            self._group.remove()
            self._group = None
        _remove_folder(self._folder)


def _remove_folder(folder: Path) -> None:
    """Remove a folder in which an answer may have made anything."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # folders nested deeper than Python's stack; rm has none
        subprocess.run(["rm", "-rf", "--", str(folder)], capture_output=True, check=False)


def _connection(folder: str, key: str) -> str:
    """The text of a connection file: Unix sockets in a folder, signed messages."""
    names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    ports = {name: number for number, name in enumerate(names, start=1)}
    way = {"transport": "ipc", "ip": f"{folder}/k", "signature_scheme": "hmac-sha256", "key": key}
    return json.dumps({**ports, **way})


def _readable_at_end(process: subprocess.Popen[bytes]) -> int:
    """A file descriptor that becomes readable when a process has ended."""
    if LINUX:
        return os.pidfd_open(process.pid)
    heard, told = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(told)

    threading.Thread(target=wait, daemon=True).start()
    return heard


def _threads(pid: int) -> Iterator[tuple[str, str]]:
    """The state of each thread of a process, and where in the operating system it waits."""
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            state = (task / "stat").read_text(encoding="utf-8", errors="replace")
            where = (task / "wchan").read_text(encoding="ascii")
            yield state.rpartition(")")[2].split()[0], where


def _used_s(pid: int) -> float:
    """Processor time of a process and of its children that were waited for."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    ticks = map(int, told.rpartition(")")[2].split()[11:15])
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def _namespace(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino  # noqa: PTH116 - a number, not a file
    except OSError:
        return None
