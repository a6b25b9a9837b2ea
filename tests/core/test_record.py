"""Records and events as JSON."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.events import Event, EventKind
from mlkit.core.record import AttemptRecord, ErrorRecord
from mlkit.core.states import FINISHED, SUCCESSFUL, Status

ERRORS = st.builds(
    ErrorRecord,
    type=st.text(),
    message=st.text(),
    bases=st.lists(st.text()).map(tuple),
    cell=st.none() | st.integers(0),
    traceback=st.text(),
)
NUMBERS = st.floats(0, 1e10)
ATTEMPTS = st.builds(
    AttemptRecord,
    number=st.integers(1),
    status=st.sampled_from(sorted(FINISHED)),
    started=NUMBERS,
    ended=NUMBERS,
    error=st.none() | ERRORS,
    delay_s=NUMBERS,
    cpu_s=st.none() | NUMBERS,
    peak_memory_bytes=st.none() | st.integers(0),
)


@given(ATTEMPTS)
def test_an_attempt_comes_back_from_json(attempt: AttemptRecord) -> None:
    """Exactly, its error included; its length is never negative."""
    assert AttemptRecord.from_json(json.loads(json.dumps(attempt.to_json()))) == attempt
    assert attempt.seconds == max(0.0, attempt.ended - attempt.started)


def test_an_event_is_one_flat_object() -> None:
    """Stage and attempt only where there are any."""
    start = Event(kind=EventKind.RUN_STARTED, time=1.23456789, run_id="r", data={"a": 1})
    end = Event(kind=EventKind.STAGE_FINISHED, time=2, run_id="r", stage="s", attempt=1)
    assert start.to_json() == {"event": "run_started", "time": 1.234568, "run_id": "r", "a": 1}
    assert end.to_json() == {
        **{"event": "stage_finished", "time": 2, "run_id": "r"},
        **{"stage": "s", "attempt": 1},
    }


def test_states_are_told_apart() -> None:
    """What is open, what is finished, what went well."""
    assert set(Status) - FINISHED == {Status.WAITING, Status.RUNNING, Status.LOST}
    assert {Status.SUCCEEDED, Status.CACHED} == SUCCESSFUL
