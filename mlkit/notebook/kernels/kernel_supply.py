"""Who gives out the kernels of one driver: stock ones, or ones that were forked from a zygote.

It needs the standard library only, and starts its helper processes at once. What needs
jupyter_client (`manager`, `provisioners`) is imported with the first manager, inside the functions:
that takes 0.1 s, in which the zygote imports already.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mlkit.core.policies import KernelKind
from mlkit.frozen import dataclass
from mlkit.notebook.kernels.address import Address
from mlkit.notebook.kernels.fixed_environment import differing, fixed_at_boot, fixed_at_start
from mlkit.notebook.kernels.kernel_process import ForkedProcess, ForkError
from mlkit.notebook.kernels.leash import Leash
from mlkit.notebook.kernels.met_zygote import MetZygote, meet
from mlkit.notebook.kernels.own_zygote import OwnZygote
from mlkit.notebook.kernels.request import USUAL_ARGUMENTS, KernelRequest
from mlkit.notebook.kernels.warden import LEASH
from mlkit.notebook.kernels.warm_terms import Terms, terms_of
from mlkit.notebook.kernels.warm_zygotes import make_room
from mlkit.notebook.kernels.zygote import Zygote

if TYPE_CHECKING:
    import zmq.asyncio

    from mlkit.notebook.kernels.manager import LeashedKernelManager

__all__ = ["ForkKernels", "Kernels", "open_kernels"]


# mlkit's own part in a notebook; it is cheap, and needed before the first cell.
CALLED_IN_EVERY_KERNEL = ("mlkit.inside.in_kernel",)

# Nobody sets breakpoints in a pipeline's run, and a hundred modules need not be imported for them.
DEBUGGER = ("debugpy",)


class Kernels:
    """Gives out stock kernels, one owner for each driver process; its methods are thread-safe."""

    def __init__(self) -> None:
        self._leash = Leash()
        self._lock = threading.Lock()
        self._context: zmq.asyncio.Context | None = None

    @property
    def kind(self) -> KernelKind:
        """`fork` or `spawn`; a `fork` that is no longer to be had turns into `spawn`."""
        return "spawn"

    @property
    def is_worn_out(self) -> bool:
        """Whether others, opened now in the same way, would be better: what forked is gone."""
        return False

    @property
    def may_outlive(self) -> bool:
        """Whether what is imported ahead may serve later runs too."""
        return False

    def manager(self, request: KernelRequest) -> LeashedKernelManager:
        """Make a manager whose stock kernel is not yet started."""
        from mlkit.notebook.kernels.manager import make_manager
        from mlkit.notebook.kernels.provisioners import LeashedProvisioner

        return make_manager(
            LeashedProvisioner, request, self._leash, self._address(), self.context()
        )

    def preload(self, names: Sequence[str]) -> None:
        """Say what to import ahead, where that was not known when the kernels were opened.

        A stock kernel imports everything itself: here this does nothing.
        """

    def prepare(self, count: int = 1, *, first: Sequence[frozenset[str] | None] = ()) -> None:
        """Get kernels ready ahead of need, where that is cheap; returns at once.

        A stock kernel that is started ahead of need costs as much as one that is started later:
        here this does nothing.

        Parameters
        ----------
        count : int
            How many are kept ready in which everything is imported ahead.
        first : sequence of frozenset of str, or None
            What the first requests will say that they import, in this order: for each of them one
            kernel is made ready besides, as soon as that much is imported.
        """

    def close(self) -> None:
        """Kill every kernel that is still alive, with all it has started, and remove the folder."""
        self._leash.close()
        with self._lock:
            context, self._context = self._context, None
        if context is not None:
            context.destroy(linger=0)

    def context(self) -> zmq.asyncio.Context:
        """The ZeroMQ context that all these kernels share."""
        from mlkit.notebook.kernels.manager import shared_context

        with self._lock:
            if self._context is None:
                self._context = shared_context()
            return self._context

    def _address(self) -> Address:
        """An address that no other kernel has."""
        serial = self._leash.serial()
        return Address(serial=serial, stem=self._leash.folder / str(serial))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


@dataclass(frozen=True, kw_only=True)
class Spare:
    """A kernel that was forked and booted ahead of need.

    Parameters
    ----------
    address : Address
        Where it listens.
    process : ForkedProcess
        Its process, which may not have been forked yet.
    needs : frozenset of str, optional
        What had to be imported before it was forked; None if that was everything.
    """

    address: Address
    process: ForkedProcess
    needs: frozenset[str] | None = None

    def suits(self, imports: frozenset[str] | None) -> bool:
        """Whether a notebook that imports these modules finds them imported.

        One that is still to be forked suits only where a new one would have to wait as long.
        """
        if not self.process.pid:
            return self.needs == imports
        return self.needs is None or (imports is not None and imports <= self.needs)


class ForkKernels(Kernels):
    """Gives out forked kernels, and stock ones where a request cannot be met by forking.

    Parameters
    ----------
    preload, env, say, warm
        See `open_kernels`.
    """

    def __init__(
        self,
        *,
        preload: Sequence[str] | None,
        env: Mapping[str, str],
        say: Callable[[str], None],
        warm: bool = False,
    ) -> None:
        super().__init__()
        self._say = say
        self._said: set[str] = set()
        self._wanted = 0
        self._spares: deque[Spare] = deque()
        self._env = dict(env)
        self._is_closed = False
        self._changing = threading.RLock()
        self._names: tuple[str, ...] | None = None if preload is None else tuple(preload)
        extra = (*CALLED_IN_EVERY_KERNEL, "", *DEBUGGER)
        self._terms: Terms | None = terms_of(env, extra, say) if warm else None
        self._former: list[Zygote] = []
        self._current: Zygote | None = None
        if preload is not None and self._terms is not None:
            self.preload(preload)
        elif self._terms is None or not self._terms.has_some():
            self._current = self._start(preload, self._terms)

    @property
    def _zygote(self) -> Zygote:
        """What forks; there is none yet while it is not known what to import ahead."""
        assert self._current is not None
        return self._current

    @property
    def kind(self) -> KernelKind:
        """`fork`, until forking turns out not to be safe or not to be had."""
        self._hear()
        return "spawn" if self._current is not None and self._current.refusal else "fork"

    @property
    def is_worn_out(self) -> bool:
        """Whether the zygote has served and ended; one that never served would not do so again."""
        self._hear()
        return self._current is not None and self._current.was_lost

    @property
    def may_outlive(self) -> bool:
        """Whether the zygote is one that an earlier run has left, or may stay for later ones."""
        return self._terms is not None

    def _start(self, preload: Sequence[str] | None, terms: Terms | None) -> Zygote:
        """Start a zygote: one that stays on these terms, or one of this driver's alone."""
        return OwnZygote(
            self._leash,
            preload=preload,
            env=self._env,
            say=self._say,
            trusted=CALLED_IN_EVERY_KERNEL,
            hidden=DEBUGGER,
            terms=terms,
        )

    def _hear(self) -> None:
        """Hear what the zygote has to say; one of this driver's alone replaces a shared one."""
        with self._changing:
            old = self._current
            if old is None:
                return
            old.hear()
            if old.refusal and old.is_shared and not self._is_closed and self._names is not None:
                self._terms = None
                self._dismiss_spares()
                self._current = self._start(self._names, None)
                self._former.append(old)  # its kernels go on

    def _instead(self, zygote: Zygote) -> Zygote | None:
        """Another zygote than one that did not fork a kernel; None if there is none."""
        self._hear()
        other = self._current
        return None if other is None or other is zygote or other.refusal else other

    def manager(self, request: KernelRequest) -> LeashedKernelManager:
        """Make a manager, not yet started, whose kernel will be forked if that can be."""
        if not self._can_fork(request):
            return super().manager(request)
        from mlkit.notebook.kernels.manager import make_manager
        from mlkit.notebook.kernels.provisioners import ForkProvisioner

        spare = self._take_spare(request)
        address = spare.address if spare else self._address()
        manager = make_manager(ForkProvisioner, request, self._leash, address, self.context())
        provisioner = manager.provisioner
        assert isinstance(provisioner, ForkProvisioner)
        provisioner.zygote = self._zygote
        provisioner.spare = spare.process if spare else None
        provisioner.instead = self._instead
        provisioner.after_start = self._refill
        return manager

    def preload(self, names: Sequence[str]) -> None:
        """Say what to import ahead: none is forked before.

        Where a zygote may have been left by an earlier run, it is met, or another one is started.
        """
        self._names = tuple(names)
        if self._current is None:
            met = meet(self._terms, names, self._say) if self._terms is not None else None
            self._current = met or self._start(names, self._terms)
        else:
            self._current.preload(names)

    def prepare(self, count: int = 1, *, first: Sequence[frozenset[str] | None] = ()) -> None:
        """Keep `count` kernels ready from now on; with 0 none is added."""
        self._wanted = count
        with self._lock:
            for needs in first:
                self._add_spare(needs)
        self._refill()

    def close(self) -> None:
        """Kill every kernel that is still alive, and the zygote."""
        self._is_closed = True
        self._wanted = 0
        self._dismiss_spares()
        self._leash.end_kernels()
        for each in self._former:
            each.close()
        if self._current is not None:
            self._current.close()
            if self._terms is not None and not isinstance(self._current, MetZygote):
                make_room(self._env)
        super().close()

    def _dismiss_spares(self) -> None:
        with self._lock:
            while self._spares:
                self._spares.popleft().process.dismiss()

    def _can_fork(self, request: KernelRequest) -> bool:
        """Whether this request can be met; says once what stands against it."""
        if not request.preload_ok or request.kernel is not None or self.kind == "spawn":
            return False
        fixed = [n for n in differing(request.env, self._env) if fixed_at_start(n)]
        if fixed and fixed[0] not in self._said:
            self._said.add(fixed[0])
            self._say(f"a stock kernel is used where {', '.join(fixed)} was set anew")
        return not fixed

    def _take_spare(self, request: KernelRequest) -> Spare | None:
        """A spare kernel that is alive and suits the request."""
        if any(fixed_at_boot(name) for name in differing(request.env, self._env)):
            return None
        with self._lock:
            for spare in list(self._spares):
                alive = spare.process.poll() is None
                if alive and not spare.suits(request.imports):
                    continue
                self._spares.remove(spare)
                if alive:
                    return spare
        return None

    def _refill(self) -> None:
        """Fork spares in which everything is imported, until there are as many as wanted."""
        with self._lock:
            while sum(spare.needs is None for spare in self._spares) < self._wanted:
                self._add_spare(None)

    def _add_spare(self, needs: frozenset[str] | None) -> None:
        """Ask for one spare; it comes when what it needs is imported."""
        address = self._address()
        address.write()
        arguments = ["-f", str(address.file), *USUAL_ARGUMENTS]
        try:
            env = {**self._env, LEASH: self._leash.mark(address.serial)}
            process = self._zygote.fork(arguments, env, spare=True, needs=needs)
        except ForkError:
            self._wanted = 0  # the zygote has said, or will say, why
            return
        self._spares.append(Spare(address=address, process=process, needs=needs))


def _silent(line: str) -> None:
    """Say nothing."""


def open_kernels(
    kind: KernelKind,
    *,
    preload: Sequence[str] | None = (),
    env: Mapping[str, str] | None = None,
    say: Callable[[str], None] = _silent,
    warm: bool = False,
) -> Kernels:
    """Open the kernels of one driver process.

    Parameters
    ----------
    kind : {"fork", "spawn"}
        Forked kernels fall back to stock ones, and say why, where forking is not safe or not to be
        had.
    preload : sequence of str, optional
        Modules to import ahead for forked kernels; those outside site-packages are left out. None
        if that is not known yet: no kernel starts before `Kernels.preload` has said it.
    env : Mapping of str to str, optional
        The environment in which they are imported; default: this process's, `PYTHONHASHSEED=0`.
    say : callable
        Receives one line for people when something is not as asked for.
    warm : bool
        Whether the process that forks may be one that an earlier run has left, and may be left for
        later ones, where `env` holds neither `MLKIT_NO_WARM` nor `CI`.

    Returns
    -------
    Kernels
        A context manager.
    """
    if kind == "spawn":
        return Kernels()
    if not sys.platform.startswith("linux"):
        say(f"kernels are not forked on {sys.platform}; stock kernels are used")
        return Kernels()
    start = {"PYTHONHASHSEED": "0", **os.environ} if env is None else env
    return ForkKernels(preload=preload, env=start, say=say, warm=warm)
