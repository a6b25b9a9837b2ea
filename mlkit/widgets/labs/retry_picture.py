"""Attempts on a time line and the load on the server, without and with jitter side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from mlkit.frozen import dataclass
from mlkit.reports.svg import document, element, text
from mlkit.reports.timeline import tick_step
from mlkit.widgets.labs.retry_simulation import Call, Simulation

__all__ = ["Chart", "caption", "draw_crowds", "draw_each", "figures"]

_LEFT, _WIDTH, _GAP, _HEAD = 74.0, 380.0, 40.0, 50.0
_MOST_ROWS, _LOAD, _BETWEEN, _FOOT = 24, 90.0, 46.0, 62.0
_MOST_BARS = 90
_STATE = {"ok": "succeeded", "failed": "failed", "refused": "upstream_failed"}


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The scales that all panels share, so that they can be compared.

    Parameters
    ----------
    span_s : float
        The end of the time axis.
    bar_s : float
        The width of a bar of the load, in seconds.
    highest : int
        The end of the load's axis.
    rows : int
        How many clients are drawn.
    left : float
        Where a panel begins.
    """

    span_s: float
    bar_s: float
    highest: int
    rows: int
    left: float = 0.0

    @classmethod
    def of(cls, crowds: Sequence[Simulation]) -> Chart:
        """Choose scales that hold every panel."""
        span = max(found.ends_s for found in crowds)
        window = crowds[0].crowd.window_s
        bar = window * max(1, math.ceil(span / window / _MOST_BARS))
        return cls(
            span_s=span,
            bar_s=bar,
            highest=max(max(found.load(bar).values()) for found in crowds),
            rows=min(_MOST_ROWS, crowds[0].crowd.clients),
        )

    @property
    def row(self) -> float:
        """How high a client's row is."""
        return max(13.0, min(18.0, 220.0 / self.rows))

    @property
    def lines_bottom(self) -> float:
        """Where the time lines end."""
        return _HEAD + self.rows * self.row

    @property
    def load_bottom(self) -> float:
        """Where the load's bars stand."""
        return self.lines_bottom + _BETWEEN + _LOAD

    @property
    def zero(self) -> float:
        """Where second 0 is."""
        return self.left + _LEFT

    def x(self, at_s: float) -> float:
        """Where a moment is."""
        return self.zero + at_s / self.span_s * (_WIDTH - 8)


def draw_crowds(crowds: Sequence[Simulation]) -> str:
    """Draw one panel for each simulation, left to right, on the same scales.

    Parameters
    ----------
    crowds : sequence of Simulation
        One or two, of the same clients and server.
    """
    return _picture(crowds, Chart.of(crowds))


def _picture(crowds: Sequence[Simulation], chart: Chart) -> str:
    step = _LEFT + _WIDTH + _GAP
    panels = [_panel(found, replace(chart, left=n * step)) for n, found in enumerate(crowds)]
    height = chart.load_bottom + _FOOT
    legend = _legend(height - 12, crowds[0])
    size = (len(crowds) * step - _GAP + 8, height)
    words = " ".join(f"{_name(found)}: {figures(found)}." for found in crowds)
    return document("".join([*panels, legend]), size, _title(crowds), words)


def draw_each(crowds: Sequence[Simulation]) -> list[str]:
    """Draw each simulation as a picture of its own, all on the same scales; they may wrap.

    Parameters
    ----------
    crowds : sequence of Simulation
        As for `draw_crowds`.
    """
    chart = Chart.of(crowds)
    return [_picture([found], chart) for found in crowds]


def caption(crowds: Sequence[Simulation]) -> str:
    """Say what is simulated and what is not."""
    crowd = crowds[0].crowd
    limit = (
        f"; it takes {crowd.capacity} calls in {crowd.window_s:g} s and refuses the rest"
        if crowd.capacity is not None
        else ""
    )
    return (
        f"A simulation: {crowd.clients} clients all call one server at second 0, and each call "
        f"fails with probability {crowd.failure_rate:.0%}{limit}. The waits are those of mlkit's "
        "own retry policy; the server and the clock are simulated."
    )


def figures(found: Simulation) -> str:
    """The numbers of one panel, in words."""
    return (
        f"{found.succeeded} of {found.crowd.clients} clients succeeded "
        f"({found.success_share:.0%}), {len(found.calls)} attempts in all, at most "
        f"{found.peak_after_start()} retries in {found.crowd.window_s:g} s"
    )


def _name(found: Simulation) -> str:
    return "With jitter" if found.crowd.retry.jitter else "Without jitter"


def _title(crowds: Sequence[Simulation]) -> str:
    if len(crowds) == 1:
        return f"{_name(crowds[0])}: attempts and load"
    before, after = (len(found.calls) for found in crowds)
    if after < before:
        return f"Jitter saves {before - after} of {before} attempts"
    peaks = [found.peak_after_start() for found in crowds]
    if peaks[1] < peaks[0]:
        return f"Jitter lowers the peak of retries from {peaks[0]} to {peaks[1]}"
    return "Jitter changes little here"


def _panel(found: Simulation, chart: Chart) -> str:
    heading = element("text", text(_name(found)), x=chart.zero, y=18.0, class_="heading")
    ended = f"{found.succeeded} of {found.crowd.clients} succeed, {len(found.calls)} attempts"
    numbers = element("text", text(ended), x=chart.zero, y=36.0, class_="small")
    rows = "".join(_row(found.of(client), client, chart) for client in range(chart.rows))
    more = found.crowd.clients - chart.rows
    if more:
        y = chart.lines_bottom + 12
        words = f"and {more} clients more, not drawn"
        rows += element("text", words, x=chart.zero, y=y, class_="small")
    return heading + numbers + _grid(chart) + rows + _load(found, chart)


def _grid(chart: Chart) -> str:
    step = tick_step(chart.span_s)
    marks = []
    for number in range(int(chart.span_s / step) + 1):
        x = chart.x(number * step)
        bottom = chart.load_bottom
        marks.append(element("line", x1=x, x2=x, y1=_HEAD - 6, y2=bottom, class_="grid"))
        words = f"{number * step:g} s"
        marks.append(
            element("text", words, x=x, y=bottom + 16, class_="tick", text_anchor="middle")
        )
    return "".join(marks)


def _row(calls: Sequence[Call], client: int, chart: Chart) -> str:
    y = _HEAD + (client + 0.5) * chart.row
    name = element("text", f"client {client + 1}", x=chart.left, y=y + 4, class_="small")
    x1, x2 = chart.x(calls[0].at_s), chart.x(calls[-1].at_s)
    line = element("line", x1=x1, x2=x2, y1=y, y2=y, class_="pause")
    return name + line + "".join(_mark(call.outcome, chart.x(call.at_s), y, call) for call in calls)


def _mark(outcome: str, x: float, y: float, call: Call | None = None) -> str:
    """A filled circle, a cross, a hollow square: told apart without their colours."""
    words = f"client {call.client + 1}, attempt {call.number}: {outcome}" if call else outcome
    hint = element("title", text(words))
    if outcome == "ok":
        shape = element("circle", cx=x, cy=y, r=3.6, class_="mark")
    elif outcome == "failed":
        left, right, up, down = (f"{v:.1f}" for v in (x - 3, x + 3, y - 3, y + 3))
        d = f"M{left},{up} L{right},{down} M{right},{up} L{left},{down}"
        shape = element("path", d=d, class_="cross")
    else:
        shape = element("rect", x=x - 3, y=y - 3, width=6.0, height=6.0, class_="hollow")
    return element("g", hint + shape, class_=f"state-{_STATE[outcome]}")


def _load(found: Simulation, chart: Chart) -> str:
    top = chart.load_bottom - _LOAD
    scale = (_LOAD - 14) / chart.highest
    unit = f"calls in each {chart.bar_s:g} s"
    parts = [element("text", text(unit), x=chart.zero, y=top - 6, class_="small")]
    width = max(1.0, chart.x(chart.bar_s) - chart.x(0) - 1)
    load = found.load(chart.bar_s)
    for number, count in load.items():
        if count:
            x, high = chart.x(number * chart.bar_s), count * scale
            y = chart.load_bottom - high
            parts.append(element("rect", x=x, y=y, width=width, height=high, class_="bar"))
    parts += [_peak(load, chart, scale), _axis(chart)]
    return "".join(parts)


def _peak(load: dict[int, int], chart: Chart, scale: float) -> str:
    """Write the number above the start's bar and above the highest later one."""
    later = max((n for n in load if n), key=load.__getitem__, default=None)
    shown = [n for n in (0, later) if n is not None and load[n]]
    return "".join(
        element(
            "text",
            str(load[n]),
            x=chart.x(n * chart.bar_s),
            y=chart.load_bottom - load[n] * scale - 3,
            class_="small",
        )
        for n in shown
    )


def _axis(chart: Chart) -> str:
    y = chart.load_bottom
    return element("line", x1=chart.zero, x2=chart.zero + _WIDTH, y1=y, y2=y, class_="axis")


def _legend(y: float, found: Simulation) -> str:
    entries = [("ok", "answered"), ("failed", "failed")]
    if found.crowd.capacity is not None:
        entries.append(("refused", "refused: too many calls at once"))
    parts, x = [], _LEFT + 4
    for outcome, words in entries:
        parts.append(_mark(outcome, x, y - 4))
        parts.append(element("text", words, x=x + 9, y=y, class_="small"))
        x += 34 + 6.4 * len(words)
    return "".join(parts)
