"""What this user's runs have left alive: kept kernels, and the processes that fork kernels.

It stands apart from what a run asks at its end, for which nobody needs to know how one forks.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlkit.core.kept_kernel import KeptKernel
from mlkit.notebook.kernels.kept_kernels import kept_kernels
from mlkit.notebook.kernels.warm_zygotes import stop_warm_zygotes
from mlkit.notebook.kernels.zygotes import ZygoteSeen, live_zygotes

__all__ = ["end_zygotes", "list_kernels"]


def list_kernels() -> tuple[tuple[KeptKernel, ...], tuple[ZygoteSeen, ...]]:
    """Give the kernels of this user that are kept, and the processes that fork kernels."""
    return kept_kernels(), live_zygotes()


def end_zygotes(names: Sequence[str] = ()) -> tuple[ZygoteSeen, ...]:
    """End the processes that wait for the next run; one that a run uses ends with that run.

    Parameters
    ----------
    names : sequence of str
        Their process ids; without any, all of them.
    """
    seen = {each.pid: each for each in live_zygotes()}
    told = stop_warm_zygotes(lambda each: not names or str(each.pid) in names)
    return tuple(seen[each.pid] for each in told if each.pid in seen)
