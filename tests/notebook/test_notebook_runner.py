"""Requests to stop, and how failures are put into words."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from mlkit.notebook import failures
from mlkit.notebook.notebook_runner import Cancellation


def test_a_cancellation_calls_each_subscriber_once() -> None:
    """Also those who come later; not those who have left."""
    calls: list[str] = []
    cancellation = Cancellation()
    cancellation.subscribe(lambda: calls.append("a"))
    leave = cancellation.subscribe(lambda: calls.append("b"))
    leave()
    leave()
    cancellation.request()
    cancellation.request()
    assert cancellation.requested
    assert calls == ["a"]
    late = cancellation.subscribe(lambda: calls.append("late"))
    late()
    assert calls == ["a", "late"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "it stopped answering"),
        (0, "its process ended with exit status 0"),
        (-15, "SIGTERM (asked to end from outside)"),
        (-6, "SIGABRT (a compiled library gave up)"),
        (-1, "SIGHUP"),
        (-200, "signal 200"),
    ],
)
def test_a_death_is_put_into_words(status: int | None, words: str) -> None:
    """By its exit status or signal."""
    error = failures.dead_kernel(status, None)
    assert error.message == f"the kernel died before its first cell: {words}"
    assert error.type == "DeadKernel"


def test_bases_that_are_of_another_error_are_not_believed() -> None:
    """The kernel's last error may be an earlier one, which a cell was allowed to raise."""
    output = {"ename": "ValueError", "evalue": "\x1b[31mx\x1b[0m", "traceback": ["\x1b[1mt", "u"]}
    stale = failures.notebook_error(output, ["builtins.KeyError", "builtins.Exception"], 3)
    right = failures.notebook_error(output, ["builtins.ValueError", "builtins.Exception"], 3)
    assert (stale.bases, right.bases) == (
        ("ValueError",),
        ("builtins.ValueError", "builtins.Exception"),
    )
    assert (right.type, right.message, right.traceback, right.cell) == (
        "ValueError",
        "x",
        "t\nu",
        3,
    )


def test_a_long_traceback_keeps_its_end() -> None:
    """Where the error stands."""
    error = failures.notebook_error({"traceback": ["x" * 50_000 + "end"]}, (), 0)
    assert len(error.traceback) == 20_000
    assert error.traceback.endswith("end")
    assert error.type == "Error"  # as shells end, which have no classes to name


def test_a_run_that_is_withdrawn_stops_only_what_is_pointless() -> None:
    """Also what begins in that moment; the whole reaches every part, as ever."""
    whole, told = Cancellation(), []
    whole.on_withdrawal(lambda: told.append(whole.withdrawn))
    with whole.part("a[1]") as stale, whole.part("b") as other:
        whole.withdraw(lambda name: name.startswith("a"))
        assert (stale.requested, other.requested, whole.requested) == (True, False, False)
        assert told == [True]
        with whole.part("a[2]") as late:
            assert late.requested
        whole.request()
        assert other.requested
    with whole.part("c") as last:
        assert last.requested


def test_runs_that_share_a_cancellation_may_have_stages_of_one_name() -> None:
    """As those of a backfill have; whichever ends first, the other can still be stopped."""
    whole = Cancellation()
    with ExitStack() as first, whole.part("a") as second:
        ended = first.enter_context(whole.part("a"))
        first.close()
        whole.withdraw(lambda name: name == "a")
        assert (ended.requested, second.requested) == (False, True)
    forget = whole.on_withdrawal(lambda: pytest.fail("nobody waits any more"))
    forget()
    whole.withdraw(lambda _: True)
