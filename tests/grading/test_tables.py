"""Tables that grades go into: whatever students have written, they are read as it was meant."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.grading.tables import FORMULA, disarmed, table_text

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("\n@SUM(A1)", "'\n@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("-Ann", "'-Ann"),
        ("\x1b]0;mine\x07", "\\x1b]0;mine\\x07"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("\r=1+1", "\\r=1+1"),
        ("fdp.\u202eexe", "fdp.\\u202eexe"),
        ("b\udcff", "b\\udcff"),
        ("two\r\nlines", "two\nlines"),
        ("Åsa\u00a0O'Neil 李\u200c", "Åsa\u00a0O'Neil 李\u200c"),
        (-1.5, -1.5),
        (None, None),
    ],
)
def test_a_cell_does_nothing_but_stand_there(text: object, cell: object) -> None:
    """In a spreadsheet, or in a terminal."""
    assert disarmed(text) == cell


@given(ANY_TEXT)
def test_no_text_begins_a_formula_or_commands_a_terminal(text: str) -> None:
    """And any UTF-8 file can hold it, in one cell."""
    written = table_text(["a", "b"], [[text, "end"]])
    assert written.encode("utf-8").decode() == written
    assert not [c for c in written if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    (_, (cell, last)) = csv.reader(io.StringIO(written, newline=""))
    assert last == "end"
    assert not cell.lstrip().startswith(FORMULA)
