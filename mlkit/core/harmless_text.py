"""Other people's texts, made to do nothing where they are shown but stand there. Pure."""

from __future__ import annotations

import re

__all__ = ["harmless"]

# Control characters but the ends of lines and tabs, halves of pairs (names of files that are not
# UTF-8), other line ends, and what turns the way in which a text runs: behind it `0 of 11` can be
# read as `11 of 0`.
_ACTING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]",
)


def harmless(text: str) -> str:
    r"""A text in which characters that act are spelled, as in `\x1b`.

    Parameters
    ----------
    text : str
        Any text.
    """
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
