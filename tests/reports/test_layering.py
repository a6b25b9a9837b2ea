"""Rows and places of a layered drawing."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.reports.layering import count_crossings, make_rows
from mlkit.reports.placing import place, spread


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    """Acyclic graphs of up to 14 names, in topological order."""
    names = [f"n{i}" for i in range(draw(st.integers(1, 14)))]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    arrows = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=25)) if pairs else []
    return names, arrows


@given(graphs())
@settings(deadline=None, max_examples=60)
def test_every_arrow_leads_down_and_every_segment_one_row(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    """Every arrow leads down and every segment one row."""
    names, arrows = graph
    rows = make_rows(names, arrows)
    level = {name: index for index, row in enumerate(rows.rows) for name in row}
    assert set(names) <= set(level)
    assert all(level[target] == level[source] + 1 for source, target in rows.segments)
    assert all((path[0], path[-1]) == arrow for arrow, path in rows.paths.items())


@given(graphs())
@settings(deadline=None, max_examples=60)
def test_places_keep_the_order_and_the_gap(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    """Places keep the order and the gap."""
    names, arrows = graph
    rows = make_rows(names, arrows)
    widths = {name: 10.0 + 7 * index for index, name in enumerate(names)}
    centres = place(rows, widths, 5.0)
    for row in rows.rows:
        for one, other in pairwise(row):
            half = (widths.get(one, 0.0) + widths.get(other, 0.0)) / 2
            assert centres[other] - centres[one] >= half + 5.0 - 1e-6
    assert min(centres[n] - widths.get(n, 0.0) / 2 for n in centres) >= -1e-6


def test_a_crossing_that_can_be_avoided_is_avoided() -> None:
    """A crossing that can be avoided is avoided."""
    rows = make_rows(list("abxy"), [("a", "y"), ("b", "x")])
    assert count_crossings(rows.rows, rows.segments) == 0


def test_crossings_are_counted() -> None:
    """Crossings are counted."""
    assert count_crossings([["a", "b"], ["x", "y"]], [("a", "y"), ("b", "x")]) == 1
    assert count_crossings([["a", "b"], ["x", "y"]], [("a", "x"), ("b", "y")]) == 0


def test_a_source_stands_right_above_its_reader() -> None:
    """A source stands right above its reader."""
    rows = make_rows(
        ["a", "b", "c", "late", "z"], [("a", "b"), ("b", "c"), ("c", "z"), ("late", "z")]
    )
    assert "late" in rows.rows[2]


def test_spread_moves_neighbours_apart_evenly() -> None:
    """Spread moves neighbours apart evenly."""
    assert spread([0.0, 0.0], [1.0, 1.0], [10.0]) == [-5.0, 5.0]
    assert spread([0.0, 100.0], [1.0, 1.0], [10.0]) == [0.0, 100.0]


def test_forty_stages_with_long_arrows_are_laid_out_in_time() -> None:
    """Forty stages with long arrows are laid out in time."""
    names = [f"n{i}" for i in range(40)]
    arrows = [(names[i], names[j]) for i in range(40) for j in (i + 1, i + 3, i + 7) if j < 40]
    rows = make_rows(names, arrows)
    assert len(rows.rows) == 40
    assert len(place(rows, dict.fromkeys(names, 100.0), 20.0)) > 40
