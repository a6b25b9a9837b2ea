"""Write a cron expression and see its next times, its intervals, catch-up and backfill."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from html import escape
from itertools import islice
from zoneinfo import ZoneInfo

from mlkit.core.cron import parse_cron
from mlkit.core.intervals import Schedule, ticks
from mlkit.widgets.kit.base import Panel
from mlkit.widgets.kit.controls import choice, column, row, slider, text, tick
from mlkit.widgets.kit.markup import Markup
from mlkit.widgets.labs.schedule_picture import draw_story, finding, numbers
from mlkit.widgets.labs.schedule_simulation import MOST, Outage, Story, tell

__all__ = ["ScheduleLab"]

_ZONES = ("UTC", "America/New_York", "Europe/Berlin")
_WINDOWS = ("the year 2013", *(f"{name} 2013" for name in calendar.month_name[1:]))
_NEXT = 5
_YEARS = dt.timedelta(days=366 * 10)


class ScheduleLab(Panel):
    """A workbench for schedules, over the months of 2013.

    Parameters
    ----------
    cron : str
        The cron expression to start from.
    timezone : str
        The zone whose clock it follows: UTC, America/New_York or Europe/Berlin.
    window : str
        `the year 2013`, or one of its months such as `March 2013`.
    outage : Outage, optional
        When the server is away.
    catch_up, backfill : bool
        Whether missed intervals are caught up; whether somebody backfills at the end.
    """

    title = "Schedules: what runs when, and what becomes of missed runs"

    def __init__(
        self,
        cron: str = "0 0 1 * *",
        *,
        timezone: str = "UTC",
        window: str = _WINDOWS[0],
        outage: Outage | None = None,
        catch_up: bool = False,
        backfill: bool = False,
    ) -> None:
        away = outage or Outage(after=3, lasts=4)
        self._cron = text("cron expression", cron, hint="minute hour day month weekday")
        self._zone = choice("time zone", _ZONES, timezone)
        self._window = choice("look at", _WINDOWS, window)
        self._after = slider("server stops after", away.after, (0, MOST), unit="intervals")
        self._lasts = slider("and is away for", away.lasts, (0, MOST), unit="intervals")
        self._catch_up = tick("serve --catch-up", catch_up)
        self._backfill = tick("mlkit backfill at the end", backfill)
        self._said, self._shown = Markup(live=True), Markup()
        self._schedule = Schedule(when=parse_cron(cron), zone=_zone(timezone))
        super().__init__(
            row(
                column(self._cron, row(self._zone, self._window)),
                column(self._after, self._lasts, row(self._catch_up, self._backfill)),
            ),
            self._said,
            self._shown,
        )
        for control in (
            self._cron,
            self._zone,
            self._window,
            self._after,
            self._lasts,
            self._catch_up,
            self._backfill,
        ):
            control.observe(self._draw, "value")
        self._draw()

    def story(self) -> Story:
        """What becomes of each interval, as the controls say."""
        return tell(
            self._schedule,
            self._span(),
            Outage(after=int(self._after.value), lasts=int(self._lasts.value)),
            catch_up=self._catch_up.value,
            backfill=self._backfill.value,
        )

    def next_times(self) -> list[dt.datetime]:
        """The schedule's first times from the beginning of what is looked at."""
        start, _ = self._span()
        return list(islice(ticks(self._schedule, start, start + _YEARS), _NEXT))

    def _span(self) -> tuple[dt.datetime, dt.datetime]:
        """The year or month that is looked at, on the zone's clock."""
        zone, month = self._schedule.zone, _WINDOWS.index(self._window.value)
        start = dt.datetime(2013, max(1, month), 1, tzinfo=zone)
        after = (2014, 1) if month in (0, 12) else (2013, month + 1)
        return start, dt.datetime(*after, 1, tzinfo=zone)

    def _draw(self, _: object = None) -> None:
        try:
            cron = parse_cron(self._cron.value)
        except ValueError as error:
            self._said.markup = (
                f"<p><strong>✗ This is no cron expression:</strong> {escape(str(error))}. "
                f"The picture still shows <code>{escape(self._schedule.when.text)}</code>.</p>"
            )
            return
        self._schedule = Schedule(when=cron, zone=_zone(self._zone.value))
        self._said.markup = self._words()
        pictures = self.pictures()
        self._shown.markup = f'<div class="mlkit-scroll">{"".join(pictures)}</div>'

    def _words(self) -> str:
        story = self.story()
        if not story.entries:
            return f"<p>No interval begins in {escape(self._window.value)}.</p>{self._times()}"
        told = f"<p><strong>{escape(finding(story))}.</strong> {escape(numbers(story))}</p>"
        return told + self._times()

    def _times(self) -> str:
        items = "".join(f"<li>{_moment(moment)}</li>" for moment in self.next_times())
        since = escape(self._window.value)
        return f"<p>The first times from the beginning of {since}:</p><ol>{items}</ol>"

    def pictures(self) -> Sequence[str]:
        """The intervals and their runs."""
        story = self.story()
        return [draw_story(story)] if story.entries else []

    def static_html(self) -> str:
        """The same in words."""
        return self._words()


def _zone(name: str) -> dt.tzinfo:
    return dt.UTC if name == "UTC" else ZoneInfo(name)


def _moment(moment: dt.datetime) -> str:
    return escape(f"{moment:%A %d %B %Y %H:%M} (UTC{moment:%z})")
