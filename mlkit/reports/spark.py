"""A line as high as a word: how a number went from run to run, or from step to step."""

from __future__ import annotations

from collections.abc import Sequence

from mlkit.reports.svg import element, text

__all__ = ["draw_spark"]

_WIDTH, _HEIGHT, _EDGE = 96.0, 20.0, 3.0
_MOST_POINTS = 200


def draw_spark(values: Sequence[float | None], words: str) -> str:
    """Draw a spark line; the last value has a dot, and what is missing is a gap.

    Parameters
    ----------
    values : sequence of float or None
        In order, at least one of them there.
    words : str
        What it shows, for screen readers.
    """
    kept = list(values)[:: max(1, -(-len(values) // _MOST_POINTS))]
    if len(values) and kept[-1] is not values[-1]:
        kept.append(values[-1])
    there = [value for value in kept if value is not None]
    low, high = min(there), max(there)
    step = (_WIDTH - 2 * _EDGE) / max(1, len(kept) - 1)

    def point(index: int, value: float) -> tuple[float, float]:
        share = 0.5 if high == low else (value - low) / (high - low)
        return _EDGE + index * step, _HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE)

    lines: list[list[str]] = [[]]
    last = (_EDGE, _HEIGHT / 2)
    for index, value in enumerate(kept):
        if value is None:
            lines.append([])
        else:
            last = point(index, value)
            lines[-1].append(f"{last[0]:.1f},{last[1]:.1f}")
    drawn = [
        element("polyline", points=" ".join(line), fill="none", stroke="currentColor",
                stroke_width="1.3", stroke_linejoin="round")
        for line in lines
        if len(line) > 1
    ]  # fmt: skip
    dots = [
        element("circle", cx=float(x), cy=float(y), r="1.3", fill="currentColor")
        for line in lines
        if len(line) == 1
        for x, y in [line[0].split(",")]
    ]
    end = element("circle", cx=last[0], cy=last[1], r="2.2", fill="currentColor")
    return element(
        "svg",
        element("title", text(words)) + "".join([*drawn, *dots]) + end,
        class_="spark",
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        width=f"{_WIDTH:.0f}",
        height=f"{_HEIGHT:.0f}",
        role="img",
        aria_label=words,
    )
