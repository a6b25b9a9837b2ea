"""Kernels that are kept are those that a fresh run would have."""

from __future__ import annotations

from collections.abc import Iterator

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
    return kernels._zygote._popen.pid


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
