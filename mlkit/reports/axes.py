"""Two axes of numbers, with ticks at round values: what curves and points are drawn in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mlkit.frozen import dataclass
from mlkit.reports.svg import element, text, width_of

__all__ = ["COLOURS", "Frame", "frame_around", "tick_text"]

COLOURS = (
    "--bar",
    "--failed",
    "--ok",
    "--cancelled",
    "--blocked",
    "--running",
    "--faint",
    "--cached",
)
"""Told apart by the colour-blind, too, beside a name at each line's end."""

_TOP, _BOTTOM, _RIGHT = 30.0, 44.0, 16.0
_TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where the axes stand, and where a pair of numbers lies between them.

    Parameters
    ----------
    left, top, width, height : float
        The inside, in pixels.
    x, y : (float, float)
        The numbers at its ends.
    """

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    @property
    def size(self) -> tuple[float, float]:
        """The whole picture's, with room for the ticks."""
        return self.left + self.width + _RIGHT, self.top + self.height + _BOTTOM

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pair of numbers lies, in pixels."""
        return (
            self.left + (x - self.x[0]) / (self.x[1] - self.x[0]) * self.width,
            self.top + self.height - (y - self.y[0]) / (self.y[1] - self.y[0]) * self.height,
        )

    def draw(self, x_title: str, y_title: str) -> str:
        """The axes with ticks, and their titles: below, and above the left one."""
        bottom = self.top + self.height
        parts = [
            element(
                "line", x1=self.left, x2=self.left + self.width, y1=bottom, y2=bottom, class_="axis"
            ),
            element("line", x1=self.left, x2=self.left, y1=self.top, y2=bottom, class_="axis"),
        ]
        for value in _ticks(*self.x):
            x = self.place(value, self.y[0])[0]
            parts.append(
                element("text", text(tick_text(value)), x=x, y=bottom + 16, class_="tick",
                        text_anchor="middle")
            )  # fmt: skip
        for value in _ticks(*self.y):
            y = self.place(self.x[0], value)[1]
            parts.append(
                element("text", text(tick_text(value)), x=self.left - 6, y=y + 4, class_="tick",
                        text_anchor="end")
            )  # fmt: skip
        middle = self.left + self.width / 2
        parts.append(
            element("text", text(x_title), x=middle, y=bottom + 34, class_="small",
                    text_anchor="middle")
        )  # fmt: skip
        parts.append(element("text", text(y_title), x=0.0, y=self.top - 12, class_="small"))
        return "".join(parts)


def frame_around(
    points: Iterable[tuple[float, float]], *, width: float, height: float, top: float = 0.0
) -> Frame:
    """The frame that holds some points, with a little room around them.

    Parameters
    ----------
    points : iterable of (float, float)
        At least one.
    width, height : float
        Of the inside, in pixels.
    top : float
        What is kept free above it, for a heading.
    """
    xs, ys = zip(*points, strict=True)
    x, y = _around(xs), _around(ys)
    left = max(width_of(tick_text(value), 11.5) for value in _ticks(*y)) + 12
    return Frame(left=left, top=top + _TOP, width=width, height=height, x=x, y=y)


def _around(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two others: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 and math.isfinite(rough) else 1.0
    step = next((power * m for m in (1, 2, 5, 10) if power * m >= rough), power)
    first = math.ceil(low / step)
    found = [round((first + n) * step, 12) for n in range(_TICKS + 2)]
    return [value for value in found if value <= high] or [low]


def tick_text(value: float) -> str:
    """A number beside an axis."""
    return f"{value:.6g}"
