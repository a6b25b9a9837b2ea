"""Why a round is due: the planner's words, and what it does not know."""

from __future__ import annotations

from typing import Any

from mlkit.api.due import overtaken, reasons_of, restless
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.planner.forecast import Forecast


def _record(**statuses: Status) -> RunRecord:
    stages = {
        name: StageRecord(id=name, stage=name, status=status, result=number)
        for number, (name, status) in enumerate(statuses.items(), start=1)
    }
    failed = Status.FAILED in statuses.values()
    return RunRecord(
        run_id="1",
        pipeline="p",
        file="p.yaml",
        runs_dir="runs",
        status=RunStatus.FAILED if failed else RunStatus.SUCCEEDED,
        started=0.0,
        stages=stages,
    )


def _found(*items: tuple[str, Any, str], **more: Any) -> dict[str, Forecast]:
    return {
        name: Forecast(id=name, action=action, reasons=(reason,), outputs={}, **more)
        for name, action, reason in items
    }


def test_what_has_changed_is_due_and_the_rest_is_not() -> None:
    """One line for each stage; instances that have the same reason share one."""
    record = _record(a=Status.SUCCEEDED)
    assert reasons_of(_found(("a", "reuse", ""), result=1), record) == ()
    found = _found(("a", "run", "code changed"), ("m[1]", "run", "new"), ("m[2]", "run", "new"))
    assert reasons_of(found, record) == ("a: code changed", "m: new (2 instances)")
    assert reasons_of(found, record, {"m[1]", "m[2]"}) == ("a: code changed",)


def test_an_edit_that_is_taken_back_is_due() -> None:
    """The record shows what was in between; so is a stage that is gone, or is now skipped."""
    record = _record(a=Status.CACHED, b=Status.SUCCEEDED)
    back = _found(("a", "reuse", ""), result=7)
    assert reasons_of(back, record) == ("a: an earlier result holds again", "b: is gone")
    skipped = {**_found(("a", "reuse", ""), result=1), **_found(("b", "unknown", "would be"))}
    assert reasons_of(skipped, record) == ("b: would be",)
    waits = {**_found(("a", "reuse", ""), result=1), **_found(("b", "unknown", "x"), waits=("a",))}
    assert reasons_of(waits, record) == ()


def test_a_round_that_has_failed_is_due_at_any_save() -> None:
    """Also where the planner finds earlier results for everything."""
    record = _record(a=Status.FAILED)
    found = _found(("a", "run", "never run"))
    assert reasons_of(found, record) == ("a: never run; failed in the last round",)
    assert reasons_of(_found(("a", "reuse", ""), result=1), record) == (
        "the last round did not succeed",
    )


def test_what_would_run_again_at_once_is_told_apart() -> None:
    """What changed while a stage ran is somebody's save; the rest runs in any case."""
    record = _record(a=Status.SUCCEEDED, b=Status.SUCCEEDED, c=Status.FAILED)
    found = _found(
        ("a", "run", "not reusable: x was changed while the stage ran"),
        ("b", "run", "not reusable: y was read by the stage and then written by it"),
        ("c", "run", "never run"),
    )
    assert restless(found, record) == {"a", "b"}
    assert overtaken(found) == {"a"}
