"""The zygote's loop: fork a kernel for each request, and report how each kernel ended."""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from typing import Any

from .child import become_kernel, leave_quickly
from .door import Door
from .messages import receive, send
from .preload import Imports
from .system import adopt_orphans

__all__ = ["main"]

WAIT_S = 10.0
"""How long somebody who has come in may say nothing."""

FINISH_S = 10.0
"""How long a driver may take to finish a message, which it sends in one piece."""

IMPORTS_S = 600
"""A zygote whose run has gone, and that has not finished its imports by then, ends."""


class Visitor:
    """A driver that is connected, and what it waits for."""

    def __init__(self, control: socket.socket, *, met: bool) -> None:
        self.control = control
        self.met = met
        self.told = False
        self.came = time.monotonic()
        self.others: list[str] = []
        self.waiting: list[tuple[list[str] | None, socket.socket]] = []
        control.settimeout(FINISH_S)

    @property
    def is_dumb(self) -> bool:
        """Whether it has come in and said nothing for so long."""
        return not self.met and time.monotonic() > self.came + WAIT_S

    def say(self, message: dict[str, Any]) -> None:
        """Tell it something; one that has gone is found out by its hanging up."""
        with contextlib.suppress(OSError):
            send(self.control, message)


class Server:
    """Owns the kernels that it has forked; single-threaded, as every fork needs it."""

    def __init__(self, control: socket.socket, imports: Imports) -> None:
        self.imports = imports
        self.visitors = [Visitor(control, met=True)]
        self.kernels: dict[int, tuple[socket.socket, Visitor]] = {}
        self.door: Door | None = None
        self.may_stay: dict[str, Any] | None = None
        self.is_told_to_end = False
        self.started_ns = time.time_ns()
        self.woken, self.waker = os.pipe()
        for end in (self.woken, self.waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.waker)

    def serve(self) -> socket.socket | None:
        """Import and fork until the last driver has hung up, and no other one may come.

        Returns
        -------
        socket or None
            In a new kernel: its link to the driver. In the zygote: None, at the end.
        """
        while self.visitors or self.may_stay is not None or self.is_open():
            listener = None if self.door is None else self.door.listener
            ends: list[Any] = [self.woken, *(each.control for each in self.visitors)]
            ready, _, _ = select.select(
                [*ends, listener] if listener else ends, [], [], self.patience()
            )
            if self.woken in ready:
                self.reap()
            if self.is_told_to_end:
                self.retire()
            if listener in ready and self.door is not None and (link := self.door.admit()):
                self.visitors.append(Visitor(link, met=False))
            for each in [each for each in self.visitors if each.control in ready]:
                if not self.listen(each):
                    self.part(each)
            for each in [each for each in self.visitors if each.is_dumb]:
                self.part(each)
            new = self.meet()
            if new is not None:
                return new
            if not self.imports.idle:
                waiting = [needs for each in self.visitors for needs, _ in each.waiting]
                self.imports.advance(waiting[0] if waiting else None)
            elif self.imports.done:
                self.settle()
        return None

    def patience(self) -> float | None:
        """How long to wait for something to happen; None: as long as it takes."""
        if not self.imports.idle or (self.imports.done and self.has_news()):
            return 0
        if any(not each.met for each in self.visitors):
            return WAIT_S
        return None if self.visitors or self.door is None else self.door.left_s()

    def has_news(self) -> bool:
        """Whether there is something to say or do now that the imports are done."""
        return self.may_stay is not None or any(e.met and not e.told for e in self.visitors)

    def is_open(self) -> bool:
        """Whether another driver may come; a door at which nobody has come for long is closed."""
        if self.door is not None and not self.visitors and self.door.is_over():
            self.retire()
        return self.door is not None

    def terminate(self, *_: Any) -> None:
        """Retire soon: this is called in the middle of anything."""
        self.is_told_to_end = True

    def retire(self) -> None:
        """Let nobody in any more, and end when those that are here have gone."""
        self.may_stay = None
        door, self.door = self.door, None
        if door is not None:
            door.close()

    def listen(self, visitor: Visitor) -> bool:
        """Take in what a driver asks for; False when it has hung up, or cannot be served."""
        try:
            request = receive(visitor.control)
        except OSError:  # it did not finish what it began to say
            return False
        if request is None:
            return False
        message, links = request
        if not visitor.met:
            return self.let_in(visitor, message)
        if "spare" in message:
            spared = self.kernels.pop(message["spare"], None)
            if spared is not None:
                spared[0].close()  # its end is reported to nobody
        if "preload" in message:
            self.imports.want(message["preload"])
            visitor.others = message.get("others", [])
            self.may_stay = message.get("stay")
        for link in links:
            visitor.waiting.append((message["needs"], socket.socket(fileno=link)))
        return True

    def let_in(self, visitor: Visitor, message: dict[str, Any]) -> bool:
        """Hear what somebody who has come in by the door wants: a stop, or to be a driver."""
        if "stop" in message:
            self.retire()
            others = sum(each.met for each in self.visitors)
            visitor.say({"stopped": os.getpid(), "visitors": others})
            return False
        if self.door is None:
            return False
        reasons = self.door.meet(visitor.control, message)
        if reasons:
            visitor.say({"refused": reasons})
            if "outdated" in reasons:
                self.retire()
            return False
        visitor.say({"identity": dict(self.door.identity)})
        visitor.met = True
        self.door.tell(sum(each.met for each in self.visitors))
        return True

    def part(self, visitor: Visitor) -> None:
        """Kill the kernels of a driver that has hung up, and forget it."""
        self.visitors.remove(visitor)
        for each in (visitor.control, *(link for _, link in visitor.waiting)):
            each.close()
        for pid, (_, owner) in self.kernels.items():
            if owner is visitor:
                kill_kernel(pid)
        if self.door is not None:
            self.door.tell(sum(each.met for each in self.visitors))
        elif self.may_stay is not None and not self.visitors:
            signal.alarm(IMPORTS_S)

    def meet(self) -> socket.socket | None:
        """Fork a kernel for each request that need not wait; the link, in the kernel."""
        for visitor in self.visitors:
            for needs, link in [each for each in visitor.waiting if self.imports.cover(each[0])]:
                visitor.waiting.remove((needs, link))
                if self.imports.settle() or self.imports.names_read(visitor.others):
                    self.tell(visitor)
                    link.close()  # a refusal
                elif self.fork(link, visitor):
                    return link
        return None

    def settle(self) -> None:
        """Say to each driver what has come of the imports, and open the door."""
        signal.alarm(0)
        stay, self.may_stay = self.may_stay, None
        if stay is not None and not self.imports.settle():
            self.door = Door(stay, self.imports)
            clash = [each for each in self.visitors if self.imports.names_read(each.others)]
            if clash or not self.door.open(self.started_ns):
                self.retire()
            else:
                signal.signal(signal.SIGTERM, self.terminate)
                self.door.tell(len(self.visitors))
        for each in self.visitors:
            if each.met and not each.told:
                self.tell(each)
        gc.enable()

    def tell(self, visitor: Visitor) -> None:
        """Say once what could not be imported, and whether kernels can be forked."""
        if not visitor.told:
            visitor.told = True
            unsafe = self.imports.settle()
            read = [] if unsafe else self.imports.names_read(visitor.others)
            visitor.say({"skipped": self.imports.skipped, "unsafe": unsafe, "read": read})

    def fork(self, link: socket.socket, visitor: Visitor) -> bool:
        """Fork one kernel; True in the kernel."""
        pid = os.fork()
        if pid:
            self.kernels[pid] = link, visitor
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for each in self.visitors:
            for other in (each.control, *(waiting for _, waiting in each.waiting)):
                other.close()
        for other, _ in self.kernels.values():
            other.close()
        if self.door is not None:
            self.door.abandon()
        os.close(self.woken)
        os.close(self.waker)
        return True

    def reap(self) -> None:
        """Collect whatever has ended, and tell its driver of a kernel.

        A kernel's process group is killed while its dead leader still holds the number.
        """
        with contextlib.suppress(BlockingIOError):
            os.read(self.woken, 4096)
        with contextlib.suppress(ChildProcessError):
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            while (ended := os.waitid(os.P_ALL, 0, options)) is not None:
                link, _ = self.kernels.pop(ended.si_pid, (None, None))
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
            kill_kernel(pid)
        while self.kernels:
            select.select([self.woken], [], [])
            self.reap()


def kill_kernel(pid: int) -> None:
    """Kill a kernel, which need not lead its group yet, with all of it."""
    kill_group(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def kill_group(group: int) -> None:
    """Kill a process group; one that is gone already is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Import and serve; called with the control socket's number and the modules as arguments."""
    control = socket.socket(fileno=int(sys.argv[2]))
    names, trusted, hidden, scratch = json.loads(sys.argv[3])
    atexit.register(leave_quickly)  # the first registered is the last to run
    sys.path[:] = [entry for entry in sys.path if entry]
    adopt_orphans()
    imports = Imports(names, trusted, hidden)
    server = Server(control, imports)
    link = server.serve()
    if link is None:
        server.end()
        imports.end()
        server.retire()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        os._exit(0)
    gc.enable()
    become_kernel(link, imports)
