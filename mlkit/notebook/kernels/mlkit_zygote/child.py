"""How a forked process becomes a kernel that differs from a stock one only in time."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .application import ForkedKernelApp
from .guard import Guard
from .messages import receive, send
from .preload import Imports
from .system import die_with_peer, rewrite_environ

__all__ = ["become_kernel", "leave_quickly"]

PACKAGE = __name__.partition(".")[0]
OWN = (
    "asked_files",
    *("application", "chance", "child", "door", "forking_loop", "guard", "handing", "identity"),
    *("ledger", "loggers", "messages", "preload", "system", "tried"),
)
_links: dict[int, socket.socket] = {}
"""The link to the driver, under the process id of the kernel that it belongs to."""
_streams: list[Any] = []
"""The kernel's own stdout and stderr, whatever a notebook puts in their places."""


class Orders:
    """Environment, working directory and streams of a kernel; they may come after it has booted."""

    def __init__(self, link: socket.socket, imports: Imports) -> None:
        self.link = link
        self.imports = imports
        self.guard = Guard(imports.hidden, self.tell)
        self.taken = False
        self.may_begin_again = False
        self.path = os.environ.get("PYTHONPATH", "")
        self.given: dict[str, str] = {}

    def take_up(self, app: ForkedKernelApp | None = None) -> None:
        """Wait for the orders and obey them."""
        orders = receive(self.link)
        if orders is None:
            os._exit(1)  # the driver has no use for this kernel any more
        self.taken = True
        message, files = orders
        set_by_boot = {} if app is None else self.set_since()
        self.set_environment(message["env"])
        os.environ.update(set_by_boot)
        os.chdir(message["cwd"])
        streams: tuple[Any, ...] = (sys.stdout, sys.stderr) if app else ()
        numbers = [stream.fileno() for stream in streams] or [1, 2]
        for number, file in zip(numbers, files, strict=True):
            os.dup2(file, number)  # ipykernel's streams keep the real ones under other numbers
            os.close(file)
        if app is not None:
            shell = app.kernel.shell
            shell.starting_dir = str(Path.cwd())
            shell.history_manager.dir_hist[:] = [Path.cwd()]
        self.may_begin_again = message["may_begin_again"]
        for name in message.get("settings", ()):
            if self.guard.may_be_read(name):
                self.tell(True, f"env sets {name}, which may be read by what was imported ahead")
        send(self.link, {"ready": True})
        die_with_peer(self.link)

    def tell(self, begin_again: bool, reason: str) -> None:  # noqa: FBT001 - one of two words
        """Tell the driver to begin again in a stock kernel, and end; or that something is amiss."""
        again = begin_again and self.may_begin_again
        with contextlib.suppress(OSError):  # there is no driver any more
            send(self.link, {"again" if again else "unstable": reason})
        if again:
            os.kill(os.getpid(), signal.SIGKILL)  # not a step further, in whatever thread

    def set_since(self) -> dict[str, str]:
        """What the kernel has set in its environment itself: no pager, colours for programs."""
        return {name: text for name, text in os.environ.items() if self.given.get(name) != text}

    def set_environment(self, env: dict[str, str]) -> None:
        """Make `env` the environment, and repeat what was derived from the zygote's."""
        os.environ.clear()
        set_since = self.imports.by_kernel
        os.environ.update({**set_since, **env})
        for name, text in set_since.items():  # also in the place of what was there, as it was once
            if name in env and env[name] == self.imports.started.get(name):
                os.environ[name] = text
        rewrite_environ("MLKIT_LEASH", env.get("MLKIT_LEASH", ""))
        self.given = dict(os.environ)
        time.tzset()
        tempfile.tempdir = None
        before, self.path = self.path, env.get("PYTHONPATH", "")
        old, new = _entries(before), _entries(self.path)
        if sys.path[: len(old)] == old:
            sys.path[: len(old)] = new
        matplotlib = self.imports.hidden.get("matplotlib")
        if matplotlib is not None and env.get("MPLBACKEND"):
            matplotlib.rcParams["backend"] = env["MPLBACKEND"]


def become_kernel(link: socket.socket, imports: Imports) -> None:
    """Turn this freshly forked process into a kernel, and run it to its end.

    Parameters
    ----------
    link : socket
        To the driver.
    imports : Imports
        What was imported ahead.
    """
    os.setsid()  # before the id is told: a process that knows it may signal the group
    os.set_inheritable(link.fileno(), False)
    watch = os.pidfd_open(os.getpid())
    send(link, {"pid": os.getpid()}, watch)
    os.close(watch)
    boot = receive(link)
    if boot is None:
        os._exit(1)
    _links[os.getpid()] = link
    os.register_at_fork(after_in_child=link.close)  # a child of the kernel must not hold it open
    imports.become_a_kernels()
    orders = Orders(link, imports)
    orders.set_environment(boot[0]["env"])
    if not boot[0]["spare"]:
        orders.take_up()
    run(boot[0]["arguments"], orders)


def run(arguments: list[str], orders: Orders) -> None:
    """Run IPython's kernel application as its launcher does."""
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher.origin if launcher else ""), *arguments]
    for name in (PACKAGE, *(f"{PACKAGE}.{module}" for module in OWN)):
        sys.modules.pop(name, None)  # looking at the names of all modules would copy their pages
    app = ForkedKernelApp.instance(parent_handle=1)  # the driver's end is watched for already
    app.orders = orders
    app.initialize(arguments)  # type: ignore[no-untyped-call] # ipykernel has no types here
    _streams.extend((sys.stdout, sys.stderr))
    app.start()


def leave_quickly() -> None:
    """End a kernel without visiting the pages that it shares with the zygote.

    It runs after every other callback, IPython's among them, which has emptied the notebook's
    namespace: what has no other owner is closed and flushed here. What the system still has to do
    after that, the driver need not wait for.
    """
    link = _links.get(os.getpid())
    if link is None:
        return
    gc.collect()
    for stream in _streams:  # what has been written past Python is on its way through a pipe
        with contextlib.suppress(OSError):
            stream.close()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            stream.flush()
    with contextlib.suppress(OSError):  # the driver has hung up
        send(link, {"finished": True})
    os._exit(0)


def _entries(text: str) -> list[str]:
    """The entries that PYTHONPATH gives to sys.path."""
    return [str(Path(entry).absolute()) for entry in text.split(os.pathsep)] if text else []
