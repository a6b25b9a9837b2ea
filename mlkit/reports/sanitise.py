"""HTML, Markdown and pictures that nobody trusts, made safe for a page.

Whatever a notebook's outputs hold was written by the notebook, by a library, or by a student. What
comes out of here runs nothing, loads nothing and cannot dress up as a part of the report.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["PICTURE_KINDS", "clean_html", "markdown_to_html", "picture_uri"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _words(
    "a abbr b blockquote br caption code col colgroup dd del details div dl dt em"
    " figcaption figure hr i img ins kbd li mark ol p pre q s samp small span strong"
    " sub summary sup table tbody td tfoot th thead tr u ul var"
)
_DROPPED = _words(
    "script style svg math iframe object embed template noscript textarea select title"
)
_HEADINGS = frozenset({"h3", "h4", "h5", "h6"})
_STYLES = _words(
    "background-color border-color color font-style font-weight max-width min-width"
    " text-align text-decoration vertical-align white-space width"
)
_PLAIN = _words("align colspan hidden rowspan scope start style title alt")
_DATA_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
_LOADS = re.compile(r"url|expression|var\s*\(|[\\@]", re.IGNORECASE)
_LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
_MOST_CHARACTERS, _MOST_TAGS = 200_000, 8_000
_MOST_PICTURE = 4_000_000
PICTURE_KINDS: Mapping[str, str] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
"""The media types of pictures by the ends of their files' names."""


def clean_html(content: str, *, headings: bool = False) -> str | None:
    """Keep what only formats; drop scripts, styles, forms, frames, and all that loads something.

    Parameters
    ----------
    content : str
        Any HTML.
    headings : bool
        Whether headings from the third level on stay headings.

    Returns
    -------
    str or None
        Safe HTML; None if it is too large to show.
    """
    if len(content) > _MOST_CHARACTERS or content.count("<") > _MOST_TAGS:
        return None
    # Comparing runs comes by here and cleans nothing; Bleach ships no types.
    from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]
    from bleach.sanitizer import Cleaner  # type: ignore[import-untyped]

    tags = _TAGS | _HEADINGS if headings else _TAGS
    cleaner = Cleaner(
        tags=tags | _DROPPED,
        attributes=_allowed,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(allowed_css_properties=_STYLES),
        strip=True,
        filters=[_without_dropped],
    )
    # A heading cell without words says nothing to a screen reader; pandas writes them.
    return str(cleaner.clean(content)).replace("<th></th>", "<td></td>")


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag in _DROPPED:
        return False
    if tag == "img" and name == "src":
        return _DATA_PICTURE.fullmatch(value) is not None
    if tag == "a" and name == "href":
        return _LINK.match(value) is not None
    if name == "style":
        return _LOADS.search(value) is None
    return name in _PLAIN


def _without_dropped(source: Any) -> Iterator[Mapping[str, Any]]:
    """Leave out certain elements with all that stands in them; `source` is html5lib's walker."""
    depth = 0
    for token in source:
        dropped = token.get("name") in _DROPPED
        if dropped and token["type"] == "StartTag":
            depth += 1
        elif dropped and token["type"] == "EndTag":
            depth -= 1
        elif not depth and not dropped and not _is_empty_picture(token):
            yield token


def _is_empty_picture(token: Mapping[str, Any]) -> bool:
    """Whether it is an `<img>` whose source was refused."""
    return token.get("name") == "img" and (None, "src") not in token["data"]


def markdown_to_html(
    content: str, pictures: Mapping[str, str] | None = None, *, top: int = 4
) -> str | None:
    """Render Markdown, such as a notebook's cell.

    Parameters
    ----------
    content : str
        Markdown, raw HTML included.
    pictures : mapping of str to str, optional
        The cell's attachments: name to data address.
    top : int
        The level of its highest headings.

    Returns
    -------
    str or None
        Safe HTML; None if it is too large to show.
    """
    from markdown_it import MarkdownIt  # as above: only where something is rendered

    for name, address in (pictures or {}).items():
        content = content.replace(f"attachment:{name}", address)
    if len(content) > _MOST_CHARACTERS + sum(map(len, (pictures or {}).values())):
        return None
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(content)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + top - 1)}"
    return clean_html(parser.renderer.render(tokens, parser.options, {}), headings=True)


def picture_uri(kind: str, content: str | bytes) -> str | None:
    """Give a picture as a data address for `<img>`, in which nothing runs and nothing loads.

    Parameters
    ----------
    kind : str
        Its media type.
    content : str or bytes
        Bytes; base64 text as notebooks hold it; or an SVG's text.

    Returns
    -------
    str or None
        None if it is no such picture, or too large.
    """
    if kind not in PICTURE_KINDS.values():
        return None
    if isinstance(content, str) and kind != "image/svg+xml":
        try:
            content = base64.b64decode(content, validate=False)
        except (binascii.Error, ValueError):
            return None
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    if not raw or len(raw) > _MOST_PICTURE:
        return None
    return f"data:{kind};base64,{base64.b64encode(raw).decode('ascii')}"
