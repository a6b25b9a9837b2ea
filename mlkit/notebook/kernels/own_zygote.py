"""A zygote that this driver starts: for itself alone, or for the runs that come after it, too."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.mlkit_zygote import messages
from mlkit.notebook.kernels.warden import LEASH, kill_group
from mlkit.notebook.kernels.warm_terms import Terms
from mlkit.notebook.kernels.zygote import FORKED, Zygote

__all__ = ["OwnZygote"]

PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from mlkit_zygote.forking_loop import main;"
    " sys.path.remove(sys.argv[1]); main()"
)

# How long a zygote that serves has to collect its kernels; one that still imports has none.
COLLECT_S = 2.0


class OwnZygote(Zygote):
    """The process that imports ahead and forks, started here.

    Parameters
    ----------
    leash : Leash
        Ends it when the driver dies, unless it may stay.
    preload : sequence of str, optional
        Modules to import ahead; None if `preload` is going to be called.
    env : Mapping of str to str
        The environment in which it starts.
    say : callable
        Receives one line for people for each thing that is not as asked for.
    trusted : sequence of str
        Modules to import ahead although they do not stand in site-packages.
    hidden : sequence of str
        Modules that ipykernel is to do without.
    terms : Terms, optional
        On which it is to stay for later runs: it starts in their environment, is on no leash, and
        ends by itself when this driver hangs up before `preload` was called.
    """

    def __init__(
        self,
        leash: Leash,
        *,
        preload: Sequence[str] | None,
        env: Mapping[str, str],
        say: Callable[[str], None],
        trusted: Sequence[str] = (),
        hidden: Sequence[str] = (),
        terms: Terms | None = None,
    ) -> None:
        control, theirs = socket.socketpair()
        super().__init__(control, say)
        self._leash = leash
        self._terms = terms
        self._may_stay = False
        self.is_shared = terms is not None
        self._folder = leash.folder if terms is None else terms.new_folder()
        if terms is None:
            # With this variable ipykernel would not capture what compiled code prints.
            started = {name: env[name] for name in env if name != "PYTEST_CURRENT_TEST"}
            started[LEASH] = leash.mark(0)
        else:
            started = {**terms.variables, LEASH: f"{secrets.token_hex(8)}.{0:08d}"}
        names = None if preload is None or terms is not None else list(preload)
        scratch = None if terms is None else str(self._folder)
        with theirs, (self._folder / "zygote.log").open("wb") as log:
            self._popen = subprocess.Popen(
                [
                    *(sys.executable, "-Xfrozen_modules=off", "-c", PROGRAM),
                    *(str(Path(__file__).absolute().parent), str(theirs.fileno())),
                    json.dumps([names, list(trusted), list(hidden), scratch]),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                cwd=self._folder,
                env=started,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        if terms is None:
            leash.watch(self.pid)
        else:
            (self._folder / "pid").write_text(str(self.pid), encoding="utf-8")
            if preload is not None:
                self.preload(preload)

    def preload(self, names: Sequence[str]) -> None:
        """Say what to import ahead; one that may stay learns now where later runs look for it."""
        if self._terms is None:
            super().preload(names)
            return
        order = {
            "preload": list(names),
            "others": list(self._terms.others),
            "stay": self._terms.orders(names),
        }
        with self._lock, contextlib.suppress(OSError):
            messages.send(self._control, order)
            self._may_stay = True

    def lives(self) -> bool:
        """Whether the process is there."""
        return self._popen.poll() is None

    def close(self) -> None:
        """Hang up, on which the zygote kills and collects its kernels, and ends if it must."""
        self.hear()
        with self._lock:
            if self.refusal == FORKED:
                return
            self.refusal = self.refusal or "closed"
            self._control.close()
            if self._may_stay:
                # It is collected when it ends, should this process still be there.
                threading.Thread(target=self._popen.wait, name="mlkit-left", daemon=True).start()
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout=COLLECT_S if self._serving else 0)
            kill_group(self.pid)
            self._popen.wait()
            if self._terms is None:
                self._leash.release(self.pid)
            else:
                self._terms.remove_folder(self._folder)

    def last_words(self) -> str:
        """The last line that the zygote has written."""
        with contextlib.suppress(OSError):
            lines = (self._folder / "zygote.log").read_text("utf-8", "replace").splitlines()
            return f" ({lines[-1]})" if lines else ""
        return ""
