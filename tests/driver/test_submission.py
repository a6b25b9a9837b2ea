"""What a stage receives from those before it."""

from __future__ import annotations

from pathlib import Path

from mlkit.core.states import Status
from mlkit.testing import FakeRunner, Sketch, run_fake, write_pipeline


def test_an_instance_that_is_not_in_the_list_fails_its_reader(tmp_path: Path) -> None:
    """A dynamic list without the value that a reader names: the reader says so."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="values", body='import json\njson.dump(["r"], open(out, "w"))'),
        Sketch(
            name="each",
            declares='v = ""',
            keys={"foreach": {"v": "values.out"}},
        ),
        Sketch(name="reader", declares='x = ""', keys={"inputs": {"x": "each[q].out"}}),
    )
    record = run_fake(file, runner=FakeRunner())
    error = record.stages["reader"].error
    assert record.stages["each[r]"].status is Status.SUCCEEDED
    assert error is not None
    assert error.message == "there is no 'each[q]' in this run: the value is not in the list"


def test_none_needs_an_annotation_that_allows_it(tmp_path: Path) -> None:
    """A default that is a text says that the parameter is a text."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", body="raise ValueError('no')"),
        Sketch(
            name="b",
            declares='a = ""',
            keys={"inputs": {"a": "a.out"}, "trigger": "all_done"},
        ),
    )
    error = run_fake(file, runner=FakeRunner()).stages["b"].error
    assert error is not None
    assert error.type == "MissingInput"
