"""A learner writes cron expressions and lets the server be away."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from mlkit.widgets import ScheduleLab
from mlkit.widgets.labs.schedule_simulation import Outage
from tests.widgets.controls import control


def test_it_opens_with_the_months_of_2013() -> None:
    """A server that was away for four of them."""
    lab = ScheduleLab()
    assert "4 of 12 intervals have no run" in lab._said.markup
    assert "Tuesday 01 January 2013 00:00 (UTC+0000)" in lab._said.markup
    root = ElementTree.fromstring(lab.pictures()[0])
    words = "".join(root.itertext())
    assert words.count("no run") >= 4
    assert "2013-12-01 00:00" in words


def test_catch_up_and_backfill_change_the_picture() -> None:
    """Each in its own way; the words say so beside the colours."""
    lab = ScheduleLab()
    control(lab, "serve --catch-up").value = True
    assert "All 12 intervals have one run each, 4 made later" in lab._said.markup
    assert lab.story().count("caught up") == 4
    control(lab, "serve --catch-up").value = False
    control(lab, "mlkit backfill at the end").value = True
    assert lab.story().count("backfilled") == 4
    assert "backfilled" in lab._shown.markup


def test_the_sliders_set_the_outage() -> None:
    """How many intervals it ran, and how many it was away."""
    lab = ScheduleLab(outage=Outage())
    assert lab.story().count("no run") == 0
    control(lab, "server stops after").value = 10
    control(lab, "and is away for").value = 5
    assert lab.story().count("no run") == 2


def test_what_is_no_cron_expression_is_said() -> None:
    """The picture stays as it was."""
    lab = ScheduleLab()
    before = lab._shown.markup
    control(lab, "cron expression").value = "0 0 <b> * *"
    assert "&#x27;&lt;b&gt;&#x27; is no day of the month" in lab._said.markup
    assert "<code>0 0 1 * *</code>" in lab._said.markup
    assert lab._shown.markup == before
    control(lab, "cron expression").value = "0 0 * * 0"
    assert "Sunday 06 January 2013" in lab._said.markup


def test_the_clock_of_a_zone_shows() -> None:
    """In New York the hour from two to three is left out on 10 March 2013."""
    lab = ScheduleLab("30 2 * * *", timezone="America/New_York", window="March 2013")
    assert "(UTC-0500)" in lab._said.markup
    assert "2013-03-10 03:30" in lab._shown.markup
    assert len(lab.story().entries) == 31


def test_a_window_without_an_interval_is_said() -> None:
    """Nothing is drawn, and the next times are still listed."""
    lab = ScheduleLab("0 0 1 6 *", window="March 2013")
    assert "No interval begins in March 2013." in lab._said.markup
    assert lab.pictures() == []
    assert "Saturday 01 June 2013" in lab._said.markup


@pytest.mark.parametrize("cron", ["* * * * *", "0 */6 * * *", "0 0 29 2 *", "@weekly"])
def test_any_schedule_can_be_drawn(cron: str) -> None:
    """Dense or rare."""
    lab = ScheduleLab(cron)
    for picture in lab.pictures():
        ElementTree.fromstring(picture)


def test_without_a_kernel_the_picture_stays() -> None:
    """As PNG with words, and the next times as a list."""
    bundle, metadata = ScheduleLab()._repr_mimebundle_()
    assert "image/png" in bundle
    assert "Tuesday 01 January 2013" in bundle["text/html"]
    assert "4 of 12 intervals have no run" in metadata["image/png"]["alt"]
