"""The values of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlkit.api import load_pipeline
from mlkit.cli.sweep import _values
from mlkit.core.pipeline import Pipeline
from mlkit.testing import Sketch, write_pipeline


@pytest.fixture(name="pipeline")
def _pipeline(tmp_path: Path) -> Pipeline:
    declares = 'text: str = ""\nrows: int = 1\nboth: str | None = None\nitems: list = []'
    return load_pipeline(write_pipeline(tmp_path, Sketch(name="a", declares=declares)))


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("rows=1,2", [1, 2]),
        ("text=run #1, b ,01,no", ["run #1", " b ", "01", "no"]),
        ("text=", [""]),
        ("text:='a,b',c", ["a,b", "c"]),
        ("both=null,x #1", [None, "x #1"]),
        ("items=[1],[2, 3]", [[1], [2, 3]]),
        ("a.text=[x],{", ["[x]", "{"]),
    ],
)
def test_texts_are_cut_at_commas_and_other_values_are_yaml(
    pipeline: Pipeline, given: str, values: list[Any]
) -> None:
    """`NAME:=` is YAML in any case."""
    name = given.partition("=")[0].rstrip(":")
    assert _values(pipeline, given) == (name, values)
