"""The keeper: a small process that holds one kernel after its driver has ended.

It runs by its path under `python -I -S` and needs the standard library only. It holds what the
driver held: the kernel's link, on whose end a forked kernel ends. Its own warden kills the kernel
and all that this has started as soon as the keeper is gone, however it ended, and removes the
folders. So the keeper's whole work is to wait: for the kernel's end, the time, or a signal.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

__all__ = ["main", "wait"]

LOOK_S = 1.0
"""How often to look for the kernel where the system does not tell of its end."""


def wait(pid: int, until: float) -> None:
    """Return when a process has ended, or at a time in seconds since 1970."""
    end = None
    if hasattr(os, "pidfd_open"):
        try:
            end = os.pidfd_open(pid)
        except ProcessLookupError:
            return
    while (left_s := until - time.time()) > 0:
        if end is not None:  # at most an hour: the clock on the wall may be set
            if select.select([end], [], [], min(left_s, 3600))[0]:
                return
            continue
        time.sleep(min(left_s, LOOK_S))
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return


def main() -> None:
    """Become a process of its own, say its number, and wait; orders stand on standard input.

    `pid`, `token`: the kernel and the mark that it and all it starts carry; `until`: seconds since
    1970; `folders`: what goes with it; `warden`: the warden's program.
    """
    orders: dict[str, Any] = json.load(sys.stdin)
    os.chdir("/")
    if os.fork():
        os._exit(0)  # who called need not wait for more, and is nobody's parent
    os.setsid()
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    warden = subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", orders["warden"]),
            *(str(os.getpid()), orders["token"], *orders["folders"]),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={},
    )
    assert warden.stdin is not None
    warden.stdin.write(f"+{orders['pid']}\n".encode())
    warden.stdin.flush()
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    with contextlib.suppress(KeyboardInterrupt):
        wait(orders["pid"], orders["until"])


if __name__ == "__main__":
    main()
