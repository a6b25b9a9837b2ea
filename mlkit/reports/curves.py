"""What stages logged step by step, as curves: a picture a metric, a line an instance."""

from __future__ import annotations

from collections.abc import Iterable

from mlkit.core.record import StageRecord
from mlkit.frozen import dataclass
from mlkit.reports.axes import COLOURS, frame_around
from mlkit.reports.bars import number
from mlkit.reports.svg import document, element, shorten, shorten_name, text, width_of

__all__ = ["CurveGroup", "curve_finding", "curve_groups", "draw_curves"]

_WIDTH, _HEIGHT, _LABEL = 420.0, 170.0, 11.5


@dataclass(frozen=True, kw_only=True)
class CurveGroup:
    """One metric of one stage: the curves of its instances, in the order of `foreach`."""

    stage: str
    metric: str
    lines: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]


def curve_groups(items: Iterable[StageRecord]) -> tuple[CurveGroup, ...]:
    """Gather the curves of stages: those of a mapped stage's instances in one picture."""
    found: dict[tuple[str, str], list[tuple[str, tuple[tuple[float, float], ...]]]] = {}
    for item in items:
        for metric, curve in item.curves.items():
            label = item.id[len(item.stage) + 1 : -1] if item.id != item.stage else ""
            found.setdefault((item.stage, metric), []).append((label, curve))
    return tuple(
        CurveGroup(stage=stage, metric=metric, lines=tuple(lines))
        for (stage, metric), lines in found.items()
    )


def curve_finding(group: CurveGroup) -> str:
    """Say in one line where the curves begin, end, and turn."""
    if len(group.lines) > 1:
        last = [(curve[-1][1], label) for label, curve in group.lines]
        low, high = min(last), max(last)
        return (
            f"{group.metric} of {group.stage}: {number(low[0])} ({low[1]}) to {number(high[0])} "
            f"({high[1]}) at the end, {len(last)} curves"
        )
    curve = group.lines[0][1]
    low_at = min(curve, key=lambda point: point[1])
    high_at = max(curve, key=lambda point: point[1])
    return (
        f"{group.metric} of {group.stage}: {number(curve[0][1])} at step {number(curve[0][0])}, "
        f"{number(curve[-1][1])} at step {number(curve[-1][0])}; lowest {number(low_at[1])} at "
        f"{number(low_at[0])}, highest {number(high_at[1])} at {number(high_at[0])}"
    )


def draw_curves(group: CurveGroup) -> str:
    """Draw the curves over their steps; of more than eight, the first eight.

    Parameters
    ----------
    group : CurveGroup
        The curves.
    """
    shown = group.lines[: len(COLOURS)]
    frame = frame_around(
        (point for _, curve in shown for point in curve), width=_WIDTH, height=_HEIGHT, top=18.0
    )
    heading = shorten(f"{group.metric} of {group.stage}", 60)
    if len(group.lines) > len(shown):
        heading += f", {len(shown)} of {len(group.lines)}"
    parts = [element("text", text(heading), x=0.0, y=14.0, class_="heading")]
    parts.append(frame.draw("step", ""))
    ends: list[tuple[float, float, str, str]] = []
    for (label, curve), colour in zip(shown, COLOURS, strict=False):
        places = [frame.place(*point) for point in curve]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(
            element("polyline", points=drawn, fill="none", stroke_width="1.6",
                    stroke_linejoin="round", style=f"stroke: var({colour})")
        )  # fmt: skip
        ends.append((places[-1][1], places[-1][0], label, colour))
    room = 0.0
    free = 0.0
    for y, x, label, colour in sorted(ends):
        free = max(y + 4, free)
        name = shorten_name(label, 24)
        style = f"fill: var({colour})"
        parts.append(element("text", text(name), x=x + 5, y=free, class_="small", style=style))
        room = max(room, x + 5 + width_of(name, _LABEL) - frame.size[0])
        free += 13
    width = max(frame.size[0] + max(room, 0.0), width_of(heading, 14.0))
    size = (width, max(frame.size[1], free - 13 + 4))
    return document("".join(parts), size, curve_finding(group), curve_finding(group))
