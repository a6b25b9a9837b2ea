"""How long a retry is waited for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.policies import Retry
from mlkit.core.record import RunRecord
from mlkit.driver.backoff import delay_before
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Raises,
    RecordingObserver,
    Sketch,
    run_fake,
    write_pipeline,
)

CONNECTION = Raises(
    type="ConnectionError",
    bases=("requests.exceptions.RequestException", "builtins.OSError", "builtins.Exception"),
)


def _run(
    tmp_path: Path, retry: dict[str, Any], script: list[Any], **rest: Any
) -> tuple[RunRecord, FakeRunner]:
    file = write_pipeline(tmp_path, Sketch(name="a", keys={"retry": retry}))
    runner = FakeRunner({"a": script})
    return run_fake(file, runner=runner, **rest), runner


def test_backoff_without_jitter_is_exact(tmp_path: Path) -> None:
    """Delays are `delay * backoff ** n`, at most `max_delay`; nothing else waits."""
    clock, seen = FakeClock(), RecordingObserver()
    retry = {"max_retries": 5, "delay": "1s", "backoff": 3, "max_delay": "20s", "jitter": False}
    record, _ = _run(tmp_path, retry, [CONNECTION], clock=clock, observers=[seen])
    assert clock.waits == [1.0, 3.0, 9.0, 20.0, 20.0]
    assert [e.data["delay_s"] for e in seen.of("retry_scheduled")] == clock.waits
    assert [a.delay_s for a in record.stages["a"].history] == [0.0, *clock.waits]


def test_jitter_draws_between_half_and_all(tmp_path: Path) -> None:
    """It is on by default."""
    clock = FakeClock()
    _run(tmp_path, {"max_retries": 4, "delay": "8s", "backoff": 1}, [CONNECTION], clock=clock)
    assert all(4 <= wait <= 8 for wait in clock.waits)
    assert len(set(clock.waits)) > 1


@given(
    st.floats(0.01, 100), st.floats(1, 4), st.floats(0.1, 1000), st.integers(0, 200), st.booleans()
)
def test_no_delay_exceeds_the_longest(
    delay: float, factor: float, longest: float, n: int, jitter: object
) -> None:
    """For any policy and any number of retries, without overflow."""
    retry = Retry(delay_s=delay, backoff=factor, max_delay_s=longest, jitter=bool(jitter))
    assert 0 <= delay_before(retry, n) <= longest
