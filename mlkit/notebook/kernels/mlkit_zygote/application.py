"""IPython's kernel application, as it runs in a forked process."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from tornado.ioloop import IOLoop
from traitlets.config import Config

__all__ = ["ForkedKernelApp", "usual_config"]

HISTORY = "--HistoryManager.hist_file="
LAST_MESSAGES_S = 5.0


class ForkedKernelApp(IPKernelApp):
    """Waits for its orders before it runs anyone's code, and ends without detours."""

    orders: Any = None

    def parse_command_line(self, argv: Any = None) -> None:
        """Take the usual arguments as they are; a parser for all others costs 10 ms to make."""
        config = usual_config(argv or ())
        if config is None:
            super().parse_command_line(argv)
            return
        self.argv, self.extra_args = list(argv), []
        self.cli_config = config
        self.update_config(config)

    @property
    def is_spare(self) -> bool:
        """Whether it has not been ordered to do anything yet."""
        return self.orders is not None and not self.orders.taken

    def init_path(self) -> None:
        """Put the working directory on the path, once it is known."""
        if not self.is_spare:
            super().init_path()  # type: ignore[no-untyped-call] # ipykernel has no types here

    def init_gui_pylab(self) -> None:
        """Choose how plots are shown, once the environment is known."""
        if not self.is_spare:
            super().init_gui_pylab()  # type: ignore[no-untyped-call] # see above

    def init_extensions(self) -> None:
        """Load extensions, once environment and working directory are known.

        This is the first that may run somebody's code, so the guard is armed before it.
        """
        if not self.is_spare:
            if self.orders is not None:
                self.orders.guard.arm()
            super().init_extensions()  # type: ignore[no-untyped-call] # see above

    def init_code(self) -> None:
        """Run startup files, once environment and working directory are known."""
        if not self.is_spare:
            super().init_code()  # type: ignore[no-untyped-call] # see above

    def obey(self, *_: Any) -> None:
        """Take up the orders, which have come, and do what had to wait for them."""
        IOLoop.current().remove_handler(self.orders.link)
        try:
            self.orders.take_up(self)
        except Exception:  # noqa: BLE001 - whatever it is, there is no kernel to be had here
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
        self.init_path()
        self.init_gui_pylab()
        self.init_extensions()
        self.init_code()
        sys.stdout.flush()
        sys.stderr.flush()

    def start(self) -> None:
        """Run until the shutdown, and let the control thread finish before anything is closed.

        A spare kernel is up and running by then, but for what depends on its orders.

        It flushes once more after a shutdown request; if the output thread has been ended by then,
        as stock kernels may do it, it waits for ever, and the kernel with it.
        """
        if self.is_spare:
            IOLoop.current().add_handler(self.orders.link, self.obey, IOLoop.READ)
        look = self.kernel._process_children
        self.kernel._process_children = lambda: look() if has_children() else []
        super().start()  # type: ignore[no-untyped-call] # ipykernel has no types here
        for thread in (self.control_thread, self.shell_channel_thread):
            if thread is not None and thread.is_alive():
                thread.stop()
                thread.join(timeout=LAST_MESSAGES_S)


# The lines of its log begin with its name, by which programs filter them.
ForkedKernelApp.__name__ = ForkedKernelApp.__qualname__ = IPKernelApp.__name__


def has_children() -> bool:
    """Whether this process has children; ipykernel reads all of /proc to find that out."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return True
    return False


def usual_config(arguments: Sequence[str]) -> Config | None:
    """The configuration that the arguments mean, if they are what nbclient and Papermill pass.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name.

    Returns
    -------
    Config or None
        None if there is anything else among them.
    """
    match list(arguments):
        case ["-f", file]:
            return Config(IPKernelApp={"connection_file": file})
        case ["-f", file, history] if history.startswith(HISTORY):
            place = history.removeprefix(HISTORY)
            return Config(
                IPKernelApp={"connection_file": file}, HistoryManager={"hist_file": place}
            )
    return None
