"""What a cell printed piece by piece becomes one text, in time that grows with its length only."""

from __future__ import annotations

from typing import Any

import pytest

from mlkit.notebook.streams import as_shown, merge_streams


def _stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def test_pieces_of_one_name_become_one_stream_where_the_first_stood() -> None:
    """Other outputs keep their places."""
    figure = {"output_type": "display_data", "data": {}}
    outputs = [_stream("a"), _stream("!", "stderr"), figure, _stream("b")]
    assert merge_streams(outputs) == [_stream("ab"), _stream("!", "stderr"), figure]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain\n", "plain\n"),
        ("10 %\r50 %\r100 %\n", "100 %\n"),
        ("10 %\r50 %\r", "50 %"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("ab\bc\n", "ac\n"),
        ("\b\bx", "x"),
        ("long text\rshort\nnext", "short\nnext"),
    ],
)
def test_a_line_is_shown_as_it_ended(printed: str, shown: str) -> None:
    """Returns and backspaces act as in a terminal."""
    assert as_shown(printed) == shown


def test_one_very_long_line_is_no_trouble() -> None:
    """Twenty million characters with a return: a quadratic search would take weeks."""
    line = "x" * 10_000_000
    assert as_shown(f"{line}\r{line}\n") == f"{line}\n"
