"""Fields made from typed parameters."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import ConfigurationError
from mlkit.load.pipeline_file import load_pipeline
from mlkit.widgets.views.fields import Field, fields_of, read, written


@pytest.fixture
def fields(typed: Path) -> dict[str, Field]:
    """By name."""
    return {field.name: field for field in fields_of(load_pipeline(typed))}


def test_each_type_has_its_own_kind_of_field(fields: dict[str, Field]) -> None:
    """The kind follows from what a notebook declares."""
    assert {name: field.kind for name, field in fields.items()} == {
        "rows": "whole",
        "share": "number",
        "deep": "tick",
        "kind": "choice",
        "title": "line",
        "months": "yaml",
        "options": "yaml",
        "day": "date",
        "top": "yaml",
        "token": "secret",
        "second.limit": "number",
    }


def test_what_is_written_into_a_field_is_read_back(fields: dict[str, Field]) -> None:
    """An untouched field means the value that pipeline.yaml gives."""
    back = {n: read(f, written(f)) for n, f in fields.items() if f.kind != "secret"}
    assert back["months"] == [1, 2]
    assert back["options"] == {"a": 1}
    assert back["day"] == dt.date(2013, 2, 3)
    assert back["top"] is None
    assert back["second.limit"] == 2


def test_a_label_names_the_type_as_python_does(fields: dict[str, Field]) -> None:
    """So that a learner sees what the field takes."""
    assert fields["months"].label == "months: list[int]"
    assert fields["kind"].label == "kind: choice"


@pytest.mark.parametrize(
    ("name", "raw", "sentence"),
    [
        ("months", "[1, x]", "months: 'x' is not an int"),
        ("months", "[1, 2", "months: '[1, 2' is not valid YAML"),
        ("months", "3", "months: 3 is not a list[int]"),
        ("day", None, "day: there is no date"),
        ("top", "many", "top: 'many' is not int | None"),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(
    fields: dict[str, Field], name: str, raw: Any, sentence: str
) -> None:
    """It names the parameter, what was given, and what it takes."""
    with pytest.raises(ConfigurationError) as caught:
        read(fields[name], raw)
    assert caught.value.message.startswith(sentence)
    assert caught.value.remedy
