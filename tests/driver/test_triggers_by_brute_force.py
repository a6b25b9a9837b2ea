"""Trigger rules through whole runs: every small graph ends as a slow and obvious model says.

Many graphs stand side by side in one pipeline, so that thousands take seconds. What an upstream
stage can have come to is all there is: done, failed, failed without harm, skipped by itself, by its
condition or by its upstream, failed with its upstream, and, in a second run, reused.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.core.record import RunRecord
from mlkit.core.triggers import TriggerRule
from mlkit.testing import FakeRunner, Raises, Sketch, Skips, run_fake, write_pipeline
from mlkit.testing.runner import Behaviour

SIZE = 4
DOES: dict[str, list[Behaviour]] = {"runs": [], "fails": [Raises()], "skips": [Skips()]}
DECISION = Sketch(name="decision", body="from pathlib import Path\nPath(out).write_text('1')")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One stage of a graph: how it hangs on those before it, and what its notebook does."""

    upstream: Mapping[int, str]
    """By the number of another stage: whether it is named by `after` or by `inputs`."""
    rule: str = "all_success"
    does: str = "runs"
    critical: bool = True
    holds: bool | None = None
    """Whether its `when` holds; None: it has none."""


Graph = Sequence[Plan]


def starts(rule: str, ends: Sequence[str]) -> str:
    """Say in DESIGN's and Airflow's words what a rule says when all of upstream has ended."""
    good = [end for end in ends if end in ("succeeded", "cached")]
    bad = [end for end in ends if end in ("failed", "upstream_failed")]
    left = [end for end in ends if end == "skipped"]
    if not ends or rule in ("always", "all_done"):
        return "starts"
    if rule == "all_failed":
        return "starts" if len(bad) == len(ends) else "skipped"
    if rule == "one_failed":
        return "starts" if bad else "skipped"
    if rule == "one_success":
        if good:
            return "starts"
        return "skipped" if len(left) == len(ends) else "upstream_failed"
    if bad:
        return "upstream_failed"
    if rule == "none_failed":
        return "starts"
    if rule == "none_failed_min_one_success":
        return "skipped" if len(left) == len(ends) else "starts"
    assert rule == "all_success"
    return "skipped" if left else "starts"


def ends_of(graph: Graph) -> list[str]:
    """Say how each stage ends, one after the other."""
    ends: list[str] = []
    for plan in graph:
        above = [ends[number] for number in plan.upstream]
        if plan.holds is not None:
            above.append("succeeded")  # the stage that decides
        end = starts(plan.rule, above)
        if end == "starts" and plan.holds is False:
            end = "skipped"
        if end == "starts":
            end = {"runs": "succeeded", "fails": "failed", "skips": "skipped"}[plan.does]
        ends.append(end)
    return ends


def is_failure(graph: Graph, ends: Sequence[str]) -> bool:
    """Whether it makes the run fail: a failed stage that is critical."""
    return any(end == "failed" and plan.critical for plan, end in zip(graph, ends, strict=True))


def run_graphs(folder: Path, graphs: Sequence[Graph]) -> tuple[RunRecord, RunRecord]:
    """Run all of them as one pipeline, and run it again."""
    sketches = [DECISION]
    runner: dict[str, list[Behaviour]] = {}
    for number, graph in enumerate(graphs):
        for place, plan in enumerate(graph):
            name = f"s{place}_{number}"
            named = {f"s{n}_{number}": way for n, way in plan.upstream.items()}
            keys = {
                "trigger": plan.rule,
                "critical": plan.critical,
                "after": [other for other, way in named.items() if way == "after"],
            }
            if plan.holds is not None:
                keys["when"] = {"decision.out": 1 if plan.holds else 2}
            reads = tuple(other for other, way in named.items() if way == "inputs")
            sketches.append(Sketch(name=name, upstream=reads, keys=keys))
            if DOES[plan.does]:
                runner[name] = DOES[plan.does]
    file = write_pipeline(folder, *sketches)
    first = run_fake(file, runner=FakeRunner(runner))
    return first, run_fake(file, runner=FakeRunner(runner))


def check(graphs: Sequence[Graph]) -> None:
    """Hold two runs against the model."""
    wanted: dict[str, str] = {}
    for number, graph in enumerate(graphs):
        ends = ends_of(graph)
        wanted |= {f"s{place}_{number}": end for place, end in enumerate(ends)}
    fails = any(is_failure(graph, ends_of(graph)) for graph in graphs)
    with tempfile.TemporaryDirectory() as folder:
        first, again = run_graphs(Path(folder), graphs)
    told = {key: item.status.value for key, item in first.stages.items() if key != "decision"}
    assert told == wanted
    reused = {key: "cached" if end == "succeeded" else end for key, end in wanted.items()}
    told = {key: item.status.value for key, item in again.stages.items() if key != "decision"}
    assert told == reused
    assert {first.status, again.status} == {"failed" if fails else "succeeded"}


SOURCES: Graph = [
    Plan(upstream={}),
    Plan(upstream={}, does="fails"),
    Plan(upstream={}, does="fails", critical=False),
    Plan(upstream={}, does="skips"),
    Plan(upstream={}, holds=False),
    Plan(upstream={2: "after"}),
    Plan(upstream={3: "inputs"}),
]
"""One stage for each way to end; the last two end as their upstream has them."""


def test_every_rule_behind_every_two_ends() -> None:
    """Of one or two upstream stages; behind one also with a condition that holds, and with not."""
    numbers = range(len(SOURCES))
    one = [dict.fromkeys([number], "inputs") for number in numbers]
    two = [dict.fromkeys(pair, "after") for pair in combinations(numbers, 2)]
    graph = [*SOURCES]
    for rule in TriggerRule:
        graph += [Plan(upstream=upstream, rule=rule.value) for upstream in [*one, *two]]
        for upstream in one:
            graph += [Plan(upstream=upstream, rule=rule.value, holds=h) for h in (True, False)]
    check([graph])


@st.composite
def graphs_of_four(draw: st.DrawFn) -> Graph:
    """Any graph of four stages or less."""
    stages: list[Plan] = []
    for number in range(draw(st.integers(1, SIZE))):
        upstream = (
            {
                other: draw(st.sampled_from(["after", "inputs"]))
                for other in draw(st.sets(st.integers(0, number - 1)))
                if number
            }
            if number
            else {}
        )
        stages.append(
            Plan(
                upstream=upstream,
                rule=draw(st.sampled_from([rule.value for rule in TriggerRule])),
                does=draw(st.sampled_from(sorted(DOES))),
                critical=draw(st.booleans()),
                holds=draw(st.sampled_from([None, None, True, False])),
            )
        )
    return stages


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(graphs_of_four(), min_size=1, max_size=10))
def test_any_graph_of_four_stages_ends_as_the_model_says(graphs: list[Graph]) -> None:
    """And a run of it again ends so, with what was made reused."""
    check(graphs)
