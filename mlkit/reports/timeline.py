"""When each stage ran: a Gantt chart of attempts, waits between retries, and reused results."""

from __future__ import annotations

from mlkit.core.durations import format_duration
from mlkit.core.record import AttemptRecord, RunRecord, StageRecord
from mlkit.core.states import Status
from mlkit.observe.signs import SIGNS
from mlkit.reports.svg import document, element, shorten_name, text, width_of

__all__ = ["draw_timeline", "tick_step"]

_ROW, _BAR, _HEAD, _FOOT, _CHART = 24.0, 13.0, 26.0, 10.0, 620.0
_LABEL_SIZE = 11.5
_MOST_TICKS = 7


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
    items = sorted(record.stages.values(), key=_when)
    span = _span(record)
    left = max([width_of(shorten_name(i.id, 34), _LABEL_SIZE) for i in items], default=0.0) + 12
    scale = _CHART / span
    bottom = _HEAD + len(items) * _ROW
    body = _grid(span, left, scale, bottom)
    right = left + _CHART + 96.0
    for index, item in enumerate(items):
        row, end = _row(item, record.started, _HEAD + index * _ROW, (left, scale))
        body += row
        right = max(right, end)
    size = (right, bottom + _FOOT)
    words = " ".join(_sentence(item, record.started) for item in items)
    return document(body, size, f"Timeline of run {record.run_id}", words, styled=styled)


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


def _row(item: StageRecord, zero: float, y: float, axis: tuple[float, float]) -> tuple[str, float]:
    """One stage's row, and where it ends on the right."""
    left, scale = axis
    name = element("text", text(shorten_name(item.id, 34)), x=0.0, y=y + 15, class_="small")
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
