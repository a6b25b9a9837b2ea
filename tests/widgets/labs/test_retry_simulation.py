"""The simulated crowd keeps the policy that the driver keeps."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.policies import Retry
from mlkit.widgets.labs.retry_simulation import Crowd, simulate

retries = st.builds(
    Retry,
    max_retries=st.integers(0, 6),
    delay_s=st.floats(0.1, 5),
    backoff=st.floats(1, 4),
    max_delay_s=st.none() | st.floats(1, 30),
    jitter=st.booleans(),
)
crowds = st.builds(
    Crowd,
    retry=retries,
    clients=st.integers(1, 12),
    failure_rate=st.floats(0, 1),
    capacity=st.none() | st.integers(1, 5),
    seed=st.integers(0, 99),
)


@given(crowds)
def test_attempts_never_exceed_retries_plus_one(crowd: Crowd) -> None:
    """Numbered from 1, every client at least once, nothing after a success."""
    result = simulate(crowd)
    for client in range(crowd.clients):
        mine = result.of(client)
        assert [call.number for call in mine] == list(range(1, len(mine) + 1))
        assert 1 <= len(mine) <= crowd.retry.max_retries + 1
        assert all(call.outcome != "ok" for call in mine[:-1])
        assert mine[-1].outcome == "ok" or len(mine) == crowd.retry.max_retries + 1


@given(crowds)
def test_each_wait_is_the_policys(crowd: Crowd) -> None:
    """`delay_s * backoff ** n`, at most the longest; with jitter between half of it and all."""
    retry = crowd.retry
    for client in range(crowd.clients):
        for n, (one, two) in enumerate(itertools.pairwise(simulate(crowd).of(client))):
            full = min(retry.delay_s * retry.backoff**n, retry.max_delay_s or float("inf"))
            waited = two.at_s - one.at_s - crowd.call_s
            least = full / 2 if retry.jitter else full
            assert least - 1e-6 <= waited <= full + 1e-6


@given(crowds)
def test_every_call_is_counted_in_the_load(crowd: Crowd) -> None:
    """The windows hold all calls, and the first one at least the common start."""
    result = simulate(crowd)
    assert sum(result.load().values()) == len(result.calls)
    assert result.load()[0] >= crowd.clients
    assert 0 <= result.success_share <= 1


@given(crowds)
def test_the_same_seed_gives_the_same_result(crowd: Crowd) -> None:
    """And the caller's own dice are left alone."""
    random.seed(5)
    expected = random.random()
    random.seed(5)
    assert simulate(crowd) == simulate(crowd)
    assert random.random() == expected


@given(crowds)
def test_the_server_takes_no_more_than_its_capacity(crowd: Crowd) -> None:
    """In no window are more calls taken."""
    result = simulate(crowd)
    if crowd.capacity is not None:
        taken = [call.at_s for call in result.calls if call.outcome != "refused"]
        for first, last in zip(taken, taken[crowd.capacity :], strict=False):
            assert last - first >= crowd.window_s


def test_a_server_that_never_fails_is_called_once_by_each() -> None:
    """And one that always fails, retries + 1 times."""
    good = simulate(Crowd(failure_rate=0, clients=7))
    assert (len(good.calls), good.success_share) == (7, 1.0)
    bad = simulate(Crowd(failure_rate=1, clients=7, retry=Retry(max_retries=3)))
    assert (len(bad.calls), bad.success_share) == (28, 0.0)


def test_without_jitter_all_retries_come_at_once() -> None:
    """The thundering herd: every window with load holds every client that is left."""
    crowd = Crowd(failure_rate=1, clients=10, retry=Retry(max_retries=3, jitter=False))
    moments = {round(call.at_s, 9) for call in simulate(crowd).calls}
    assert len(moments) == 4
    assert simulate(crowd).peak_after_start() == 10


@pytest.mark.parametrize("seed", range(5))
def test_jitter_lowers_the_peak_and_the_number_of_calls(seed: int) -> None:
    """Against a server of limited capacity it saves work for the server and for the clients."""
    crowd = Crowd(clients=40, failure_rate=0, capacity=8, seed=seed, retry=Retry(max_retries=5))
    without, with_it = simulate(crowd.with_jitter("off")), simulate(crowd.with_jitter("on"))
    assert with_it.peak_after_start() < without.peak_after_start()
    assert len(with_it.calls) < len(without.calls)


def test_the_fate_of_an_attempt_does_not_depend_on_jitter() -> None:
    """So two pictures side by side differ by the times alone."""
    crowd = Crowd(clients=15, failure_rate=0.5)
    fates = [
        {(call.client, call.number): call.outcome for call in simulate(c).calls}
        for c in (crowd.with_jitter("on"), crowd.with_jitter("off"))
    ]
    assert fates[0] == fates[1]
