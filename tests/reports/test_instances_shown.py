"""The report of a run with ten thousand instances."""

from __future__ import annotations

import re
from dataclasses import replace

from mlkit.core.record import AttemptRecord, RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.reports.html import render_report
from mlkit.reports.instances_shown import MOST_INSTANCES, shown_instances

LARGE = 10_000


def record_of(count: int) -> RunRecord:
    """A run with one map of so many instances; one failed, one was tried again, both late."""
    attempt = AttemptRecord(number=1, status=Status.SUCCEEDED, started=1.0, ended=2.0)
    stages = {
        f"fit[{n}]": StageRecord(
            id=f"fit[{n}]",
            stage="fit",
            status=Status.SUCCEEDED,
            started=1.0,
            ended=2.0,
            history=(attempt,),
            metrics={"score": n / 7},
        )
        for n in range(count)
    }
    failed, again = f"fit[{count - 1}]", f"fit[{count - 2}]"
    stages[failed] = replace(stages[failed], status=Status.FAILED, metrics=None)
    stages[again] = replace(stages[again], history=(attempt, replace(attempt, number=2)))
    return RunRecord(
        run_id="20260101-000000-000-0000",
        pipeline="large",
        file="/nowhere/pipeline.yaml",
        runs_dir="/nowhere/runs",
        status=RunStatus.FAILED,
        started=1.0,
        ended=3.0,
        stages=stages,
        edges={"fit": ()},
    )


def test_a_run_of_a_thousand_is_shown_whole() -> None:
    """Nothing is left out where it can be read."""
    record = record_of(1000)
    shown = shown_instances(record)
    assert (shown.record, shown.said) == (record, ())


def test_of_more_those_are_shown_that_matter() -> None:
    """What failed and what was tried again are among them, and it is said how many there are."""
    shown = shown_instances(record_of(LARGE))
    names = list(shown.record.stages)
    assert names == [f"fit[{n}]" for n in (*range(MOST_INSTANCES - 2), LARGE - 2, LARGE - 1)]
    assert shown.said == (
        "Of stage 'fit', 200 of 10,000 instances are shown: first those that did not succeed or "
        "were tried again. run.json has all.",
    )


def test_the_page_of_ten_thousand_is_small_and_says_what_it_leaves_out() -> None:
    """It holds the numbers of all in words: lowest, highest, how many."""
    page = render_report(record_of(LARGE))
    assert len(page) < 1_000_000
    assert "200 of 10,000 instances are shown" in page
    assert "score: 0 (0) to 1428 (9998)" in page
    assert "of fit, n = 9999" in page
    assert "Shown are the highest and the lowest" in page
    assert len(re.findall(r'<section class="notebook"', page)) == MOST_INSTANCES
