"""The kit's SVG pictures as PNG, for places that show no SVG and no live view.

It knows what `mlkit.reports.svg` writes (`g`, `rect`, `circle`, `line`, `path` with M, L, C and z,
`text`) and the style sheet that these pictures share, and draws with Matplotlib.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path

from mlkit.widgets.kit.raster_style import Style, StyleSheet, shared_style_sheet
from mlkit.widgets.kit.svg_reading import size_of, tag_of

__all__ = ["png_of"]

_PIXELS_PER_INCH = 100
_SCALE = 1.5
_GAP = 14.0
_FONT_SCALE = 0.72 * 0.93
"""Points a pixel, and that the drawing's font runs wider than a browser's."""
_PATH = re.compile(r"([MLCzZ])|(-?\d+(?:\.\d+)?)")


def png_of(pictures: Sequence[str]) -> bytes:
    """Draw SVG pictures below each other as one PNG, on white.

    Parameters
    ----------
    pictures : sequence of str
        Each one SVG element with a `viewBox` that starts at 0, 0.
    """
    roots = [ElementTree.fromstring(picture) for picture in pictures]
    sizes = [size_of(root) for root in roots]
    width = max(w for w, _ in sizes)
    height = sum(h for _, h in sizes) + _GAP * (len(sizes) - 1)
    figure = Figure(figsize=(width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    sheet = shared_style_sheet()
    top = 0.0
    for root, (_, own) in zip(roots, sizes, strict=True):
        _Painter(axes, sheet, top).paint(root, sheet.style_of(root, (), {}), ())
        top += own + _GAP
    to = io.BytesIO()
    figure.savefig(to, format="png", dpi=_PIXELS_PER_INCH * _SCALE, metadata={"Software": None})
    return to.getvalue()


class _Painter:
    """Draws one picture, shifted down by `top`."""

    def __init__(self, axes: Axes, sheet: StyleSheet, top: float) -> None:
        self._axes, self._sheet, self._top = axes, sheet, top

    def paint(
        self,
        node: ElementTree.Element,
        style: Style,
        above: tuple[ElementTree.Element, ...],
    ) -> None:
        """Draw an element and what it holds."""
        draw = getattr(self, f"_{tag_of(node)}", None)
        if draw is not None:
            draw(node.attrib, style, node)
        if tag_of(node) in ("svg", "g", "a"):
            for child in node:
                own = self._sheet.style_of(child, (*above, node), style)
                self.paint(child, own, (*above, node))

    def _rect(self, at: Mapping[str, str], style: Style, _: object) -> None:
        x, y, width, height, radius = (
            float(at.get(key, 0)) for key in ("x", "y", "width", "height", "rx")
        )
        round_by = min(radius, width / 2, height / 2)
        shape = f"round,pad=0,rounding_size={round_by}" if round_by > 0 else "square,pad=0"
        place = (x, y + self._top)
        self._axes.add_patch(FancyBboxPatch(place, width, height, boxstyle=shape, **_looks(style)))

    def _circle(self, at: Mapping[str, str], style: Style, _: object) -> None:
        centre = (float(at.get("cx", 0)), float(at.get("cy", 0)) + self._top)
        self._axes.add_patch(Circle(centre, float(at.get("r", 0)), **_looks(style)))

    def _line(self, at: Mapping[str, str], style: Style, _: object) -> None:
        x1, y1, x2, y2 = (float(at.get(key, 0)) for key in ("x1", "y1", "x2", "y2"))
        self._curve([(x1, y1), (x2, y2)], [1, 2], style, at)

    def _path(self, at: Mapping[str, str], style: Style, _: object) -> None:
        points, codes = _steps(at.get("d", ""))
        if points:
            self._curve(points, codes, style, at)

    def _curve(
        self,
        points: list[tuple[float, float]],
        codes: list[int],
        style: Style,
        at: Mapping[str, str],
    ) -> None:
        path = Path([(x, y + self._top) for x, y in points], codes)
        looks = _looks(style)
        if "marker-end" in at:
            tip = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
            looks |= {"facecolor": looks["edgecolor"], **tip}
            self._axes.add_patch(FancyArrowPatch(path=path, **looks))
        else:
            self._axes.add_patch(PathPatch(path, **looks))

    def _text(self, at: Mapping[str, str], style: Style, node: ElementTree.Element) -> None:
        sides = {"middle": "center", "end": "right"}
        weight = style.get("font-weight", "400")
        self._axes.text(
            float(at.get("x", 0)),
            float(at.get("y", 0)) + self._top,
            "".join(node.itertext()).replace("$", r"\$"),
            fontsize=float(style.get("font-size", "13px").removesuffix("px")) * _FONT_SCALE,
            color=_colour(style.get("fill", "black")),
            weight="bold"
            if weight == "bold" or (weight.isdigit() and int(weight) >= 600)
            else None,
            ha=sides.get(at.get("text-anchor", style.get("text-anchor", "start")), "left"),
            va="baseline",
        )


def _steps(d: str) -> tuple[list[tuple[float, float]], list[int]]:
    """A path's points and Matplotlib's codes for them."""
    points: list[tuple[float, float]] = []
    codes: list[int] = []
    command, numbers = "M", list[float]()
    for letter, figure in _PATH.findall(d):
        if letter in ("z", "Z"):
            points.append(points[0])
            codes.append(79)
        elif letter:
            command = letter
        else:
            numbers.append(float(figure))
            if len(numbers) == {"M": 2, "L": 2, "C": 6}[command]:
                points += zip(numbers[::2], numbers[1::2], strict=True)
                codes += {"M": [1], "L": [2], "C": [4, 4, 4]}[command]
                numbers = []
    return points, codes


def _looks(style: Style) -> dict[str, Any]:
    dashes = style.get("stroke-dasharray", "none")
    width = float(style.get("stroke-width", "1").removesuffix("px")) * 0.72
    looks: dict[str, Any] = {
        "facecolor": _colour(style.get("fill", "black")),
        "edgecolor": _colour(style.get("stroke", "none")),
        "linewidth": width,
        "alpha": float(style["opacity"]) if "opacity" in style else None,
    }
    if dashes != "none":
        looks["linestyle"] = (
            0,
            [float(part) / width * 0.72 for part in re.split(r"[ ,]+", dashes)],
        )
    return looks


def _colour(value: str) -> str:
    return "black" if value in ("currentColor", "") else value
