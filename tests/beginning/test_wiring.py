"""A stage in the text of a pipeline.yaml."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mlkit.beginning.wiring import FlowStagesError, with_stage, written_scalar
from mlkit.errors import PipelineError
from mlkit.load.yaml_tree import parse_value

ENTRY = {
    "notebook": "03-new.ipynb",
    "after": ["a"],
    "inputs": {"raw": "a.out", "one": "b[1,x].out", "own": "file:data/my file.csv"},
    "outputs": {"parts": "parts/", "extra": "extra.json?"},
}
TEXTS = {
    "comments": "name: x\nstages:\n  a:\n    notebook: a.ipynb  # why\n\n# behind\nx-p: {p: 1}\n",
    "no line end": "name: x\nstages:\n  a:\n    notebook: a.ipynb",
    "a wide step": "stages:\n    a:\n        notebook: a.ipynb\nname: x\n",
    "an anchor and an alias": "stages:\n  a: &a\n    notebook: a.ipynb\n  b: *a\nname: x\n",
    "an anchor twice": "x-a: &a 1\nx-b: &a 2\nstages:\n  a:\n    notebook: a\n    x-c: *a\n",
    "a merge": "x-y: &y {cache: false}\nstages:\n  a:\n    <<: *y\n    notebook: a\n",
    "a block of text": "stages:\n  a:\n    notebook: |\n      a.ipynb\n\n  # a comment\nname: x\n",
    "a text over lines": 'stages:\n  a:\n    notebook: "a\n      .ipynb"\nname: x\n',
    "braces over lines": "stages:\n  a: {\n    notebook: a.ipynb\n  }\nname: x\n",
    "an empty value at the end": "stages:\n  a:\n    notebook: a.ipynb\n    after:\nname: x\n",
    "elsewhere": "parameters:\n  stages: [1]\nx-y:\n  stages:\n    q: 1\nstages:\n  a: {}\n",
    "quoted": "'stages':\n  'a':\n    'notebook': a.ipynb\n'name': x\n",
    "no step below": "stages:\n a: {notebook: a.ipynb}\nname: x\n",
    "other line ends": "name: x\r\nstages:\r\n  a:\r\n    notebook: a.ipynb\r\n",
    "two documents' mark": "---\nname: x\nstages:\n  a:\n    notebook: a.ipynb\n...\n",
}


def plain(text: str) -> Any:
    """The values of a YAML text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    return yaml.load(text)


def check(text: str, name: str, entry: dict[str, Any]) -> None:
    """The new text says what the old one says and the new stage; no old line has changed."""
    changed = with_stage(text, name, entry)
    expected = plain(text)
    expected["stages"] = {**expected["stages"], name: entry}
    assert plain(changed) == expected
    assert list(plain(changed)["stages"])[-1] == name
    old, new = text.splitlines(), changed.splitlines()
    added = len(new) - len(old)
    start = next(i for i, line in enumerate(new) if line.strip() in (f"{name}:", f'"{name}":'))
    assert [*new[:start], *new[start + added :]] == old


EMPTY = {
    "no stages": "name: x\n",
    "no line end": "name: x",
    "behind them": "stages:\nname: x\n",
    "null": "name: x\nstages: null  # to come\n# the end\n",
    "braces": "name: x\nstages: {}\nx-p: 1\n",
    "braces over lines": "name: x\nstages: {\n  }\nx-p: 1\n",
    "a comment in them": "name: x\nstages:  # to come\n  # the first\nx-p: 1\n",
    "only comments behind": "name: x\n# stages will come\n",
    "other line ends": "name: x\r\n",
    "a document's marks": "---\nname: x\n...\n",
    "a block of text last": "name: |\n  x\n\n",
    "a mapping last": "name: x\nparameters:\n  rows: 3\n",
}


@pytest.mark.parametrize("text", EMPTY.values(), ids=EMPTY.keys())
def test_the_first_stage_opens_the_stages(text: str) -> None:
    """What else the file says, it says afterwards; comments and line ends stay."""
    changed = with_stage(text, "new", ENTRY)
    assert plain(changed) == {**plain(text), "stages": {"new": ENTRY}}
    assert [line for line in text.splitlines() if "#" in line] == [
        line.replace("stages: ", "stages: null ") if "null" in text else line
        for line in changed.splitlines()
        if "#" in line
    ]
    assert ("\r\n" in text) == ("\r\n" in changed)
    check(changed, "further", ENTRY)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_lines_are_added_and_no_other_changes(text: str) -> None:
    """Whatever form the file has."""
    check(text, "new", ENTRY)


def test_a_comment_stays_with_its_stage() -> None:
    """A line that was commented out belongs to the stage in which it stands."""
    text = "stages:\n  a:\n    notebook: a.ipynb\n\n    # timeout: 1m\n  # behind\nx-y: 1\n"
    lines = with_stage(text, "new", {"notebook": "new.ipynb"}).splitlines()
    assert lines[4:] == ["    # timeout: 1m", "  new:", "    notebook: new.ipynb", *lines[7:]]
    assert lines[7:] == ["  # behind", "x-y: 1"]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085"])
def test_a_sign_that_ends_no_line_moves_nothing(sign: str) -> None:
    """Python would begin a further line there; the new stage once fell into the last one."""
    text = f'stages:\n  a:\n    x-note: "a{sign}b"\n    notebook: a.ipynb\n  # behind\n'
    changed = with_stage(text, "new", ENTRY)
    assert plain(changed)["stages"] == {**plain(text)["stages"], "new": ENTRY}


@pytest.mark.parametrize(
    "text",
    ["stages: {a: {notebook: a.ipynb}}\n", "{name: x}\n", "stages: [a]\n", "stages: a\n"],
)
def test_stages_in_braces_are_left_alone(text: str) -> None:
    """A line cannot be added there."""
    with pytest.raises(FlowStagesError):
        with_stage(text, "new", ENTRY)


VALUES = st.text(alphabet="ab:[]{},#&*!|>'\"%@`? -.0/~ü", min_size=1, max_size=8)
NAMES = st.text(alphabet="abc_", min_size=1, max_size=3).filter(lambda name: name != "new")


@given(
    stages=st.dictionaries(
        NAMES, st.dictionaries(NAMES, VALUES, min_size=1), min_size=1, max_size=3
    ),
    step=st.integers(min_value=1, max_value=4),
    entry=st.fixed_dictionaries(
        {"notebook": VALUES, "inputs": st.dictionaries(NAMES, VALUES, min_size=1)}
    ),
    tail=st.sampled_from(["", "name: x\n", "# end\n\nname: x\n", "\n\n"]),
)
def test_any_texts_come_back_as_they_were_given(
    stages: dict[str, dict[str, str]], step: int, entry: dict[str, Any], tail: str
) -> None:
    """Whatever a value holds, the parser reads it again."""
    lines = ["stages:"]
    for name, keys in stages.items():
        lines.append(f"{' ' * step}{name}:")
        lines += [f"{' ' * 2 * step}{key}: {json.dumps(value)}" for key, value in keys.items()]
    check("\n".join(lines) + "\n" + tail, "new", entry)


@given(text=st.text(st.characters(codec="utf-8"), max_size=8))
def test_any_text_is_written_so_that_it_is_read_again(text: str) -> None:
    """Signs that no file shows, too: YAML refuses them as they are, or ends a line at them."""
    written = written_scalar(text)
    assert parse_value(f"{{a: {written}}}", PipelineError, "f") == {"a": text}
    assert parse_value(f"a: {written}", PipelineError, "f") == {"a": text}
