"""When a run is hopeless: rules, and what they say of curves."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.early_stopping import (
    LEAST_OTHERS,
    RuleError,
    StopRule,
    read_rule,
    stopped_early,
)
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status

LOSS = StopRule(metric="train.loss", above=True, after=2)


def _curve(*values: float) -> list[tuple[float, float]]:
    return [(float(step), value) for step, value in enumerate(values)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("train.loss > median after 5", StopRule(metric="train.loss", above=True, after=5)),
        (" acc<median ", StopRule(metric="acc", above=False)),
        (
            "train[a b].val loss > 2.5 after 10",
            StopRule(metric="train[a b].val loss", above=True, limit=2.5, after=10),
        ),
    ],
)
def test_a_rule_is_read(text: str, rule: StopRule) -> None:
    """Metric, sign, limit, and from which step on."""
    assert read_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("train.loss", "is no rule"),
        ("> median", "is no rule"),
        ("loss > best", "the limit is no number: 'best'"),
        ("loss > nan", "the limit is nan"),
        ("loss > median after soon", "the step is no number: 'soon'"),
        ("loss > median past 5", "is no rule"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told(text: str, fact: str) -> None:
    """By the part that it is about."""
    with pytest.raises(RuleError, match=fact):
        read_rule(text)


def test_a_run_is_stopped_whose_best_is_worse_than_the_median() -> None:
    """From its step on, and only where enough others came as far."""
    others = [_curve(5, 3, 1 + n) for n in range(4)]
    why = LOSS.judge(_curve(9, 8, 7), others)
    assert why == ("stopped early: train.loss 7 at step 2 is above the median of 4 runs, 2.5")
    assert LOSS.judge(_curve(9, 8), others) is None
    assert LOSS.judge(_curve(9, 8, 7), others[:3]) is None
    assert LOSS.judge(_curve(9, 8, 7), [*others[:3], _curve(1, 1)]) is None
    assert LOSS.judge(_curve(2, 8, 7), others) is None
    assert LOSS.judge(_curve(9, 8, 7, 1, 1), others) == why
    assert LOSS.judge([], others) is None
    assert read_rule("a < 0.5").judge(_curve(0.1, 0.2), []) == (
        "stopped early: a 0.2 at step 1 is below 0.5"
    )


values = st.floats(-100, 100)


@given(st.lists(values, min_size=3, max_size=6), st.lists(st.lists(values, min_size=6, max_size=6)))
def test_a_rule_turned_round_judges_what_is_turned_round(
    own: list[float], others: list[list[float]]
) -> None:
    """And it says what one says who looks at the numbers slowly."""
    step = len(own) - 1
    told = LOSS.judge(_curve(*own), [_curve(*o) for o in others])
    mirror = StopRule(metric="m", above=False, after=2)
    turned = mirror.judge(_curve(*(-v for v in own)), [_curve(*(-v for v in o)) for o in others])
    assert (told is None) == (turned is None)
    enough = len(others) >= LEAST_OTHERS
    assert (told is not None) == (enough and min(own) > median(o[step] for o in others))


def test_the_record_says_whether_a_run_was_stopped_early() -> None:
    """Not every run that was cancelled was hopeless."""
    stage = StageRecord(id="a", stage="a", status=Status.CANCELLED, reason="stopped early: x")
    record = RunRecord(
        run_id="r", pipeline="p", file="f", runs_dir="d", status=RunStatus.CANCELLED, started=0.0,
        stages={"a": stage},
    )  # fmt: skip
    assert stopped_early(record) == "stopped early: x"
    for status, reason in (("failed", "stopped early: x"), ("cancelled", "it was interrupted")):
        other = StageRecord(id="a", stage="a", status=Status.CANCELLED, reason=reason)
        changed = RunRecord(
            run_id="r", pipeline="p", file="f", runs_dir="d", status=RunStatus(status), started=0.0,
            stages={"a": other},
        )  # fmt: skip
        assert stopped_early(changed) == ""
