"""Which variables can be given to a kernel that was forked from another environment."""

from __future__ import annotations

import pytest

from mlkit.notebook.kernels.fixed_environment import differing, fixed_at_boot, fixed_at_start


@pytest.mark.parametrize(
    "name", ["PYTHONHASHSEED", "LC_ALL", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "LD_PRELOAD"]
)
def test_what_the_interpreter_or_a_library_reads_once_is_fixed(name: str) -> None:
    """A forked kernel would not notice a change."""
    assert fixed_at_start(name)


@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "MPLBACKEND", "MLKIT_RUN_ID", "HOME", "TZ"])
def test_what_is_read_late_or_replayed_is_not(name: str) -> None:
    """These may differ from kernel to kernel."""
    assert not fixed_at_start(name)


def test_home_is_fixed_for_a_kernel_that_has_booted() -> None:
    """IPython's profile stands in it."""
    assert fixed_at_boot("HOME")
    assert not fixed_at_boot("PATH")


def test_differing_names_are_those_that_changed_came_or_went() -> None:
    """Sorted, so that what is said to people is always the same."""
    assert differing({"a": "1", "b": "1", "c": "1"}, {"c": "2", "b": "1", "d": "1"}) == [
        "a",
        "c",
        "d",
    ]
