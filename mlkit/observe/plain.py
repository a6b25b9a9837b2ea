"""Signs for terminals that have no others: what an encoding lacks is replaced, width by width."""

from __future__ import annotations

import codecs

from mlkit.observe.layout import cell_width

__all__ = ["ERRORS", "writable"]

ERRORS = "mlkit-plain"
"""The name of the error handler, for `str.encode` and for streams."""

_SIGNS = str.maketrans(
    {
        "✓": "+", "✗": "x", "▶": ">", "≡": "=", "○": "o", "◎": "@", "»": "-", "△": "^", "■": "#",
        "⊘": "%", "↻": "@", "·": ".", "•": "*", "…": "~", "–": "-", "—": "-", "−": "-", "×": "x",
        "→": ">", "←": "<", "↑": "^", "↓": "v", "≤": "<", "≥": ">", "≠": "!", "±": "~", "µ": "u",
        "│": "|", "─": "-", "╭": "+", "╮": "+", "╰": "+", "╯": "+", "├": "+", "┤": "+", "┬": "+",
        "┴": "+", "┼": "+", "━": "=", "█": "#", "▏": "|", "‹": "<", "›": ">",
        "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u00a0": " ",
    }
)  # fmt: skip
"""Each sign has a plain one of the same width, so that columns stay aligned."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace what cannot be encoded; a character without a plain sign becomes question marks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = (
        sign if (sign := char.translate(_SIGNS)).isascii() else "?" * max(0, cell_width(char))
        for char in lacking
    )
    return "".join(plain), error.end


codecs.register_error(ERRORS, _plain)


def writable(text: str, encoding: str | None) -> str:
    """Give a text as a stream of that encoding can show it.

    Parameters
    ----------
    text : str
        The text; unpaired surrogates, as in file names that are no UTF-8, become `?`.
    encoding : str, optional
        The stream's encoding; UTF-8 where it has none.
    """
    if text.isascii():
        return text
    try:
        return text.encode(encoding or "utf-8", ERRORS).decode(encoding or "utf-8")
    except LookupError:
        return text.encode("ascii", ERRORS).decode("ascii")
