"""A learner moves the sliders, and attempts, load and success follow."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from mlkit.core.policies import Retry
from mlkit.widgets import RetryLab
from mlkit.widgets.labs.retry_picture import Chart, draw_crowds
from mlkit.widgets.labs.retry_simulation import Crowd, simulate
from tests.widgets.controls import control


def test_it_opens_with_both_sides_beside_each_other() -> None:
    """Without and with jitter, the numbers of both, and what is simulated."""
    lab = RetryLab()
    assert "Without jitter:" in lab._said.markup
    assert "With jitter:" in lab._said.markup
    assert "A simulation: 24 clients" in lab._shown.markup
    assert "mlkit&#x27;s own retry policy" in lab._shown.markup


@pytest.mark.parametrize(
    ("label", "value", "field", "expected"),
    [
        ("failure rate", 50, "failure_rate", 0.5),
        ("clients", 7, "clients", 7),
        ("server's limit", 0, "capacity", None),
        ("server's limit", 9, "capacity", 9),
        ("seed", 5, "seed", 5),
    ],
)
def test_a_control_changes_the_crowd(
    label: str, value: float, field: str, expected: object
) -> None:
    """And the picture with it."""
    lab = RetryLab()
    before = lab._shown.markup
    control(lab, label).value = value
    assert getattr(lab.crowd, field) == expected
    assert lab._shown.markup != before


def test_the_policy_is_the_one_set() -> None:
    """Retries, delays and factor; and without failures nobody tries twice."""
    lab = RetryLab(Crowd(retry=Retry(max_retries=2, delay_s=1.5, backoff=3, max_delay_s=20)))
    assert lab.crowd.retry == Retry(max_retries=2, delay_s=1.5, backoff=3, max_delay_s=20)
    control(lab, "failure rate").value = 100
    assert [len(found.calls) for found in lab.results()] == [60, 60]
    control(lab, "failure rate").value = 0
    assert "20 of 20 clients succeeded (100%), 20 attempts" in lab._said.markup


def test_one_side_alone_can_be_shown() -> None:
    """With jitter, or without."""
    lab = RetryLab(jitter="on")
    assert "Without jitter" not in lab._said.markup
    control(lab, "jitter").value = "off"
    assert "With jitter" not in lab._said.markup


def test_the_picture_holds_every_attempt_of_the_clients_drawn() -> None:
    """Each with its own shape: a circle, a cross or a hollow square."""
    found = simulate(Crowd(clients=10, failure_rate=0.4, capacity=4))
    svg = draw_crowds([found])
    counted = {
        outcome: len(re.findall(rf"<title>client \d+, attempt \d+: {outcome}<", svg))
        for outcome in ("ok", "failed", "refused")
    }
    expected = {o: [c.outcome for c in found.calls].count(o) for o in counted}
    assert counted == expected
    assert min(counted.values()) > 0
    shapes = {"ok": 'class="mark"', "failed": 'class="cross"', "refused": 'class="hollow"'}
    assert all(svg.count(shape) == counted[o] + 1 for o, shape in shapes.items())


def test_both_panels_share_their_scales() -> None:
    """And no bar is higher than the axis, whatever the span."""
    crowd = Crowd(clients=60, failure_rate=1, retry=Retry(max_retries=8, delay_s=5, max_delay_s=60))
    pair = [simulate(crowd.with_jitter(side)) for side in ("off", "on")]
    chart = Chart.of(pair)
    assert chart.span_s == max(found.ends_s for found in pair)
    assert chart.highest == max(max(found.load(chart.bar_s).values()) for found in pair) >= 60
    assert max(len(found.load(chart.bar_s)) for found in pair) <= 91
    root = ElementTree.fromstring(draw_crowds(pair))
    assert "and 36 clients more, not drawn" in "".join(root.itertext())


def test_without_a_kernel_picture_and_numbers_stay() -> None:
    """The static form holds both."""
    bundle, metadata = RetryLab()._repr_mimebundle_()
    assert "image/png" in bundle
    assert "A simulation:" in bundle["text/html"]
    assert "clients succeeded" in metadata["image/png"]["alt"]
