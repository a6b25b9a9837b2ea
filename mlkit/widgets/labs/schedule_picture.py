"""The intervals of a schedule as bars, and the run of each where it was made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from mlkit.frozen import dataclass
from mlkit.reports.svg import document, element, text
from mlkit.widgets.labs.schedule_simulation import Entry, Story

__all__ = ["draw_story", "finding", "numbers"]

_LEFT, _WIDTH, _RIGHT = 128.0, 560.0, 120.0
_HEAD, _ROW, _FOOT = 40.0, 19.0, 66.0
_TICKS = 6
_STATE = {
    "on time": "succeeded",
    "caught up": "running",
    "backfilled": "cached",
    "no run": "failed",
}
_DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """Where a moment is."""

    start: dt.datetime
    end: dt.datetime

    def x(self, moment: dt.datetime) -> float:
        """In pixels."""
        share = (moment - self.start) / (self.end - self.start)
        return _LEFT + share * _WIDTH


def draw_story(story: Story) -> str:
    """Draw a story: a row for each interval, a mark where its run was made.

    Parameters
    ----------
    story : Story
        With at least one interval.
    """
    scale = _Scale(start=story.entries[0].interval.start, end=story.ends)
    bottom = _HEAD + len(story.entries) * _ROW
    parts = [
        element("text", "logical_date", x=4.0, y=_HEAD - 12, class_="small"),
        element(
            "text", "interval, and when its run is made", x=_LEFT, y=_HEAD - 12, class_="small"
        ),
        *_grid(scale, bottom),
        *(_row(entry, number, scale) for number, entry in enumerate(story.entries)),
        *_legend(bottom + 46),
    ]
    size = (_LEFT + _WIDTH + _RIGHT, bottom + _FOOT)
    return document("".join(parts), size, finding(story), numbers(story))


def finding(story: Story) -> str:
    """What the picture shows, in one sentence."""
    missed = story.count("no run")
    many = len(story.entries)
    if missed:
        return f"{missed} of {many} intervals have no run"
    later = story.count("caught up") + story.count("backfilled")
    return f"All {many} intervals have one run each" + (f", {later} made later" if later else "")


def numbers(story: Story) -> str:
    """How many intervals had which fate, and whether there are more."""
    counts = [f"{story.count(fate)} {fate}" for fate in _STATE if story.count(fate)]  # type: ignore[arg-type] # the keys are the fates
    first, last = story.entries[0].interval.start, story.ends
    more = f" Only the first {len(story.entries)} are shown." if story.more else ""
    span = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
    return f"Schedule {story.schedule}, {span}: {', '.join(counts)}.{more}"


def _grid(scale: _Scale, bottom: float) -> Iterator[str]:
    span = scale.end - scale.start
    form = "%d %b" if span.total_seconds() > 2 * _DAY else "%d %b %H:%M"
    for number in range(_TICKS + 1):
        moment = scale.start + span * number / _TICKS
        x = scale.x(moment)
        yield element("line", x1=x, x2=x, y1=_HEAD - 6, y2=bottom + 4, class_="grid")
        words = f"{moment:{form}}"
        yield element("text", words, x=x, y=bottom + 19, class_="tick", text_anchor="middle")


def _row(entry: Entry, number: int, scale: _Scale) -> str:
    y = _HEAD + (number + 0.5) * _ROW
    start, end = entry.interval.start, entry.interval.end
    x1, x2 = scale.x(start), scale.x(end)
    name = element("text", f"{start:%Y-%m-%d %H:%M}", x=4.0, y=y + 4, class_="small")
    bar = element("rect", x=x1, y=y - 5, width=max(2.0, x2 - x1 - 1), height=10.0, class_="face")
    run_x = x2 if entry.run_at is None else scale.x(entry.run_at)
    line = element("line", x1=x2, x2=run_x, y1=y, y2=y, class_="pause") if run_x > x2 else ""
    words = element("text", entry.fate, x=run_x + 9, y=y + 4, class_="small")
    hint = element("title", text(f"{entry.interval}: {_told(entry)}"))
    inner = hint + bar + line + _mark(entry.fate, run_x, y)
    return name + element("g", inner, class_=f"state-{_STATE[entry.fate]}") + words


def _told(entry: Entry) -> str:
    if entry.run_at is None:
        return "no run"
    return f"{entry.fate}, run made at {entry.run_at:%Y-%m-%d %H:%M %z}"


def _mark(fate: str, x: float, y: float) -> str:
    """A circle, a square, a triangle, a cross: told apart without their colours."""
    left, right, up, down = (f"{v:.1f}" for v in (x - 4, x + 4, y - 4, y + 4))
    if fate == "on time":
        return element("circle", cx=x, cy=y, r=4.0, class_="mark")
    if fate == "caught up":
        return element("rect", x=x - 4, y=y - 4, width=8.0, height=8.0, class_="hollow")
    if fate == "backfilled":
        return element("path", d=f"M{left},{down} L{right},{down} L{x:.1f},{up} z", class_="mark")
    d = f"M{left},{up} L{right},{down} M{right},{up} L{left},{down}"
    return element("path", d=d, class_="cross")


def _legend(y: float) -> Iterator[str]:
    x = _LEFT
    words = {
        "on time": "run when the interval ends",
        "caught up": "run by --catch-up",
        "backfilled": "run by backfill",
        "no run": "left out",
    }
    for fate, meaning in words.items():
        yield element("g", _mark(fate, x, y - 4), class_=f"state-{_STATE[fate]}")
        yield element("text", meaning, x=x + 9, y=y, class_="small")
        x += 36 + 6.2 * len(meaning)
