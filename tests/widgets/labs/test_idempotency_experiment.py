"""What really happens to a file when its writer is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.errors import UsageError
from mlkit.widgets.labs.idempotency_experiment import METHODS, POINTS, Plan, conduct, judge
from mlkit.widgets.labs.idempotency_step import rows


def _verdicts(plan: Plan) -> list[str]:
    return [look.verdict for look in conduct(plan).looks]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "append"])
def test_three_ways_are_idempotent_when_nothing_goes_wrong(method: str) -> None:
    """After each run the file holds what it should."""
    assert _verdicts(Plan(method=method, runs=2)) == ["whole", "whole"]


def test_appending_twice_doubles_the_file() -> None:
    """Even though no run was killed."""
    found = conduct(Plan(method="append", runs=2))
    assert [len(look.lines or ()) for look in found.looks] == [4, 8]
    assert [look.verdict for look in found.looks] == ["whole", "too much"]
    assert not found.is_idempotent


@pytest.mark.parametrize(
    ("method", "point", "verdict"),
    [
        ("append", "opened", "whole"),
        ("append", "half", "too much"),
        ("append", "written", "too much"),
        ("overwrite", "opened", "empty"),
        ("overwrite", "half", "part"),
        ("overwrite", "written", "whole"),
        ("remove then write", "opened", "missing"),
        ("remove then write", "half", "part"),
        ("remove then write", "written", "whole"),
        ("atomic replace", "opened", "whole"),
        ("atomic replace", "half", "whole"),
        ("atomic replace", "written", "whole"),
    ],
)
def test_what_a_reader_finds_after_the_kill(method: str, point: str, verdict: str) -> None:
    """The second run is killed; the first one left a whole file."""
    found = conduct(Plan(method=method, runs=2, killed_run=2, killed_at=point))
    assert [look.killed for look in found.looks] == [False, True]
    assert found.looks[1].verdict == verdict
    assert found.kept_the_old == (verdict == "whole")


def test_a_killed_atomic_run_leaves_its_part_and_the_next_one_takes_it(tmp_path: Path) -> None:
    """The part stands beside the old file, and is gone when a run has come to its end."""
    found = conduct(Plan(method="atomic replace", runs=3, killed_run=2), tmp_path)
    assert [look.left_behind for look in found.looks] == [(), ("delays.csv.part",), ()]
    assert found.is_idempotent
    assert sorted(p.name for p in tmp_path.iterdir()) == ["delays.csv"]


@given(st.integers(2, 9), st.integers(0, 9))
def test_a_file_is_judged_by_its_lines(count: int, there: int) -> None:
    """Whole only if it holds exactly the right lines."""
    right = rows(count)
    verdict = judge(rows(there), right)
    assert (verdict == "whole") == (there == count)
    assert verdict == judge(list(rows(there)), right)
    assert judge(right + right, right) == "too much"
    assert judge(None, right) == "missing"


def test_a_plan_that_cannot_be_is_refused() -> None:
    """With what there is instead."""
    with pytest.raises(UsageError, match="The ways are: append, overwrite"):
        Plan(method="print")
    with pytest.raises(UsageError, match="The points are: opened, half, written"):
        Plan(killed_at="lunch")
    with pytest.raises(UsageError, match="too little"):
        Plan(runs=0)
    assert list(POINTS) == ["opened", "half", "written"]
