"""YAML's merge key `<<`, and keys that begin with `x-`."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mlkit.errors import PipelineError
from mlkit.load.yaml_tree import read_yaml
from tests.load.conftest import Project

BASE = """\
name: p
x-usual: &usual
  retry: {max_retries: 2}
  timeout: 10m
stages:
  collect:
    <<: *usual
    notebook: collect.ipynb
    timeout: 1m
    outputs: {flights: f.parquet}
    x-owner: ann
"""


def test_a_stage_takes_in_what_stages_share(project: Project) -> None:
    """Its own keys win; what begins with `x-` is passed over, at the top and in a stage."""
    stage = project.load(BASE).stages["collect"]
    assert (stage.retry.max_retries, stage.timeout_s) == (2, 60.0)


def test_a_mistake_in_what_is_shared_names_its_own_line(project: Project) -> None:
    """There it is to be mended."""
    text = BASE.replace("timeout: 10m", "timout: 10m")
    assert project.refused(text).startswith(
        "pipeline.yaml:4: stage 'collect': unknown key 'timout'. Did you mean 'timeout'?"
    )


def test_a_stage_may_be_called_x(project: Project) -> None:
    """Names of one's own, such as a stage's, are never passed over."""
    text = BASE.replace("  collect:", "  x-ray:")
    assert list(project.load(text).stages) == ["x-ray"]


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("a: {<<: 3}", "f:1: '<<' takes in a mapping or a list of mappings"),
        ("b: &b [1]\na:\n  <<: *b", "f:3: '<<' takes in a mapping or a list of mappings"),
        ("b: &b {c: 1}\na:\n  <<: *b\n  <<: *b", "f:4: the key '<<' stands twice"),
        ("a: &a\n  <<: *a", "an alias stands in its own anchor"),
    ],
)
def test_what_cannot_be_taken_in_is_refused(text: str, fact: str) -> None:
    """With its line."""
    with pytest.raises(PipelineError) as caught:
        read_yaml(text, "f", PipelineError)
    assert fact in str(caught.value)


def test_a_quoted_sign_is_a_key_like_any_other() -> None:
    """As in YAML."""
    assert read_yaml("{'<<': 1}", "f", PipelineError).plain() == {"<<": 1}


_MAPPINGS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), max_size=3)


@settings(deadline=None)  # a busy machine
@given(st.lists(_MAPPINGS, min_size=1, max_size=4), _MAPPINGS)
def test_merging_agrees_with_a_reader_that_is_known_to_be_right(
    bases: list[dict[str, int]], own: dict[str, int]
) -> None:
    """One mapping or several, overlapping in any way, before or after the own keys."""
    lines = [f"x{i}: &x{i} {_flow(base)}" for i, base in enumerate(bases)]
    names = [f"*x{i}" for i in range(len(bases))]
    for count in (1, 2, len(names)):
        for chosen in combinations(names, min(count, len(names))):
            value = chosen[0] if len(chosen) == 1 else f"[{', '.join(chosen)}]"
            rows = [f"  {key}: {number}" for key, number in own.items()]
            for place in (0, len(rows)):
                body = [*rows[:place], f"  <<: {value}", *rows[place:]]
                text = "\n".join([*lines, "made:", *body])
                expected: Any = YAML(typ="safe", pure=True).load(text)
                assert read_yaml(text, "f", PipelineError).plain() == expected


def _flow(values: dict[str, int]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"
