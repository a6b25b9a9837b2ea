"""What a cell printed piece by piece becomes one text, in time that grows with its length only."""

from __future__ import annotations

from typing import Any

import pytest

from mlkit.notebook.printed_text import as_shown, merge_streams


def _stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def test_pieces_that_follow_each_other_become_one_and_nothing_changes_its_place() -> None:
    """A caption stays with its figure, an error message with what it is about."""
    figure = {"output_type": "display_data", "data": {}}
    outputs = [_stream("a"), _stream("b"), figure, _stream("c\r"), _stream("d"), figure, figure]
    outputs += [_stream("e"), _stream("!", "stderr"), _stream("f"), _stream("g")]
    assert merge_streams(outputs) == [
        *(_stream("ab"), figure, _stream("d"), figure, figure),
        *(_stream("e"), _stream("!", "stderr"), _stream("fg")),
    ]
    assert merge_streams([]) == []


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
