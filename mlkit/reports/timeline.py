"""When each stage ran: a Gantt chart of attempts, waits between retries, and reused results.

In a long one a map of many values has one row in place of theirs: what ran at once stands below
each other in it, and those that did not succeed keep rows of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mlkit.core.durations import format_duration
from mlkit.core.record import AttemptRecord, RunRecord, StageRecord
from mlkit.core.states import SUCCESSFUL, Status
from mlkit.frozen import dataclass
from mlkit.observe.signs import SIGNS
from mlkit.reports.dag import combined
from mlkit.reports.svg import document, element, shorten_name, text, width_of

__all__ = ["draw_timeline", "tick_step"]

_ROW, _BAR, _HEAD, _FOOT, _CHART = 24.0, 13.0, 26.0, 10.0, 620.0
_LABEL_SIZE = 11.5
_MOST_TICKS = 7
_MOST_ROWS, _MOST_OF_A_MAP, _MOST_BAD, _MOST_LANES = 40, 8, 10, 8
"""From so many rows on maps of more values than that are folded; at most ten of each that did not
succeed keep theirs, and a row has at most eight lanes."""
_LANE = 7.0


@dataclass(frozen=True, kw_only=True)
class _Folded:
    """The instances of one map, in one row."""

    stage: str
    items: tuple[StageRecord, ...]

    @property
    def lanes(self) -> tuple[tuple[tuple[StageRecord, AttemptRecord], ...], ...]:
        """Attempts that ran at once, below each other: each in the first lane that is free."""
        ran = [(item, attempt) for item in self.items for attempt in item.history]
        ran.sort(key=lambda pair: pair[1].started)
        lanes: list[list[tuple[StageRecord, AttemptRecord]]] = []
        for item, attempt in ran:
            free = (lane for lane in lanes if lane[-1][1].ended <= attempt.started)
            lane = next(free, None)
            if lane is None and len(lanes) < _MOST_LANES:
                lanes.append(lane := [])
            # With more at once than there are lanes bars overlap in the one that is free first.
            lane = lane if lane is not None else min(lanes, key=lambda each: each[-1][1].ended)
            lane.append((item, attempt))
        return tuple(map(tuple, lanes))

    @property
    def height(self) -> float:
        return max(_ROW, len(self.lanes) * _LANE + 10.0)


def tick_step(span_s: float) -> float:
    """Choose a round step, so that a span of seconds has at most seven ticks.

    Returns
    -------
    float
        1, 2, 5, 10, 15, 30 seconds or minutes, …, or a power of ten times 1, 2 or 5.
    """
    rounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]
    rounds += [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]
    for step in rounds:
        if span_s / step <= _MOST_TICKS:
            return step
    step = rounds[-1]
    while span_s / step > _MOST_TICKS:
        step *= 2
    return step


def draw_timeline(record: RunRecord, *, styled: bool = True) -> str:
    """Draw one row for each stage, in the order in which they started.

    Of more than forty rows those of one map are folded into one, as far as they succeeded, and the
    rows of a stage stand together.

    Parameters
    ----------
    record : RunRecord
        The run.
    styled : bool
        Whether the SVG carries its own style sheet.

    Returns
    -------
    str
        One SVG element.
    """
    rows = _rows(record)
    names = [_name(row) for row in rows]
    span = _span(record)
    left = max([width_of(name, _LABEL_SIZE) for name in names], default=0.0) + 12
    axis = (left, _CHART / span)
    heights = [row.height if isinstance(row, _Folded) else _ROW for row in rows]
    bottom = _HEAD + sum(heights)
    body = _grid(span, *axis, bottom)
    right = left + _CHART + 96.0
    top = _HEAD
    for row, height in zip(rows, heights, strict=True):
        drawn, end = (
            _folded_row(row, record.started, top, axis)
            if isinstance(row, _Folded)
            else _row(row, record.started, top, axis)
        )
        body += drawn
        top += height
        right = max(right, end)
    size = (right, bottom + _FOOT)
    words = " ".join(_said(row, record.started) for row in rows)
    return document(body, size, f"Timeline of run {record.run_id}", words, styled=styled)


def _rows(record: RunRecord) -> list[StageRecord | _Folded]:
    """What has a row, in the order in which it started."""
    items = sorted(record.stages.values(), key=_when)
    by_stage: dict[str, list[StageRecord]] = {}
    for item in items:
        by_stage.setdefault(item.stage, []).append(item)
    if len(items) <= _MOST_ROWS:
        return list(items)
    rows: list[StageRecord | _Folded] = []
    for stage, own in by_stage.items():
        if len(own) <= _MOST_OF_A_MAP:
            rows += own
            continue
        rows.append(_Folded(stage=stage, items=tuple(own)))
        rows += [item for item in own if item.status not in SUCCESSFUL][:_MOST_BAD]
    return rows


def _name(row: StageRecord | _Folded) -> str:
    if isinstance(row, _Folded):
        return f"{shorten_name(row.stage, 26)} × {len(row.items):,}"
    return shorten_name(row.id, 34)


def _when(item: StageRecord) -> float:
    return item.started if item.started is not None else float("inf")


def _span(record: RunRecord) -> float:
    ends = [a.ended for item in record.stages.values() for a in item.history]
    ends += [record.ended] if record.ended is not None else []
    return max([end - record.started for end in ends] + [0.001])


def _grid(span: float, left: float, scale: float, bottom: float) -> str:
    step = tick_step(span)
    marks = []
    for index in range(int(span / step) + 1):
        x = left + index * step * scale
        marks.append(element("line", x1=x, x2=x, y1=_HEAD - 6, y2=bottom, class_="grid"))
        words = _clock(index * step)
        marks.append(element("text", words, x=x, y=14.0, class_="tick", text_anchor="middle"))
    return "".join(marks)


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
        if minutes >= 60
        else f"{minutes}:{rest:02d}"
    )


def _folded_row(
    row: _Folded, zero: float, y: float, axis: tuple[float, float]
) -> tuple[str, float]:
    """A map's row, and where it ends on the right."""
    left, scale = axis
    middle = y + row.height / 2 + 3
    parts = [element("text", text(_name(row)), x=0.0, y=middle, class_="small")]
    for number, lane in enumerate(row.lanes):
        spans = ((left + (a.started - zero) * scale, a.seconds * scale, i, a) for i, a in lane)
        parts += _lane(row.stage, spans, y + 5 + number * _LANE)
    ends = [attempt.ended for lane in row.lanes for _, attempt in lane]
    end = left + (max(ends) - zero if ends else 0.0) * scale
    status = combined(item.status for item in row.items) or Status.WAITING
    words = _counted(row)
    shown = element("text", text(words), x=end + 6, y=middle, class_="small state")
    parts.append(element("g", shown, class_=f"state-{status.value}"))
    return element("g", *parts), end + 6 + width_of(words, _LABEL_SIZE) + _FOOT


def _lane(
    stage: str, spans: Iterable[tuple[float, float, StageRecord, AttemptRecord]], y: float
) -> list[str]:
    """The bars of a lane; of those too small and too near to be told apart, one for all."""
    bars: list[tuple[float, float, Status, str]] = []
    for x, width, item, attempt in spans:
        words = f"{item.id}, attempt {attempt.number}"
        if bars:
            begin, end, status, _ = bars[-1]
            is_near = status is attempt.status and x < end + 1
            is_small = width < 2 and end - begin < 20
            if is_near and (is_small or x + width <= end):
                bars[-1] = (begin, max(end, x + width), status, f"instances of {stage}")
                continue
        bars.append((x, x + width, attempt.status, words))
    return [_thin(*bar, y) for bar in bars]


def _thin(begin: float, end: float, status: Status, words: str, y: float) -> str:
    shape = {"width": max(1.0, end - begin), "height": _LANE - 1, "rx": 1}
    hint = element("title", text(f"{words}: {status.value}"))
    bar = element("rect", x=begin, y=y, class_="span", **shape)
    return element("g", hint + bar, class_=f"state-{status.value}")


def _counted(row: _Folded) -> str:
    """How many of a map's instances have each state."""
    seen = Counter(item.status for item in row.items)
    return " · ".join(f"{SIGNS[s].glyph} {seen[s]:,}" for s in Status if seen[s])


def _said(row: StageRecord | _Folded, zero: float) -> str:
    if isinstance(row, StageRecord):
        return _sentence(row, zero)
    seen = Counter(item.status for item in row.items)
    states = ", ".join(f"{seen[s]:,} {SIGNS[s].word}" for s in Status if seen[s])
    return f"{row.stage}: {len(row.items):,} instances, {states}."


def _row(item: StageRecord, zero: float, y: float, axis: tuple[float, float]) -> tuple[str, float]:
    """One stage's row, and where it ends on the right."""
    left, scale = axis
    name = element("text", text(_name(item)), x=0.0, y=y + 15, class_="small")
    parts = [name]
    before: AttemptRecord | None = None
    for attempt in item.history:
        if before is not None:
            x1, x2 = (left + (t - zero) * scale for t in (before.ended, attempt.started))
            middle = y + 5 + _BAR / 2
            parts.append(element("line", x1=x1, x2=x2, y1=middle, y2=middle, class_="pause"))
        parts.append(_bar(item, attempt, left + (attempt.started - zero) * scale, y, scale))
        before = attempt
    last = item.history[-1].ended if item.history else item.ended
    end = left + max(0.0, (last - zero) if last is not None else 0.0) * scale
    words = _ending(item)
    shown = element("text", text(words), x=end + 6, y=y + 15, class_="small state")
    parts.append(element("g", shown, class_=f"state-{item.status.value}"))
    return element("g", *parts), end + 6 + width_of(words, _LABEL_SIZE) + _FOOT


def _bar(item: StageRecord, attempt: AttemptRecord, x: float, y: float, scale: float) -> str:
    width = max(3.0, attempt.seconds * scale)
    bar = element("rect", x=x, y=y + 5, width=width, height=_BAR, rx=2, class_="span")
    words = f"{item.id}, attempt {attempt.number}: {attempt.status.value} in "
    hint = element("title", text(words + format_duration(attempt.seconds)))
    cross = ""
    if attempt.status is Status.FAILED and width > 14:
        cross = element("text", "✗", x=x + width / 2 - 4, y=y + 15.5, class_="on-bar")
    return element("g", hint + bar + cross, class_=f"state-{attempt.status.value}")


def _ending(item: StageRecord) -> str:
    """What is written behind the bars: the duration, or the state if nothing ran."""
    sign = SIGNS[item.status]
    if not item.history:
        return str(sign)
    took = format_duration(item.seconds)
    return took if item.status is Status.SUCCEEDED else f"{sign.glyph} {took}"


def _sentence(item: StageRecord, zero: float) -> str:
    if not item.history:
        return f"{item.id}: {SIGNS[item.status].word}."
    start = format_duration(max(0.0, item.history[0].started - zero))
    many = f" in {item.attempts} attempts" if item.attempts > 1 else ""
    took = format_duration(item.seconds)
    return f"{item.id}: {SIGNS[item.status].word}{many}, from {start}, for {took}."
