"""Runs as points, and the edge that none of them surpasses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.reports.scatter import Point, draw_scatter, is_less_better, pareto_edge

PLACES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


@given(PLACES, st.booleans(), st.booleans())
def test_the_edge_is_what_no_other_point_surpasses(
    places: list[tuple[int, int]],
    x_less: bool,  # noqa: FBT001 - given by its name
    y_less: bool,  # noqa: FBT001 - given by its name
) -> None:
    """Held against the definition, pair by pair."""
    points = [Point(name=str(n), x=x, y=y) for n, (x, y) in enumerate(places)]

    def surpasses(one: Point, other: Point) -> bool:
        x = other.x - one.x if x_less else one.x - other.x
        y = other.y - one.y if y_less else one.y - other.y
        return x >= 0 and y >= 0 and (x > 0 or y > 0)

    slow = {p.name for p in points if not any(surpasses(q, p) for q in points)}
    found = pareto_edge(points, x_less=x_less, y_less=y_less)
    assert {point.name for point in found} == slow
    assert [point.x for point in found] == sorted(point.x for point in found)


@pytest.mark.parametrize(
    ("metric", "less"),
    [
        ("evaluate.log_loss", True),
        ("fit_seconds", True),
        ("train[a].RMSE", True),
        ("evaluate.roc_auc", False),
        ("lossless", False),
        ("timeline", False),
    ],
)
def test_a_name_says_whether_less_is_better(
    metric: str,
    less: bool,  # noqa: FBT001 - given by its name
) -> None:
    """By whole words of it."""
    assert is_less_better(metric) is less


@pytest.mark.parametrize("value", [0.0, -1.0, 1e300, 1e-300, 12345678.0])
def test_equal_and_extreme_values_are_drawn(value: float) -> None:
    """A picture of one place has room around it."""
    points = [Point(name="<A>", x=value, y=value), Point(name="B", x=value, y=value)]
    picture = draw_scatter(points, ("x", "y"), "both", edge=points)
    assert "&lt;A&gt;" in picture
    assert "nan" not in picture
    assert "inf" not in picture
