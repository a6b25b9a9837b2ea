"""The documents of a checkout as pages of the site: sorted by docs/index.md, links made to hold."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import field
from pathlib import Path, PurePosixPath

from mlkit.frozen import dataclass

__all__ = ["MORE", "Documents", "find_documents", "targets_of", "with_links"]

MORE = "More"
"""The heading of pages that docs/index.md does not name: nothing that is written is lost."""
_INDEX = "docs/index"
_LINK = re.compile(r"(?<!!)\[([^\]\[]+)\]\(([^)\s]+)\)")
_ON_SITE = re.compile(r"\*([^*\n]+)\* \(on the site: `([^`\s]+\.md)`\)")
"""How a document names a page that is made with the site: where documents are read as files, a link
would lead nowhere."""
_FENCE = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)\s*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The documents of a site.

    Parameters
    ----------
    chapters : mapping of str to tuple of str
        The headings of docs/index.md, and the pages that are linked below each, in order.
    texts : mapping of str to str
        Page name, such as `docs/maps`, to its Markdown.
    pictures : mapping of str to Path
        The files of pictures by their place, such as `docs/pictures/panel.png`.
    """

    chapters: Mapping[str, tuple[str, ...]]
    texts: Mapping[str, str]
    pictures: Mapping[str, Path] = field(default_factory=dict)


def find_documents(root: Path, made: Mapping[str, str]) -> Documents | None:
    """Read the documents of a checkout; None if it has no docs/index.md.

    Parameters
    ----------
    root : Path
        The checkout.
    made : mapping of str to str
        Pages that stand in no file, by name.
    """
    index = root / f"{_INDEX}.md"
    if not index.is_file():
        return None
    files = {
        path.relative_to(root).with_suffix("").as_posix(): _read(path)
        for path in sorted((root / "docs").rglob("*.md"))
    }
    chapters: dict[str, tuple[str, ...]] = {}
    parts = re.split(r"^## +(.+)$", _read(index), flags=re.MULTILINE)
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        chapters[title.strip()] = targets_of(_INDEX, text)
    files.pop(_INDEX)
    texts = {**files, **made}
    linked = {page for pages in chapters.values() for page in pages}
    further = {target for page in linked for target in targets_of(page, texts.get(page, ""))}
    left = tuple(page for page in files if page not in linked | further)
    pictures = {
        path.relative_to(root).as_posix(): path for path in sorted((root / "docs").rglob("*.png"))
    }
    more = {MORE: left} if left else {}
    return Documents(chapters={**chapters, **more}, texts=texts, pictures=pictures)


def _read(path: Path) -> str:
    """The text of a document, with links to the pages that only the site has."""
    return _ON_SITE.sub(r"[\1](\2)", path.read_text(encoding="utf-8"))


def targets_of(page: str, text: str) -> tuple[str, ...]:
    """Give the names of the documents that a page links, in order, each once.

    Parameters
    ----------
    page : str
        The page's own name.
    text : str
        Its Markdown.
    """
    found = (_target(page, match[2]) for match in _LINK.finditer(text))
    return tuple(dict.fromkeys(target for target in found if target))


def _target(page: str, link: str) -> str | None:
    """The page that a link of another page leads to, by name; None if it leads elsewhere."""
    path = link.partition("#")[0]
    if not path.endswith(".md") or "://" in path:
        return None
    place = os.path.normpath(PurePosixPath(page).parent / path)
    return str(PurePosixPath(place).with_suffix(""))


def with_links(text: str, page: str, pages: Collection[str]) -> str:
    """Turn links to what is no page of the site into the names of files; blocks are left alone.

    Parameters
    ----------
    text : str
        Markdown.
    page : str
        The name of its page.
    pages : collection of str
        All pages of the site, by name.
    """

    def replaced(match: re.Match[str]) -> str:
        target = match[2].partition("#")[0]
        if not target or "://" in target or target.startswith("mailto:"):
            return match[0]
        place = PurePosixPath(os.path.normpath(PurePosixPath(page).parent / target))
        known = place.suffix in (".md", ".ipynb") and str(place.with_suffix("")) in pages
        return match[0] if known else f"{match[1]} (`{target}`)"

    out, begin = [], 0
    for block in _FENCE.finditer(text):
        out += [_LINK.sub(replaced, text[begin : block.start()]), block[0]]
        begin = block.end()
    return "".join([*out, _LINK.sub(replaced, text[begin:])])
