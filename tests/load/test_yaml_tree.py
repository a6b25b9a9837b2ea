"""YAML's merge key `<<`, and keys that begin with `x-`."""

from __future__ import annotations

import time
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mlkit.errors import PipelineError
from mlkit.load import load_pipeline
from mlkit.load.yaml_tree import read_yaml
from tests.load.conftest import COLLECT, HEAD, Project

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


def test_yaml_is_1_2(project: Project) -> None:
    """`on:` is a key, `1e-3` a number, `no` a text, `012` twelve."""
    project.notebook("y.ipynb", "a = 1.0\nb = ''\nc = 1\nd = 1\ne = ''\nf = 1.0\n")
    pipeline = project.load(
        HEAD
        + "  s:\n    notebook: y.ipynb\n    retry: {on: [OSError]}\n    parameters:\n"
        + "      a: 1e-3\n      b: no\n      c: 012\n      d: 0o14\n      e: 1:30\n      f: .inf\n"
    )
    stage = pipeline.stages["s"]
    assert stage.retry.on == ("OSError",)
    assert stage.parameters == {
        **{"a": 0.001, "b": "no", "c": 12, "d": 12},
        **{"e": "1:30", "f": float("inf")},
    }


def test_anchors_are_understood(project: Project) -> None:
    """An alias stands for its anchor."""
    pipeline = project.load(
        HEAD
        + "  a: {notebook: collect.ipynb, retry: &r {max_retries: 4}}\n"
        + "  b: {notebook: collect.ipynb, retry: *r}\n"
    )
    assert pipeline.stages["b"].retry.max_retries == 4


def test_an_alias_means_the_nearest_anchor_before_it() -> None:
    """A stage that was copied with its anchor is YAML like any other."""
    text = "a: &x {b: 1}\nc: *x\nd: &x {b: 2}\ne: *x\n"
    assert read_yaml(text, "f", PipelineError).plain() == {
        **{"a": {"b": 1}, "c": {"b": 1}},
        **{"d": {"b": 2}, "e": {"b": 2}},
    }


@pytest.mark.parametrize("text", ["!!set {b: null}", "!mine {b: 1}", "!!omap [b: 1]", "!mine 1"])
def test_a_tag_is_refused_whatever_it_stands_before(text: str) -> None:
    """What it promises is made by nothing here; the tags of YAML's own kinds change nothing."""
    with pytest.raises(PipelineError, match=r"f:2: the tag .* is not understood"):
        read_yaml(f"a:\n- {text}", "f", PipelineError)
    own = read_yaml("a: !!map {b: !!seq [!!str 1]}", "f", PipelineError)
    assert own.plain() == {"a": {"b": ["1"]}}


BREAKS = {
    "a colon without its space": ("a: 1\nb:2\nc: 3\n", 2, "a space behind the colon: b: 2"),
    "a blank that is none": ("a: 1\nb: {c:\u00a0[1]}\n", 2, "U+00A0 stands in that line"),
    "a bracket at the end of the file": ("a: [1, 2", 1, "README"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_is_told_where_it_stands(name: str) -> None:
    """In a line that the file has, with the sign that is to be changed."""
    text, line, remedy = BREAKS[name]
    with pytest.raises(PipelineError, match="not valid YAML") as caught:
        read_yaml(text, "f", PipelineError)
    assert caught.value.line == line
    assert remedy in str(caught.value.remedy)


@pytest.mark.parametrize("blank", ["\u00a0", "\u200b", "\ufeff", "\u3000"])
def test_a_sign_that_nobody_sees_is_named(project: Project, blank: str) -> None:
    """Text from a page or a chat brings it; 'unknown key 'cache'' could not be understood."""
    refused = project.refused(f"{HEAD}{COLLECT}    cache{blank}: true\n")
    sign = f"The invisible character U+{ord(blank):04X}"
    assert f"Did you mean 'cache'? {sign} stands in what was written" in refused


def test_a_blank_that_is_none_indents_nothing(project: Project) -> None:
    """The stage became a key of the pipeline's."""
    refused = project.refused("name: p\nstages:\n\u00a0 end: {notebook: end.ipynb}\n")
    assert "The invisible character U+00A0 stands in it: write a plain space, or none" in refused


def test_a_byte_order_mark_is_passed_over(project: Project) -> None:
    """Windows editors write one."""
    project.file.write_bytes(b"\xef\xbb\xbf" + (HEAD + COLLECT).encode())
    assert load_pipeline(project.file).name == "p"


def test_a_file_that_is_not_utf_8_is_refused(project: Project) -> None:
    """The reason is told, without a traceback."""
    project.file.write_bytes("name: ü".encode("utf-16"))
    with pytest.raises(PipelineError, match="the file cannot be read"):
        load_pipeline(project.file)


def test_aliases_that_unfold_without_end_are_refused_at_once(project: Project) -> None:
    """Nine lines that stand for a billion values."""
    lines = ["name: p", "parameters:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    started = time.monotonic()
    assert "this unfolds into more than 500,000 values" in project.refused("\n".join(lines))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("text", ["[" * 300_000, "- " * 300_000, "{a: " * 100_000, "[" * 5_000])
def test_what_is_nested_without_end_is_refused(project: Project, text: str) -> None:
    """The parser in C would end the process."""
    project.file.write_text(f"a:\n {text}")
    with pytest.raises(PipelineError, match=r"nested too deeply|not valid YAML"):
        load_pipeline(project.file)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("stages:\n\ta: {}\n", "A tab stands in front of that line's text: YAML takes spaces only"),
        ("a:\n  b: 1\n\tc: 2\n", "A tab stands in front of that line's text"),
        (
            "name: p\n<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> other\n",
            "Git has left both sides of a merge there, from line 2 on: keep one of them",
        ),
    ],
)
def test_what_no_message_of_yamls_names_is_named_by_the_remedy(
    project: Project, text: str, remedy: str
) -> None:
    """An editor's tab cannot be seen, and of a merge only the line after its mark is at fault."""
    assert remedy in project.refused(text)
