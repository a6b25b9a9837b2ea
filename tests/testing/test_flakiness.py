"""What a flaky server answers follows from its settings and the requests so far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.testing import Flakiness, RateLimit
from mlkit.testing.flakiness import decide


def _endings(flakiness: Flakiness, count: int) -> list[int | str]:
    return [decide(flakiness, [0.0] * n, 0.0).ending for n in range(count)]


def test_the_pattern_comes_first_and_then_all_is_well() -> None:
    """Each request takes the next ending of the pattern."""
    assert _endings(Flakiness(pattern=(503, "drop", 404)), 5) == [503, "drop", 404, 200, 200]


def test_the_same_seed_fails_at_the_same_requests() -> None:
    """And another seed at others."""
    once, again, other = (
        _endings(Flakiness(failure_rate=0.5, seed=seed), 40) for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other
    assert set(once) == {200, 503}


@given(st.floats(0, 1), st.integers(0, 1000))
def test_the_failure_rate_is_about_the_share_that_fails(rate: float, seed: int) -> None:
    """0 never fails, 1 always; in between the share of 400 requests is near it."""
    failed = _endings(Flakiness(failure_rate=rate, failure=500, seed=seed), 400).count(500)
    assert abs(failed / 400 - rate) < 0.15
    assert (rate, failed) not in [(0.0, n) for n in range(1, 401)]
    assert rate < 1 or failed == 400


@given(st.lists(st.integers(0, 512), max_size=60), st.integers(1, 5), st.integers(100, 3000))
def test_no_window_lets_more_through_than_the_limit(
    gaps: list[int], most: int, window: int
) -> None:
    """Whatever the times; and who waits as long as Retry-After says is let through."""
    per_s = window / 1024
    flakiness = Flakiness(rate_limit=RateLimit(requests=most, per_s=per_s))
    through: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap / 1024
        answer = decide(flakiness, through, now)
        if answer.ending == 200:
            through.append(now)
        else:
            assert answer.ending == 429
            assert answer.retry_after_s is not None
            assert decide(flakiness, through, now + answer.retry_after_s).ending == 200
    for index, end in enumerate(through):
        inside = [t for t in through[: index + 1] if end < t + per_s]
        assert len(inside) <= most


@pytest.mark.parametrize(
    ("fields", "fact"),
    [
        ({"failure_rate": 1.5}, "between 0 and 1"),
        ({"delay_s": -1}, "0 or more"),
        ({"pattern": ["burn"]}, "neither 'drop' nor 'cut'"),
        ({"failure": 99}, "no HTTP status"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(fields: dict[str, object], fact: str) -> None:
    """When the value is made, before a server starts."""
    with pytest.raises(ValueError, match=fact):
        Flakiness(**fields)  # type: ignore[arg-type] # wrong values are the point


def test_a_limit_of_nothing_is_refused() -> None:
    """It would never let anybody through."""
    with pytest.raises(ValueError, match="at least 1 request"):
        RateLimit(requests=0)
