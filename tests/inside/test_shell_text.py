"""What a shell's text names: held against the shell, and found soon however odd the text is."""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlkit.inside.shell_text import ALL_VARIABLES, named_files, named_folders, named_variables

LETTERS = st.sampled_from(["", "a", "b", "c.csv", "data/"])
WORDS = st.recursive(
    LETTERS,
    lambda inner: st.builds(
        lambda before, choices, after: f"{before}{{{','.join(choices)}}}{after}",
        inner,
        st.lists(inner, min_size=2, max_size=3),
        inner,
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(word=WORDS)
@example(word="{a,{b,c.csv}}")
@example(word="{a,b}{a,b}")
@example(word="{1..3}{08..11}{4..1}")
@example(word="{a,{7..7}}")
def test_every_file_that_braces_name_is_among_those_found(word: str) -> None:
    """More may be found, and does no harm: a file that is not there is not read."""
    line = f"printf '%s\\n' x{word}"
    meant = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    found = {path for path, _ in named_files(f"cat x{word}", "/f")}
    assert {f"/f/{each}" for each in meant.stdout.splitlines()} <= found


SIGNS = [
    "{a,b}",
    "$A",
    "A=$A$A\n",
    "'",
    '"',
    "$(cd ",
    "(",
    ")",
    ";",
    "\n",
    "<<E\n",
    "{",
    "}",
    ",",
    " x ",
]


@settings(max_examples=150, deadline=None)
@given(signs=st.lists(st.sampled_from(SIGNS), max_size=6), times=st.integers(1, 400))
@example(signs=["{a,b}"], times=400)
@example(signs=["A=$A$A\n"], times=400)
def test_what_is_found_grows_with_the_text_only(signs: list[str], times: int) -> None:
    """What doubles with each sign would be looked at until the memory is full."""
    text = "A=xx\n" + "".join(signs) * times + "\ncat $A\n"
    found = [*named_files(text, "/f"), *named_variables(text), *named_folders(text, "/f")]
    assert sum(len(str(each)) for each in found) <= 5000 * len(text)


def test_a_document_is_no_list_of_files() -> None:
    """It is full of braces and commas; each choice of them all would be a file's name."""
    body = json.dumps([{"a": 1, "b": 2}] * 60, separators=(",", ":"))
    assert len(list(named_files(f"curl -d '{body}' http://127.0.0.1", "/f"))) < 10


USES = {
    "cat a > b; cat b": ["read a", "made b", "read b"],
    "cat < a | sort -o b -u c >> d 2> e": ["read a", "read c", "made b", "touched d", "made e"],
    "> a": ["made a"],
    "cmd a &> b": ["read a", "made b"],
    "cmd a >&2 2>&1": ["read a"],
    "cp a b/c && mv b/c d": ["read a", "made b/c", "read b/c", "made d"],
    "sort -o a a": ["read a", "read a", "made a"],
    "sort b | tee a": ["read b", "made a"],
    "rm -f a; touch b": ["touched b"],
    "tar czf a b": ["read b", "made a"],
    "tar xzf a": ["read a"],
    "unzip -o a": ["read a"],
    "gcc -o a b/c": ["read b/c", "made a"],
    "wget -qO a http://x": ["made a"],
    "curl -sSLo a -O b": ["read b", "made a"],
    "bash -lc 'cat a > b'": ["read a", "made b"],
    "bash -c 'sh -c \"cat a\"'": ["read a"],
    "grep -f./a --file=b c": ["read ./a", "read b", "read c"],
    "cat <<EOF > a\n1 > b\nEOF\necho > c": ["made a", "read b", "made c"],
    "make -C b all": ["read b", "read b/Makefile"],
}
FILES = frozenset({"a", "b", "c", "d", "e", "b/c", "./a", "b/Makefile"})


@pytest.mark.parametrize("text", USES)
def test_what_a_text_writes_is_told_from_what_it_reads(text: str) -> None:
    """In the order in which it does so; the words that are no files are left out here."""
    told = [f"{use} {path[3:]}" for path, use in named_files(text, "/f") if path[3:] in FILES]
    assert told == USES[text]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("FOO=1 printenv BAR", ["BAR"]),
        ("LC_ALL=C env", [ALL_VARIABLES]),
        ("if printenv X; then env | sort; fi", ["X", ALL_VARIABLES]),
        ("env X=1 program; echo env", []),
        ("echo $A; B=1; echo $B $A", ["A"]),
    ],
)
def test_a_command_is_told_from_what_stands_before_it(text: str, read: list[str]) -> None:
    """Settings for it alone, and a shell's own words."""
    assert named_variables(text) == read
