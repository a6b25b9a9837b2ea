"""IPython's kernel application, as it runs in a forked process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from ipykernel.kernelapp import IPKernelApp
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

    def init_path(self) -> None:
        """Take up the orders; what follows (extensions, startup files) sees the right world."""
        if self.orders is not None:
            self.orders.take_up(self)
        super().init_path()  # type: ignore[no-untyped-call] # ipykernel has no types here

    def start(self) -> None:
        """Run until the shutdown, and let the control thread finish before anything is closed.

        It flushes once more after a shutdown request; if the output thread has been ended by then,
        as stock kernels may do it, it waits for ever, and the kernel with it.
        """
        look = self.kernel._process_children
        self.kernel._process_children = lambda: look() if has_children() else []
        super().start()  # type: ignore[no-untyped-call] # ipykernel has no types here
        for thread in (self.control_thread, self.shell_channel_thread):
            if thread is not None and thread.is_alive():
                thread.stop()
                thread.join(timeout=LAST_MESSAGES_S)


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
