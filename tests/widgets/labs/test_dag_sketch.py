"""What a learner's graph means is worked out right, whatever the graph."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import UsageError
from mlkit.widgets.labs.dag_sketch import DagSketch, analyse, example

NAMES = "abcdef"


@st.composite
def sketches(draw: st.DrawFn) -> DagSketch:
    """Any graph of six stages, with cycles or without."""
    durations = {name: float(draw(st.integers(0, 9))) for name in NAMES}
    pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))
    edges = draw(st.lists(pairs, max_size=9, unique=True))
    return DagSketch(durations_s=durations, edges=tuple(edges))


def _longest_s(sketch: DagSketch) -> float:
    """The longest way, by trying all of them."""

    def longest_from(name: str) -> float:
        below = [longest_from(down) for up, down in sketch.edges if up == name]
        return sketch.durations_s[name] + max(below, default=0.0)

    return max(map(longest_from, sketch.durations_s))


@given(sketches())
def test_there_is_either_a_cycle_or_an_order(sketch: DagSketch) -> None:
    """Never both, never neither; the order respects every edge."""
    found = analyse(sketch)
    assert bool(found.cycle) != bool(found.order)
    assert bool(found.cycle) == bool(found.back)
    if found.order:
        assert sorted(found.order) == sorted(NAMES)
        assert all(found.order.index(up) < found.order.index(down) for up, down in sketch.edges)


@given(sketches())
def test_a_cycle_is_named_edge_by_edge(sketch: DagSketch) -> None:
    """Its edges are edges of the graph, each begins where the last ended, and it closes."""
    found = analyse(sketch)
    if found.cycle:
        assert set(found.cycle) <= set(sketch.edges)
        turned = [*found.cycle[1:], found.cycle[0]]
        assert all(a[1] == b[0] for a, b in zip(found.cycle, turned, strict=True))
        assert found.cycle[-1] in found.back


@given(sketches())
def test_without_its_back_edges_a_graph_is_acyclic(sketch: DagSketch) -> None:
    """So a picture can be laid out without them."""
    found = analyse(sketch)
    rest = sketch
    for edge in found.back:
        rest = rest.without_edge(*edge)
    assert analyse(rest).cycle == ()


@given(sketches())
def test_the_critical_path_is_the_longest_way(sketch: DagSketch) -> None:
    """As long as the longest of all ways, and its stages follow each other by edges."""
    found = analyse(sketch)
    if found.order:
        assert found.critical_s == _longest_s(sketch)
        assert set(itertools.pairwise(found.critical)) <= set(sketch.edges)
        assert found.critical_s <= found.total_s


@given(sketches())
def test_a_level_waits_only_for_lower_levels(sketch: DagSketch) -> None:
    """And a stage above the first waits for one right below."""
    found = analyse(sketch)
    level = {name: n for n, names in enumerate(found.levels) for name in names}
    for name, n in level.items():
        below = [level[up] for up in sketch.graph[name]]
        assert n == 1 + max(below, default=-1)


def test_the_edge_that_closes_a_cycle_comes_last() -> None:
    """Then the sentence ends with what the learner did."""
    sketch = example().with_edge("evaluate", "features")
    assert analyse(sketch).cycle == (
        ("features", "train"),
        ("train", "evaluate"),
        ("evaluate", "features"),
    )


def test_a_stage_that_waits_for_itself_is_a_cycle() -> None:
    """Of one edge."""
    assert analyse(example().with_edge("train", "train")).cycle == (("train", "train"),)


def test_the_example_has_a_critical_path_through_train() -> None:
    """2 + 3 + 4 + 8 + 1 seconds."""
    found = analyse(example())
    assert found.critical == ("collect", "clean", "features", "train", "evaluate")
    assert (found.critical_s, found.total_s) == (18.0, 23.0)
    assert found.levels[3] == ("train", "tune")


def test_changing_a_sketch_makes_a_copy() -> None:
    """The first one stays as it is."""
    first = example()
    second = first.with_stage("report", 2).with_edge("evaluate", "report").without_stage("tune")
    assert first == example()
    assert list(second.durations_s) == [
        "collect",
        "clean",
        "features",
        "train",
        "evaluate",
        "report",
    ]
    assert second.edges[-1] == ("evaluate", "report")
    assert all("tune" not in edge for edge in second.edges)
    assert second.with_edge("evaluate", "report") == second
    assert first.with_stage("train", 20).durations_s["train"] == 20


def test_mistakes_are_named_with_a_remedy() -> None:
    """An unknown stage is corrected, an unknown edge answered with those there are."""
    with pytest.raises(UsageError, match="Did you mean 'train'"):
        example().with_edge("trian", "clean")
    with pytest.raises(UsageError, match="no edge train → clean"):
        example().without_edge("train", "clean")
    with pytest.raises(UsageError, match="needs a name"):
        example().with_stage(" ")
    with pytest.raises(UsageError, match="cannot take -1 seconds"):
        example().with_stage("train", -1)


def test_an_empty_sketch_has_nothing_to_say() -> None:
    """No stage, no order, no length."""
    found = analyse(DagSketch())
    assert (found.order, found.critical, found.critical_s) == ((), (), 0.0)
