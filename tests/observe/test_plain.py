"""Signs for terminals that have no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.observe.layout import cell_width
from mlkit.observe.plain import writable
from mlkit.observe.signs import SIGNS

ENCODINGS = ("ascii", "latin-1", "cp1252", "cp437", "koi8-r", "shift_jis", "utf-8")


@given(text=st.text(), encoding=st.sampled_from(ENCODINGS))
def test_every_text_can_be_written_in_every_encoding(text: str, encoding: str) -> None:
    """Halves of pairs too, and what can be shown stays as it is."""
    shown = writable(text, encoding)
    shown.encode(encoding)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return
    assert shown.encode(encoding) == text.encode(encoding)


@given(text=st.text(alphabet="aä数据🙂✓…│ "), encoding=st.sampled_from(ENCODINGS))
def test_columns_stay_aligned(text: str, encoding: str) -> None:
    """A sign has a plain one of its own width."""
    assert cell_width(writable(text, encoding)) == cell_width(text)


def test_every_state_keeps_a_sign_of_its_own() -> None:
    """Plain signs tell states apart as the others do."""
    plain = {writable(sign.glyph, "ascii") for sign in SIGNS.values()}
    assert len(plain) == len(SIGNS)
    assert "?" not in plain


@pytest.mark.parametrize("encoding", [None, "no-such-encoding"])
def test_a_stream_without_a_known_encoding_is_no_obstacle(encoding: str | None) -> None:
    """An unknown one is taken for ASCII."""
    assert writable("✓", encoding) == ("✓" if encoding is None else "+")
