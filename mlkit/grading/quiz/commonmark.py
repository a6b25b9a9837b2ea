"""The Markdown of a question as HTML: one dialect, CommonMark, for every platform."""

from __future__ import annotations

from collections.abc import Iterator

from markdown_it import MarkdownIt

__all__ = ["as_html", "local_pictures"]


def as_html(markdown: str) -> str:
    """Give a text as HTML. Pure.

    Parameters
    ----------
    markdown : str
        CommonMark.
    """
    return str(MarkdownIt("commonmark").render(markdown)).strip()


def local_pictures(markdown: str) -> Iterator[str]:
    """Find the pictures of a text that are files; those of the web have an address. Pure.

    Parameters
    ----------
    markdown : str
        CommonMark.
    """
    for block in MarkdownIt("commonmark").parse(markdown):
        for token in block.children or ():
            address = str(token.attrGet("src"))
            if token.type == "image" and not address.startswith(("http://", "https://", "data:")):
                yield address
