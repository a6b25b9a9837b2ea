"""What a caller in Python gives of the wrong type, or in the wrong place, is refused clearly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import mlkit
from mlkit.errors import UsageError
from mlkit.testing import Sketch, write_pipeline

CALLS: Mapping[str, Callable[[Any], object]] = {
    "a pipeline that is a number": lambda _: mlkit.load_pipeline(3),  # type: ignore[arg-type]
    "a pipeline that is bytes": lambda _: mlkit.load_pipeline(b"p"),  # type: ignore[arg-type]
    "a run of nothing": lambda _: mlkit.run(None),  # type: ignore[arg-type]
    "a runs folder that is a number": lambda p: mlkit.run(p, runs_dir=3),  # type: ignore[arg-type]
    "the runs of a number": lambda _: mlkit.list_runs(3),  # type: ignore[arg-type]
    "a table of a number": lambda _: mlkit.runs_table(3),  # type: ignore[arg-type]
    "parameters in a list": lambda p: mlkit.run(p, parameters=["rows"]),  # type: ignore[arg-type]
    "parameters as a text": lambda p: mlkit.plan(p, parameters="a=1"),  # type: ignore[arg-type]
    "options in a dict": lambda p: mlkit.plan(p, options={"verify": 1}),  # type: ignore[arg-type]
    "layers in a dict": lambda p: mlkit.plan(p, layers={"rows": 1}),  # type: ignore[arg-type]
    "services": lambda p: mlkit.run(p, services="x"),  # type: ignore[arg-type]
    "a name that is a number": lambda p: mlkit.run(p, name=3),  # type: ignore[arg-type]
    "a note that is a number": lambda p: mlkit.run(p, note=3),  # type: ignore[arg-type]
    "pipeline and run exchanged": lambda p: mlkit.find_run(p, "latest"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_argument_is_refused(tmp_path: Path, call: str) -> None:
    """Before anything runs, with a remedy; an error of Python would speak of mlkit's inside."""
    pipeline = mlkit.load_pipeline(write_pipeline(tmp_path, Sketch(name="a")))
    with pytest.raises(UsageError) as refused:
        CALLS[call](pipeline)
    assert refused.value.remedy
    assert not (tmp_path / "runs").exists()
