"""Which kept kernels have to go, and which attempts leave one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.kept_kernel import MOST, Keeping, KeptKernel, crowded_out
from mlkit.core.policies import Retry
from mlkit.core.record import ErrorRecord


def kernel(number: int, memory_bytes: int, began: float = 0.0, until: float = 60.0) -> KeptKernel:
    """A kernel that is kept."""
    facts = dict.fromkeys(
        ("run_id", "runs_dir", "pipeline", "file", "stage", "error", "connection", "folder"), "x"
    )
    return KeptKernel(
        **facts,
        id=str(number),
        attempt=1,
        cell=None,
        began=began,
        until=until,
        memory_bytes=memory_bytes,
        pid=1,
        keeper=1,
        sockets="x",
        token="x",
    )


@given(st.lists(st.tuples(st.floats(0, 9), st.integers(0, 9)), max_size=5), st.integers(0, 12))
def test_the_oldest_go_and_no_more_than_have_to(kept: list[tuple[float, int]], new: int) -> None:
    """Afterwards number and memory keep to their limits; one fewer gone, and they would not."""
    kernels = [kernel(n, size, began) for n, (began, size) in enumerate(kept)]
    gone = crowded_out(kernels, new, 10)
    if new > 10:
        assert gone is None
        return
    assert gone is not None
    ordered = sorted(kernels, key=lambda each: (each.began, each.id))
    assert list(gone) == ordered[: len(gone)]
    left = ordered[len(gone) :]

    def fits(some: list[KeptKernel]) -> bool:
        return len(some) < MOST and sum(each.memory_bytes for each in some) + new <= 10

    assert fits(left)
    assert not gone or not fits(ordered[len(gone) - 1 :])


def test_an_attempt_that_is_tried_again_leaves_none() -> None:
    """By the stage's own policy; the last one does, and one whose error is not tried again."""
    retry = Retry(max_retries=2, on=("OSError",))
    passing = ErrorRecord(type="OSError", message="", bases=("builtins.OSError",))
    other = ErrorRecord(type="ValueError", message="", bases=("builtins.ValueError",))
    for left, error, is_last in ((1, passing, False), (1, other, True), (0, passing, True)):
        assert Keeping(for_s=1, retries_left=left, retry=retry).is_last(error) is is_last


def test_the_clock_names_the_day_where_it_is_another() -> None:
    """`14:32`, or with the date."""
    assert len(kernel(1, 0).clock) == 5
    assert len(kernel(1, 0, until=2 * 86_400.0).clock) == 16
