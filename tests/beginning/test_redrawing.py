"""What is drawn changes the lines concerned, and no other."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mlkit.beginning.redrawing import with_input, with_name, without_input, without_stage
from mlkit.errors import UsageError

TEXT = """\
# A person's words.
name: words   # kept
profiles:
  big: {parameters: {write.many: 9}}
stages:
  write: &first
    notebook: "write.ipynb"
    outputs: {words: words.json, more: more.json}

  # reads them
  count:
    notebook: count.ipynb
    inputs: {words: write.words,  others: 'write.more'}  # two
    after: [write]
  tell:
    notebook: tell.ipynb
    inputs:
      n: count.n      # one a line
      raw: write[a].words
    when: {write.more: yes}
    foreach: {many: write.words}
  written: {notebook: w.ipynb, after: write, inputs: {x: write.words}}
  again: *first
"""


def _diff(change: Callable[[str], str], text: str = TEXT) -> list[str]:
    """The lines that went and came."""
    changed = change(text)
    lines = difflib.unified_diff(text.splitlines(), changed.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda t: with_input(t, "count", "third", "tell.out"),
            [
                "-    inputs: {words: write.words,  others: 'write.more'}  # two",
                "+    inputs: {words: write.words,  others: 'write.more', third: tell.out}  # two",
            ],
        ),
        (
            lambda t: with_input(t, "count", "others", "tell[a,b].out"),
            [
                "-    inputs: {words: write.words,  others: 'write.more'}  # two",
                '+    inputs: {words: write.words,  others: "tell[a,b].out"}  # two',
            ],
        ),
        (lambda t: with_input(t, "tell", "m", "write.more"), ["+      m: write.more"]),
        (
            lambda t: with_input(t, "tell", "n", "write.more"),
            ["-      n: count.n      # one a line", "+      n: write.more      # one a line"],
        ),
        (
            lambda t: with_input(t, "write", "seed", "file:seed.json"),
            ['+    inputs: {seed: "file:seed.json"}'],
        ),
        (lambda t: without_input(t, "tell", "raw"), ["-      raw: write[a].words"]),
        (
            lambda t: without_input(t, "count", "words"),
            [
                "-    inputs: {words: write.words,  others: 'write.more'}  # two",
                "+    inputs: {others: 'write.more'}  # two",
            ],
        ),
        (
            lambda t: without_input(t, "written", "x"),
            [
                "-  written: {notebook: w.ipynb, after: write, inputs: {x: write.words}}",
                "+  written: {notebook: w.ipynb, after: write}",
            ],
        ),
        (
            lambda t: without_stage(t, "written"),
            ["-  written: {notebook: w.ipynb, after: write, inputs: {x: write.words}}"],
        ),
        (
            lambda t: without_stage(t, "count"),
            [
                "-  count:",
                "-    notebook: count.ipynb",
                "-    inputs: {words: write.words,  others: 'write.more'}  # two",
                "-    after: [write]",
            ],
        ),
        (lambda t: without_stage(t, "again"), ["-  again: *first"]),
        (
            lambda t: with_name(t, "count", "number"),
            [
                "-  count:",
                "+  number:",
                "-      n: count.n      # one a line",
                "+      n: number.n      # one a line",
            ],
        ),
    ],
)
def test_the_lines_concerned_change_and_no_other(
    change: Callable[[str], str], expected: list[str]
) -> None:
    """Comments, quotes, blanks, braces and anchors are as they were."""
    assert _diff(change) == expected


def test_a_new_name_stands_wherever_the_old_one_did() -> None:
    """In inputs, conditions, maps, order and profiles; what only begins alike is another's."""
    changed = with_name(TEXT, "write", "make")
    for said in (
        "  make: &first",
        "words: make.words,  others: 'make.more'",
        "after: [make]",
        "raw: make[a].words",
        "when: {make.more: yes}",
        "foreach: {many: make.words}",
        "after: make, inputs: {x: make.words}",
        "parameters: {make.many: 9}",
        "  written: {",
        'notebook: "write.ipynb"',
    ):
        assert said in changed
    assert "write." not in changed.replace("write.ipynb", "")


@pytest.mark.parametrize(
    "change",
    [
        lambda: with_input(TEXT, "again", "a", "write.more"),
        lambda: without_stage("name: a\nstages: {a: {notebook: a.ipynb}}\n", "a"),
        lambda: without_stage(TEXT, "other"),
        lambda: without_input(TEXT, "count", "other"),
        lambda: with_name(TEXT, "write", "a b"),
    ],
)
def test_what_cannot_be_changed_alone_is_refused(change: Callable[[], str]) -> None:
    """An alias, braces around all stages, names that are none."""
    with pytest.raises(UsageError):
        change()


NAMES = st.sampled_from(["write", "count", "tell", "written"])


@given(stage=st.sampled_from(["write", "count", "tell", "written"]), name=NAMES, ends=st.booleans())
def test_an_input_that_is_wired_and_cut_leaves_the_rest_as_it_was(
    *, stage: str, name: str, ends: bool
) -> None:
    """Whatever the form; also where the file does not end with a line's end."""
    text = TEXT if ends else TEXT.rstrip("\n")
    wired = with_input(text, stage, f"new_{name}", f"{name}.out")
    before, after = YAML(typ="safe").load(text), YAML(typ="safe").load(wired)
    assert after["stages"][stage]["inputs"].pop(f"new_{name}") == f"{name}.out"
    if not after["stages"][stage]["inputs"]:
        del after["stages"][stage]["inputs"]
    before["stages"].pop("again"), after["stages"].pop("again")
    assert after == before
    cut = without_input(wired, stage, f"new_{name}")
    assert cut.rstrip("\n") == text.rstrip("\n")
