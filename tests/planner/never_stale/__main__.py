"""Run the machine against a tree of mlkit, go on after failures, and list the kinds of them.

`python -m tests.planner.never_stale --tree DIR --minutes M --steps N --seed S`
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from tests.planner.never_stale.edits import SEVERAL
from tests.planner.never_stale.environment import private_environment
from tests.planner.never_stale.kinds import DESCRIBED, KINDS, kind_of
from tests.planner.never_stale.machine import Budget, Failure, Session, run_machine
from tests.planner.never_stale.shortening import Short, as_it_is, shorten, with_fresh_process
from tests.planner.never_stale.trial import Bench

_SEEN_OFTEN = 2
"""So many failures that look alike are shortened, and no more: it takes ten times a step."""

_FOR_STEPS = 0.6
"""This share of the time goes into steps; in the rest what they have found is shortened."""

_HIDDEN = "a package that was imported ahead, and by other means than a plain import"
"""A kind that hides behind what a process remembers: only another process shows it."""


class Collection:
    """The failures that were found, by kind: first as they look, then as they are."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.looks: Counter[tuple[str, ...]] = Counter()
        self.waiting: dict[str, list[Failure]] = {}
        self.found: dict[str, Short] = {}
        self.counts: Counter[str] = Counter()

    def take(self, failure: Failure) -> None:
        """Count a failure; it is kept, unless enough of its kind and look are."""
        look, kind = _look(failure), kind_of(as_it_is(failure))
        if not self.counts[kind]:
            _say(f"  {failure.finding.symptom}: {kind}")
        self.counts[kind] += 1
        self.looks[look] += 1
        waiting = self.waiting.setdefault(kind, [])
        if self.looks[look] <= _SEEN_OFTEN and len(waiting) < _SEEN_OFTEN:
            waiting.append(failure)

    def shorten(self, until: float) -> None:
        """Shorten what was kept, described kinds first, until it is late."""
        kinds = sorted(self.waiting, key=lambda kind: kind not in DESCRIBED)
        for number in range(_SEEN_OFTEN):
            for kind in kinds:
                if kind in self.found or len(self.waiting[kind]) <= number:
                    continue
                if time.monotonic() > until:
                    return
                self._shorten(self.waiting[kind][number])

    def _shorten(self, failure: Failure) -> None:
        short = shorten(self.bench, failure)
        self._add(short)
        if short.fresh is False and _HIDDEN not in self.found:
            hidden = with_fresh_process(self.bench, failure)
            if hidden is not None:
                self._add(hidden)

    def _add(self, short: Short) -> None:
        kind = kind_of(short)
        self.counts[kind] = max(1, self.counts[kind])
        known = self.found.get(kind)
        if known is None:
            _say(f"\n[{kind}]\n{short.words}")
        if known is None or len(short.words) < len(known.words):
            self.found[kind] = short

    def line(self, kind: str) -> str:
        """One kind: how many looked like it, and whether one was shortened and failed again."""
        short = self.found.get(kind)
        sure = "shortened" if short is not None and short.reproduced else ""
        return f"  {self.counts[kind]:3}  {sure:9}  {kind}"


def _look(failure: Failure) -> tuple[str, ...]:
    """What a failure looks like before it is shortened."""
    edit = failure.edits[-1] if failure.edits else None
    ways = {
        read.way if read.how.kind in ("package", "nothing") else read.how.kind
        for stage in failure.start.stages
        if stage.name == failure.finding.stage
        for read in stage.reads
        if read.key in failure.finding.keys
    }
    if edit is not None and edit.kind in (SEVERAL, "back to before"):
        ways = set()  # what changed is not known yet, and these take longest
    return (failure.finding.symptom, "" if edit is None else edit.kind, *sorted(ways))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run it; the exit status is 0 if nothing was found, or as much as was expected."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.planner.never_stale", description=__doc__
    )
    parser.add_argument("--tree", type=Path, default=Path.cwd(), help="where mlkit stands")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--steps", type=int, default=10**6, help="so many at the most")
    parser.add_argument(
        "--expect", type=int, help="fail unless so many of the described kinds are found"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left behind
    began = time.monotonic()
    _say(f"seed {asked.seed}, mlkit of {asked.tree}")
    with private_environment(asked.tree) as environment, Bench(environment) as bench:
        collection = Collection(bench)
        seconds = 60 * asked.minutes
        budget = Budget(least=0, most=asked.steps, seconds=seconds)

        def take(failure: Failure) -> None:
            budget.seconds = _FOR_STEPS * seconds
            collection.take(failure)

        def stop(*_: object) -> None:  # an exception would be Hypothesis's to judge
            nonlocal seconds
            seconds = 0
            budget.stop()

        signal.signal(signal.SIGTERM, stop)

        session = Session(bench=bench, budget=budget, on_failure=take, goes_on=True)
        run_machine(session, asked.seed)
        collection.shorten(until=began + seconds)
    _say(f"\n{session.summary}; in all {time.monotonic() - began:.0f} s\n")
    _say("Kinds of failures, and how many looked so:")
    for kind in DESCRIBED:
        _say(collection.line(kind))
    found = sum(collection.counts[kind] > 0 for kind in DESCRIBED)
    _say(f"{found} of these {len(DESCRIBED)}; further:")
    for kind in (kind for kind in KINDS if kind not in DESCRIBED):
        _say(collection.line(kind))
    for kind in sorted(collection.counts.keys() - KINDS.keys()):
        _say(collection.line(kind))
    return int(bool(collection.counts) if asked.expect is None else found < asked.expect)


if __name__ == "__main__":
    sys.exit(main())
