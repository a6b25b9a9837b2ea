"""Parameters as words of a task's call."""

from __future__ import annotations

import datetime as dt
from pathlib import PurePosixPath

import pytest
from ruamel.yaml import YAML

from mlkit.engines.commands import assignments, parameter_words, value_text


@pytest.mark.parametrize(
    "value",
    [1, 1.5, True, None, "no", "1e-3", 'it\'s "{x}"\n# $y', ["a", 2, {"k": "v: w"}], [], {}],
)
def test_a_value_is_written_as_yaml_that_reads_back(value: object) -> None:
    """Also texts that look like something else."""
    assert YAML(typ="safe", pure=True).load(value_text(value)) == value


def test_what_json_lacks_is_written_as_yaml_has_it() -> None:
    """Dates, infinities, paths."""
    assert parameter_words({"day": dt.date(2013, 1, 2)}) == ["-p", "day:=2013-01-02"]
    assert value_text(float("-inf")) == "-.inf"
    assert value_text(PurePosixPath("/a b")) == '"/a b"'


def test_parameters_become_assignments() -> None:
    """In their order, also those of one stage."""
    assert assignments({"rows": 5, "s.n": [1]}) == ["rows:=5", "s.n:=[1]"]
