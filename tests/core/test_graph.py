"""The graph: order, levels, cycles, reach."""

from __future__ import annotations

import re
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.graph import (
    ancestors,
    descendants,
    edges,
    find_cycle,
    levels,
    topological_order,
)
from mlkit.core.pipeline import Node, Pipeline, Stage, StageOutput

NAMES = [f"s{number}" for number in range(12)]


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    """A graph whose edges lead from earlier to later in some hidden order."""
    hidden = draw(st.permutations(NAMES))
    below = {
        name: draw(st.lists(st.sampled_from(hidden[:index]), max_size=4)) if index else []
        for index, name in enumerate(hidden)
    }
    return {name: below[name] for name in draw(st.permutations(NAMES))}


@given(acyclic())
def test_the_order_respects_every_edge(graph: dict[str, list[str]]) -> None:
    """Each name once, and never before what is upstream of it."""
    order = topological_order(graph)
    assert sorted(order) == sorted(graph)
    assert all(
        order.index(upstream) < order.index(name) for name in graph for upstream in graph[name]
    )


@given(acyclic())
def test_levels_are_the_longest_ways(graph: dict[str, list[str]]) -> None:
    """A name stands one level below the lowest of its upstream, in the order of the graph."""
    found = {name: level for level, names in enumerate(levels(graph)) for name in names}
    expected = {
        name: 1 + max((found[upstream] for upstream in graph[name]), default=-1) for name in graph
    }
    assert found == expected
    assert all(list(names) == [n for n in graph if n in names] for names in levels(graph))


@given(acyclic(), st.sets(st.sampled_from(NAMES), max_size=3))
def test_reach(graph: dict[str, list[str]], names: set[str]) -> None:
    """Ancestors are closed upstream, descendants are the same seen from the other end."""
    above = ancestors(graph, names)
    assert above.isdisjoint(names)
    assert {up for name in above | names for up in graph[name]} <= above | names
    for name in descendants(graph, names):
        assert ancestors(graph, [name]) & names


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3)))
def test_a_cycle_is_named_along_its_edges(partial: dict[str, list[str]]) -> None:
    """Upstream before downstream, all the way round; without one there is an order."""
    graph = {name: partial.get(name, []) for name in NAMES}
    cycle = find_cycle(graph)
    if cycle is None:
        assert len(topological_order(graph)) == len(graph)
        return
    assert len(set(cycle)) == len(cycle)
    for upstream, name in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
        assert upstream in graph[name]
    with pytest.raises(ValueError, match=re.escape(" → ".join([*cycle, cycle[0]]))):
        topological_order(graph)


def test_among_free_names_the_order_of_the_graph_decides() -> None:
    """A file's order is kept where nothing speaks against it."""
    graph = {"d": ["b"], "c": [], "b": [], "a": ["c"]}
    assert topological_order(graph) == ("c", "b", "d", "a")


def test_a_graph_without_names() -> None:
    """Has no levels, no order and no cycle."""
    assert (topological_order({}), levels({}), find_cycle({})) == ((), (), None)


def test_a_chain_of_10_000_needs_no_recursion() -> None:
    """Nor does its cycle."""
    chain = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(10_000)}
    assert topological_order(chain)[-1] == "s9999"
    assert len(levels(chain)) == 10_000
    assert len(ancestors(chain, ["s9999"])) == 9_999
    assert len(descendants(chain, ["s0"])) == 9_999
    cycle = find_cycle({**chain, "s0": ["s9999"]})
    assert cycle is not None
    assert len(cycle) == 10_000


def test_edges_are_the_names_of_upstream_stages_each_once() -> None:
    """Two outputs of one stage, or two instances of one, are one edge."""
    first, mapped = Node(stage="a"), Node(stage="b", value="x")
    stages = {
        "a": Stage(name="a", notebook=PurePath("a.ipynb")),
        "b": Stage(name="b", notebook=PurePath("b.ipynb")),
        "c": Stage(
            name="c",
            notebook=PurePath("c.ipynb"),
            inputs={
                "one": StageOutput(node=first, output="x"),
                "two": StageOutput(node=first, output="y"),
                "three": StageOutput(node=mapped, output="z"),
            },
            after=(Node(stage="b"), first),
        ),
    }
    pipeline = Pipeline(name="p", file=PurePath("/p/pipeline.yaml"), stages=stages)
    assert edges(pipeline) == {"a": (), "b": (), "c": ("a", "b")}
