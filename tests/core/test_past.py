"""What the interval before means for a stage that depends on its past."""

from __future__ import annotations

import pytest

from mlkit.core.past import Earlier, LookedBack, look_back
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status


def _run(run_id: str, state: Status | None, *, is_alive: bool = False) -> Earlier:
    stages = {} if state is None else {"s": StageRecord(id="s", stage="s", status=state)}
    record = RunRecord(
        run_id=run_id,
        pipeline="p",
        file="",
        runs_dir="",
        status=RunStatus.RUNNING,
        started=0,
        stages=stages,
    )
    return Earlier(run=record, is_alive=is_alive)


@pytest.mark.parametrize("state", [Status.SUCCEEDED, Status.CACHED, Status.SKIPPED, None])
def test_a_good_end_lets_it_start(state: Status | None) -> None:
    """As in Airflow a skip counts as well; what was not there has no past."""
    assert look_back("s", [_run("r", state)], "day 1") == LookedBack()


def test_the_first_interval_has_no_past() -> None:
    """Nothing ran before."""
    assert look_back("s", [], "day 1") == LookedBack()


@pytest.mark.parametrize("state", [Status.RUNNING, Status.WAITING, None])
def test_it_waits_for_a_run_that_is_alive(state: Status | None) -> None:
    """Also where the stage has not had its turn there."""
    assert look_back("s", [_run("r", state, is_alive=True)], "day 1").waits_for == "r"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (Status.FAILED, "it failed"),
        (Status.UPSTREAM_FAILED, "it could not start"),
        (Status.CANCELLED, "it was cancelled"),
        (Status.RUNNING, "it was not finished"),
    ],
)
def test_a_bad_end_keeps_it_from_starting(state: Status, said: str) -> None:
    """As soon as the stage has ended there, also while the run goes on; a killed one never ends."""
    is_alive = state is not Status.RUNNING
    found = look_back("s", [_run("r", state, is_alive=is_alive)], "day 1")
    assert found.trouble == f"in the interval before, day 1, {said} (run r)"


def test_one_good_run_of_an_interval_is_enough() -> None:
    """Whichever it was; a later one that is under way is waited for after a failure."""
    good, bad = _run("good", Status.SUCCEEDED), _run("bad", Status.FAILED)
    assert look_back("s", [good, bad], "d") == look_back("s", [bad, good], "d") == LookedBack()
    again = _run("again", Status.RUNNING, is_alive=True)
    assert look_back("s", [bad, again], "d").waits_for == "again"
