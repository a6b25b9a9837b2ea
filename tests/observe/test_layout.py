"""Tables and paragraphs of a given width."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from mlkit.observe.layout import cell_width, columns, counted, fold, near, paragraph

CELLS = st.text(max_size=60) | st.sampled_from(
    ["größe", "数据" * 20, "👩‍👩‍👧‍👦 family", "❤️", "\u202eabc", "🇩🇪"]
)
TABLES = st.integers(1, 12).flatmap(
    lambda wide: st.lists(st.lists(CELLS, min_size=wide, max_size=wide), max_size=6)
)


@given(
    rows=TABLES,
    width=st.integers(20, 120),
    indent=st.sampled_from(["", "  "]),
    ruled=st.sampled_from([True, False]),
)
def test_no_line_of_a_table_is_wider_than_asked(
    rows: list[list[str]], width: int, indent: str, ruled: object
) -> None:
    """For arbitrary texts in any number of columns, with and without titles."""
    titles = [f"TITLE {index}" for index in range(len(rows[0]))] if rows else []
    for head in ([], titles):
        whole = (0,) if width % 2 else ()
        text = columns(rows, width, indent=indent, head=head, rule=bool(ruled), whole=whole)
        assert max(map(cell_width, text.split("\n"))) <= width
        assert all(line.replace("\u200d", "").isprintable() for line in text.split("\n"))


@given(text=st.text(alphabet="ab äß·×✓✗▶≡○◎»△■⊘↻…–—→←│─╭╮╰╯├┤┬┴┼━", max_size=30))
def test_plain_signs_fill_one_column_each(text: str) -> None:
    """The short way gives what the tables of Unicode say."""
    assert cell_width(text) == wcswidth(text)


@given(words=st.text(max_size=200), width=st.integers(2, 40))
def test_folding_loses_nothing_but_blanks_and_what_cannot_be_shown(words: str, width: int) -> None:
    """Each printable character stands in one of the lines, in order."""
    lines = fold(words, width)
    assert all(cell_width(line) <= width for line in lines)
    kept = [char for char in words if char.isprintable() and not char.isspace()]
    remaining = iter("".join(lines))
    assert all(char in remaining for char in kept)


def test_an_instance_is_not_parted_at_the_blanks_in_its_values() -> None:
    """Unless it is wider than a line."""
    name = 'train["a b, c d"]'
    text, lines = f"first {name} and {name} last", ["first", f"{name} and", f"{name} last"]
    assert fold(text, 22) == lines
    assert paragraph(text, 22).splitlines() == lines
    assert fold(f"of {name}", 10) == ["of", 'train["a', 'b, c d"]']


def test_what_a_sentence_quotes_does_nothing_to_the_terminal() -> None:
    """Neither in a paragraph nor in a table."""
    assert "\x1b" not in paragraph("a \x1b[31m b", 80) + columns([["\x1b[31m"]], 80)


@pytest.mark.parametrize("name", ["plain", "größe", "数据", "👩‍👩‍👧‍👦", "e\u0301te\u0301"])
def test_columns_stay_aligned_below_wide_names(name: str) -> None:
    """The second column begins at the same place in each line."""
    lines = columns([[name, "x"], ["a longer name", "x"]], 80).splitlines()
    assert [cell_width(line.rpartition("x")[0]) for line in lines] == [15, 15]


def test_a_cluster_wider_than_its_column_is_taken_apart() -> None:
    """Several letters that are one to a reader may fill more columns than there are."""
    cluster = "क्ष्म्य" * 3
    lines = fold(cluster, 2)
    assert "".join(lines) == cluster
    assert max(map(cell_width, lines)) <= 2


def test_empty_columns_vanish_and_titles_with_them() -> None:
    """A title alone is no reason for a column."""
    rows = [("a", "", "c"), ("b", "", "")]
    assert columns(rows, 80, head=("A", "B", "C")) == "A  C\na  c\nb"
    assert columns(rows, 80, indent="> ") == "> a  c\n> b"
    assert columns([], 80) == ""


def test_the_widest_column_gives_way_and_wraps() -> None:
    """The others keep their width."""
    text = columns([("run-1", "one two three four five six")], 22, head=("RUN", "WHY"))
    assert text == "RUN    WHY\nrun-1  one two three\n       four five six"


def test_more_columns_than_fit_become_a_record_each() -> None:
    """Every value is there, with its title."""
    rows = [[f"value-{index}" for index in range(12)]]
    text = columns(rows, 40, head=[f"name-{index}" for index in range(12)])
    assert text.splitlines()[0] == "name-0: value-0"
    assert text.rstrip().splitlines()[-1] == "name-11: value-11"


def test_a_paragraph_wraps_between_words_and_keeps_paths_whole() -> None:
    """A path or a command must be copied as it stands."""
    path = "/a/path/that/is/far/longer/than/twenty/columns"
    text = paragraph(f"It is in {path} now", 20, indent="- ", hanging="  ")
    assert text == f"- It is in\n  {path}\n  now"


def test_a_path_is_shown_as_one_types_it() -> None:
    """Relative below and beside the folder, whole far away."""
    here = Path("/srv/project/notebooks")
    assert near(here / "runs" / "x", here) == "runs/x"
    assert near(Path("/srv/project/runs/x"), here) == "../runs/x"
    assert near(Path("/elsewhere/runs/x"), here) == "/elsewhere/runs/x"


def test_one_thing_is_no_things() -> None:
    """Nought and two are several."""
    assert [counted(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
