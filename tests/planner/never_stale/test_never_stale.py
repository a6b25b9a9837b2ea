"""Never stale: after any edit the artifacts are those of a run from nothing; after none, all are
reused. Real kernels, random sequences of edits.

`MLKIT_NEVER_STALE_STEPS` says how many steps; without it, as many as fit 40 seconds.
`MLKIT_NEVER_STALE_SEED` brings the sequences of an earlier run again. Half of the sequences fork
their kernels from what earlier runs have left.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from tests.planner.never_stale.environment import Environment
from tests.planner.never_stale.machine import Budget, Failure, Session, run_machine
from tests.planner.never_stale.shortening import shorten
from tests.planner.never_stale.trial import Bench

STEPS = os.environ.get("MLKIT_NEVER_STALE_STEPS")
SEED = os.environ.get("MLKIT_NEVER_STALE_SEED")
LEAST, SECONDS, SLOW_STEPS, SHARES = 20, 40.0, 5000, 4
EFFECTIVE_SHARE = 0.45
"""Of the edits that were meant to change a result so many have to: else the machine is blind."""
ENOUGH = 100
"""Of fewer a share says little: the edits of one sequence are much alike."""

pytestmark = pytest.mark.kernel
Say = Callable[[str, object], None]


def _hold(environment: Environment, budget: Budget, say: Say) -> None:
    """Run the machine; fail with the first sequence that breaks the promise, shortened."""
    failures: list[Failure] = []

    def stop(failure: Failure) -> None:
        failures.append(failure)
        budget.stop()

    seed = int(SEED) if SEED else random.SystemRandom().randrange(10**6)
    with Bench(environment) as bench:
        session = Session(bench=bench, budget=budget, on_failure=stop)
        run_machine(session, seed)
        say("summary", f"{session.summary} (MLKIT_NEVER_STALE_SEED={seed})")
        if failures:
            short = shorten(bench, failures[0])
            pytest.fail(f"MLKIT_NEVER_STALE_SEED={seed}\n{short.words}", pytrace=False)
    assert budget.taken >= budget.least
    if session.meant >= ENOUGH:
        assert session.effective >= EFFECTIVE_SHARE * session.meant, session.summary


@pytest.mark.timeout(36_000 if STEPS else 900)
def test_random_edits_never_leave_a_stale_result(
    environment: Environment, record_property: Say
) -> None:
    """As many steps as fit 40 s, at least 20; or as many as are asked for."""
    budget = (
        Budget(least=int(STEPS), most=int(STEPS))
        if STEPS
        else Budget(least=LEAST, most=10**6, seconds=SECONDS)
    )
    _hold(environment, budget, record_property)


@pytest.mark.slow
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("share", range(SHARES))
def test_thousands_of_random_edits(
    environment: Environment, record_property: Say, share: int
) -> None:
    """The same for long, in parts that can run side by side."""
    steps = int(STEPS or SLOW_STEPS) // SHARES
    _hold(environment, Budget(least=steps, most=steps), record_property)
