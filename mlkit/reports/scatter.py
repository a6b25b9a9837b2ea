"""Runs as points: a metric over a parameter, or two metrics with the edge that none surpasses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlkit.frozen import dataclass
from mlkit.reports.axes import frame_around
from mlkit.reports.svg import document, element, shorten, text, width_of

__all__ = ["Point", "draw_scatter", "is_less_better", "pareto_edge"]

_WIDTH, _HEIGHT = 360.0, 240.0
_LESS = frozenset(
    {
        *("loss", "error", "rmse", "mae", "mse", "mape", "brier", "seconds", "time", "latency"),
        *("perplexity", "deviance", "regret", "cost"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run.

    Parameters
    ----------
    name : str
        What stands beside the point.
    x, y : float
        Where it lies.
    low, high : float, optional
        The ends of an interval of `y`.
    """

    name: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


def is_less_better(metric: str) -> bool:
    """Whether a metric's name says that less is better: a loss, an error, a time."""
    own = metric.rpartition(".")[2].lower()
    return not _LESS.isdisjoint(re.split(r"[^a-z]+", own))


def pareto_edge(points: Sequence[Point], *, x_less: bool, y_less: bool) -> list[Point]:
    """The points that no other one surpasses: as good in both, and better in one. By x.

    Parameters
    ----------
    points : sequence of Point
        The runs.
    x_less, y_less : bool
        Whether less is better.
    """

    def good(point: Point) -> tuple[float, float]:
        return -point.x if x_less else point.x, -point.y if y_less else point.y

    kept: list[Point] = []
    best = float("-inf")
    for point in sorted(points, key=good, reverse=True):
        value = good(point)[1]
        equal = bool(kept) and good(kept[-1]) == good(point)
        if value > best or equal:
            kept.append(point)
            best = max(best, value)
    return sorted(kept, key=lambda point: point.x)


def draw_scatter(
    points: Sequence[Point],
    titles: tuple[str, str],
    heading: str,
    *,
    edge: Sequence[Point] = (),
) -> str:
    """Draw runs as points with their names, their intervals, and an edge as a line.

    Parameters
    ----------
    points : sequence of Point
        At least one.
    titles : (str, str)
        Of the two axes.
    heading : str
        What the picture shows.
    edge : sequence of Point
        Those that a dashed line joins, by x.
    """
    ends = [(p.x, end) for p in points for end in (p.y, p.low, p.high) if end is not None]
    frame = frame_around(ends, width=_WIDTH, height=_HEIGHT, top=22.0)
    parts = [element("text", text(shorten(heading, 66)), x=0.0, y=14.0, class_="heading")]
    parts.append(frame.draw(*titles))
    if len(edge) > 1:
        places = [frame.place(p.x, p.y) for p in edge]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            element("polyline", points=drawn, fill="none", stroke_width="1.4",
                    stroke_dasharray="5 4", style="stroke: var(--ok)")
        )  # fmt: skip
    taken: list[tuple[float, float]] = []
    for point in points:
        x, y = frame.place(point.x, point.y)
        if point.low is not None and point.high is not None:
            low, high = (frame.place(point.x, end)[1] for end in (point.low, point.high))
            parts.append(element("line", x1=x, x2=x, y1=low, y2=high, class_="axis"))
        colour = "--ok" if point in edge else "--bar"
        parts.append(element("circle", cx=x, cy=y, r=4.0, style=f"fill: var({colour})"))
        while any(abs(x - a) < 16 and abs(y - b) < 12 for a, b in taken):
            y += 12
        taken.append((x, y))
        parts.append(element("text", text(point.name), x=x + 7, y=y + 4, class_="small"))
    words = "; ".join(f"{p.name}: {p.x:.6g}, {p.y:.6g}" for p in points)
    width = max(frame.size[0] + 12, width_of(heading, 14.0), width_of(titles[1], 11.5))
    return document("".join(parts), (width, frame.size[1]), heading, words)
