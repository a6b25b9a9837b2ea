"""Kernels that are kept are those that a fresh run would have."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from mlkit.driver.warm import WarmKernels
from mlkit.notebook.kernels import Kernels
from mlkit.notebook.kernels.kernel_supply import ForkKernels

pytestmark = pytest.mark.kernel
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"}


@pytest.fixture
def warm() -> Iterator[WarmKernels]:
    """Kept kernels, closed at the end."""
    kept = WarmKernels()
    yield kept
    kept.close()


def _zygote(kernels: Kernels) -> int:
    assert isinstance(kernels, ForkKernels)
    return kernels._zygote.pid


def _wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_same_kernels_are_lent_until_something_else_is_needed(warm: WarmKernels) -> None:
    """Fewer imports will do; another import, another environment and a renewal ask for new ones."""
    lent = warm.lend(["json", "csv"], ENVIRONMENT)
    assert warm.lend(["csv"], dict(ENVIRONMENT)) is lent
    more = warm.lend(["csv", "pandas"], ENVIRONMENT)
    other = warm.lend(["csv"], {**ENVIRONMENT, "OTHER": "1"})
    warm.renew()
    others = [lent, more, other, warm.lend(["csv"], {**ENVIRONMENT, "OTHER": "1"})]
    assert len({id(each) for each in others}) == 4
    zygotes = [_zygote(each) for each in others]
    warm.close()
    assert not any(map(psutil.pid_exists, zygotes))


def test_what_kernels_have_to_say_is_said_once(warm: WarmKernels) -> None:
    """By the run in which it came up."""
    warm.lend(["csv"], ENVIRONMENT)
    warm._said.append("a line")
    assert warm.take_said() == ["a line"]
    assert warm.take_said() == []


def test_what_forks_is_started_anew_after_somebody_has_killed_it(warm: WarmKernels) -> None:
    """Once it has served: a watch of hours does not go on with stock kernels for that."""
    lent = warm.lend(["csv"], ENVIRONMENT)
    zygote = _zygote(lent)
    _wait_until(lambda: lent.kind == "fork" and lent._zygote._serving)  # type: ignore[attr-defined] # a forking one
    os.kill(zygote, signal.SIGKILL)
    _wait_until(lambda: lent.is_worn_out)
    other = warm.lend(["csv"], ENVIRONMENT)
    assert other is not lent
    assert other.kind == "fork"
    assert warm.lend(["csv"], ENVIRONMENT) is other
    assert "another one is started" in warm.take_said()[-1]


def test_what_forks_and_has_never_served_is_not_started_again(warm: WarmKernels) -> None:
    """It would end in the same way in every round."""
    lent = warm.lend(["csv"], {**ENVIRONMENT, "PYTHONHOME": "/nowhere"})
    _wait_until(lambda: lent.kind == "spawn")
    assert warm.lend(["csv"], {**ENVIRONMENT, "PYTHONHOME": "/nowhere"}) is lent
