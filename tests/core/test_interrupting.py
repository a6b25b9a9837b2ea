"""Long work looks whether it is still wanted."""

from __future__ import annotations

import threading

import pytest

from mlkit.core.interrupting import WorkInterrupted, checkpoint, heeding


def test_work_goes_on_until_somebody_asks() -> None:
    """And again when that is over."""
    asked = threading.Event()
    with heeding(asked.is_set):
        checkpoint()
        asked.set()
        with pytest.raises(WorkInterrupted):
            checkpoint()
    checkpoint()


def test_a_thread_is_asked_for_itself() -> None:
    """Other runs in this process go on."""
    went_on: list[bool] = []

    def other() -> None:
        checkpoint()
        went_on.append(True)

    with heeding(lambda: True):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert went_on == [True]
