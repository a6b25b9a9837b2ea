"""The zygote's loop: fork a kernel for each request, and report how each kernel ended."""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from .child import become_kernel, leave_quickly
from .messages import receive, send
from .preload import Imports
from .system import adopt_orphans

__all__ = ["main"]


class Server:
    """Owns the kernels that it has forked; single-threaded, as every fork needs it."""

    def __init__(self, control: socket.socket, imports: Imports) -> None:
        self.control = control
        self.imports = imports
        self.told = False
        self.waiting: list[tuple[list[str] | None, socket.socket]] = []
        self.kernels: dict[int, socket.socket] = {}
        self.woken, self.waker = os.pipe()
        for end in (self.woken, self.waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.waker)

    def serve(self) -> socket.socket | None:
        """Import and fork until the driver hangs up.

        Returns
        -------
        socket or None
            In a new kernel: its link to the driver. In the zygote: None, at the end.
        """
        while True:
            ends: list[Any] = [self.control, self.woken]
            ready, _, _ = select.select(ends, [], [], 0 if self.has_work() else None)
            if self.woken in ready:
                self.reap()
            if self.control in ready and not self.listen():
                return None
            link = self.meet()
            if link is not None:
                return link
            if not self.imports.idle:
                self.imports.advance(self.waiting[0][0] if self.waiting else None)
            elif self.imports.done:
                self.tell()

    def has_work(self) -> bool:
        """Whether there is something to do before anything new arrives."""
        return not self.imports.idle or (self.imports.done and not self.told)

    def listen(self) -> bool:
        """Take in a request for a kernel, or what to import; False when the driver has hung up."""
        request = receive(self.control)
        if request is None:
            return False
        message, links = request
        if "spare" in message:
            spared = self.kernels.pop(message["spare"], None)
            if spared is not None:
                spared.close()  # its end is reported to nobody
        if "preload" in message:
            self.imports.want(message["preload"])
        for link in links:
            self.waiting.append((message["needs"], socket.socket(fileno=link)))
        return True

    def meet(self) -> socket.socket | None:
        """Fork a kernel for each request that need not wait; the link, in the kernel."""
        for needs, link in [each for each in self.waiting if self.imports.cover(each[0])]:
            self.waiting.remove((needs, link))
            if self.imports.settle():
                self.tell()
                link.close()  # a refusal
            elif self.fork(link):
                return link
        return None

    def tell(self) -> None:
        """Say once what could not be imported, and whether kernels can be forked."""
        if not self.told:
            self.told = True
            unsafe = self.imports.settle()
            send(self.control, {"skipped": self.imports.skipped, "unsafe": unsafe})
            gc.enable()

    def fork(self, link: socket.socket) -> bool:
        """Fork one kernel; True in the kernel."""
        pid = os.fork()
        if pid:
            self.kernels[pid] = link
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        waiting = [other for _, other in self.waiting]
        for other in (self.control, *self.kernels.values(), *waiting):
            other.close()
        os.close(self.woken)
        os.close(self.waker)
        return True

    def reap(self) -> None:
        """Collect whatever has ended, and tell the driver of kernels.

        A kernel's process group is killed while its dead leader still holds the number.
        """
        with contextlib.suppress(BlockingIOError):
            os.read(self.woken, 4096)
        with contextlib.suppress(ChildProcessError):
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            while (ended := os.waitid(os.P_ALL, 0, options)) is not None:
                link = self.kernels.pop(ended.si_pid, None)
                if link is not None:
                    kill_group(ended.si_pid)
                _, status = os.waitpid(ended.si_pid, 0)
                if link is not None:
                    with contextlib.suppress(OSError):  # the driver has hung up already
                        send(link, {"exit": os.waitstatus_to_exitcode(status)})
                    link.close()

    def end(self) -> None:
        """Kill the kernels that are still alive, and collect them."""
        for pid in self.kernels:
            kill_group(pid)
        while self.kernels:
            select.select([self.woken], [], [])
            self.reap()


def kill_group(group: int) -> None:
    """Kill a process group; one that is gone already is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Import and serve; called with the control socket's number and the modules as arguments."""
    control = socket.socket(fileno=int(sys.argv[2]))
    names, trusted, hidden = json.loads(sys.argv[3])
    atexit.register(leave_quickly)  # the first registered is the last to run
    sys.path[:] = [entry for entry in sys.path if entry]
    adopt_orphans()
    imports = Imports(names, trusted, hidden)
    server = Server(control, imports)
    link = server.serve()
    if link is None:
        server.end()
        imports.end()
        os._exit(0)
    gc.enable()
    become_kernel(link, imports)
