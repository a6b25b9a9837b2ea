"""Forked kernels: each a fresh process that finds its imports done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlkit.core.policies import KernelKind
from mlkit.notebook.kernels.address import Address
from mlkit.notebook.kernels.forked import ForkedProcess, ForkError
from mlkit.notebook.kernels.forking import Zygote
from mlkit.notebook.kernels.request import USUAL_ARGUMENTS, KernelRequest
from mlkit.notebook.kernels.spawn import SpawnKernels
from mlkit.notebook.kernels.surroundings import differing, fixed_at_boot, fixed_at_start

if TYPE_CHECKING:
    from mlkit.notebook.kernels.manager import LeashedKernelManager

__all__ = ["ForkKernels"]

# mlkit's own part in a notebook; it is cheap, and needed before the first cell.
CALLED_IN_EVERY_KERNEL = ("mlkit.inside.attempt",)

# Nobody sets breakpoints in a pipeline's run, and a hundred modules need not be imported for them.
DEBUGGER = ("debugpy",)


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


class ForkKernels(SpawnKernels):
    """Gives out forked kernels, and stock ones where a request cannot be met by forking."""

    def __init__(
        self, *, preload: Sequence[str] | None, env: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._say = say
        self._said: set[str] = set()
        self._wanted = 0
        self._spares: deque[Spare] = deque()
        self._zygote = Zygote(
            self._leash,
            preload=preload,
            env=env,
            say=say,
            trusted=CALLED_IN_EVERY_KERNEL,
            hidden=DEBUGGER,
        )

    @property
    def kind(self) -> KernelKind:
        """`fork`, until forking turns out not to be safe or not to be had."""
        self._zygote.hear()
        return "spawn" if self._zygote.refusal else "fork"

    def manager(self, request: KernelRequest) -> LeashedKernelManager:
        """Make a manager, not yet started, whose kernel will be forked if that can be."""
        if not self._can_fork(request):
            return super().manager(request)
        from mlkit.notebook.kernels.manager import make_manager
        from mlkit.notebook.kernels.provision import ForkProvisioner

        spare = self._take_spare(request)
        address = spare.address if spare else self._address()
        manager = make_manager(ForkProvisioner, request, self._leash, address, self.context())
        provisioner = manager.provisioner
        assert isinstance(provisioner, ForkProvisioner)
        provisioner.zygote = self._zygote
        provisioner.spare = spare.process if spare else None
        provisioner.after_start = self._refill
        return manager

    def preload(self, names: Sequence[str]) -> None:
        """Say what to import ahead, where that was not known when the kernels were opened."""
        self._zygote.preload(names)

    def prepare(self, count: int = 1, *, first: Sequence[frozenset[str] | None] = ()) -> None:
        """Keep `count` kernels ready from now on; with 0 none is added."""
        self._wanted = count
        with self._lock:
            for needs in first:
                self._add_spare(needs)
        self._refill()

    def close(self) -> None:
        """Kill every kernel that is still alive, and the zygote."""
        self.prepare(0)
        with self._lock:
            while self._spares:
                self._spares.popleft().process.dismiss()
        self._leash.end_kernels()
        self._zygote.close()
        super().close()

    def _can_fork(self, request: KernelRequest) -> bool:
        """Whether this request can be met; says once what stands against it."""
        if not request.preload_ok or self.kind == "spawn":
            return False
        fixed = [n for n in differing(request.env, self._zygote.env) if fixed_at_start(n)]
        if fixed and fixed[0] not in self._said:
            self._said.add(fixed[0])
            self._say(f"a stock kernel is used where {', '.join(fixed)} was set anew")
        return not fixed

    def _take_spare(self, request: KernelRequest) -> Spare | None:
        """A spare kernel that is alive and suits the request."""
        if any(fixed_at_boot(name) for name in differing(request.env, self._zygote.env)):
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
            process = self._zygote.fork(arguments, spare=True, needs=needs)
        except ForkError:
            self._wanted = 0  # the zygote has said, or will say, why
            return
        self._spares.append(Spare(address=address, process=process, needs=needs))
