"""The file after each run, drawn as what stands in it."""

from __future__ import annotations

from collections.abc import Sequence

from mlkit.reports.svg import document, element, text
from mlkit.widgets.labs.idempotency_experiment import Experiment, Look

__all__ = ["draw_files", "explain", "summary"]

_WIDTH, _GAP, _LINE, _TOP = 196.0, 22.0, 15.0, 44.0
_MOST_LINES = 12
_COUNTED = ("part", "too much")
_WORDS = {
    "whole": "✓ whole",
    "missing": "✗ missing: no file",
    "empty": "✗ empty",
    "part": "✗ only a part",
    "too much": "✗ too much",
}


def draw_files(experiments: Sequence[Experiment]) -> str:
    """Draw one row for each way of writing, and in it the file after each run."""
    y, parts = 0.0, []
    for found in experiments:
        parts.append(_row(found, y))
        y += _height(found)
    runs = max(len(found.looks) for found in experiments)
    size = (runs * (_WIDTH + _GAP) - _GAP + 4, y)
    words = " ".join(explain(found) for found in experiments)
    return document("".join(parts), size, "The file after each run", words)


def explain(found: Experiment) -> str:
    """Say in words what the file was after each run."""
    states = [f"run {look.run}{_how(look)}: {_plain(look, found)}" for look in found.looks]
    return f"{found.plan.method}: {'; '.join(states)}."


def summary(found: Experiment) -> str:
    """Say what that means for a pipeline."""
    again = (
        "a run that ends well always leaves the right file"
        if found.is_idempotent
        else "a run that ends well does not always leave the right file: not idempotent here"
    )
    if found.plan.killed_run is None:
        return f"{again}."
    kept = (
        "the kill did no harm"
        if found.kept_the_old
        else "the kill left damage where a good file was"
    )
    return f"{again}; {kept}." if _had_something(found) else f"{again}."


def _had_something(found: Experiment) -> bool:
    killed = found.plan.killed_run or 1
    return 1 < killed <= len(found.looks) and found.looks[killed - 2].verdict == "whole"


def _how(look: Look) -> str:
    return ", killed" if look.killed else ""


def _plain(look: Look, found: Experiment) -> str:
    count = 0 if look.lines is None else len(look.lines)
    lines = f", {count} lines instead of {found.plan.count}"
    more = lines if look.verdict in _COUNTED else ""
    beside = f", beside it {', '.join(look.left_behind)}" if look.left_behind else ""
    return _WORDS[look.verdict][2:] + more + beside


def _shown(look: Look) -> list[str]:
    lines = list(look.lines or ())
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[: _MOST_LINES - 1], f"… and {len(lines) - _MOST_LINES + 1} more"]


def _box_height(found: Experiment) -> float:
    most = max(len(_shown(look)) for look in found.looks)
    return max(most, 2) * _LINE + 14


def _height(found: Experiment) -> float:
    beside = 16 if any(look.left_behind for look in found.looks) else 0
    return _TOP + _box_height(found) + 40 + beside


def _row(found: Experiment, y: float) -> str:
    parts = [element("text", text(found.plan.method), x=0.0, y=y + 16, class_="heading")]
    for index, look in enumerate(found.looks):
        parts.append(_file(found, look, 1 + index * (_WIDTH + _GAP), y + _TOP))
    return "".join(parts)


def _file(found: Experiment, look: Look, x: float, y: float) -> str:
    killed = f" ✗ killed at “{found.plan.killed_at}”" if look.killed else ""
    head = element("text", text(f"after run {look.run}{killed}"), x=x, y=y - 8, class_="small")
    high = _box_height(found)
    state = "succeeded" if look.verdict == "whole" else "failed"
    if look.lines is None:
        state = "skipped"
    parts = [element("rect", x=x, y=y, width=_WIDTH, height=high, rx=4, class_="face")]
    words = _shown(look) if look.lines else ["(no file)" if look.lines is None else "(empty)"]
    for number, line in enumerate(words):
        at = y + 18 + number * _LINE
        parts.append(element("text", text(line), x=x + 10, y=at, class_="small"))
    box = element("g", *parts, class_=f"state-{state}")
    return head + box + _verdict(found, look, x, y + high)


def _verdict(found: Experiment, look: Look, x: float, y: float) -> str:
    tone = "succeeded" if look.verdict == "whole" else "failed"
    count = len(look.lines or ())
    more = f": {count} lines, not {found.plan.count}" if look.verdict in _COUNTED else ""
    said = element("text", text(_WORDS[look.verdict] + more), x=x, y=y + 17, class_="small state")
    parts = [element("g", said, class_=f"state-{tone}")]
    if look.left_behind:
        words = f"beside it: {', '.join(look.left_behind)}"
        parts.append(element("text", text(words), x=x, y=y + 33, class_="small"))
    return "".join(parts)
