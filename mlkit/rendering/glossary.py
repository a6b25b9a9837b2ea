"""The glossary of the site: the first use of a term on a page links to what it means.

The pages themselves stay plain Markdown. Links are made when the site is built.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

__all__ = ["GLOSSARY", "as_glossary", "terms_of", "with_terms"]

GLOSSARY = "docs/glossary"
"""The page's name."""
NOT_LINKED = frozenset(
    {"run", "label", "trace", "task", "retry", "branch", "component", "cached", "kernel", "gate",
     "instance", "interval", "profile", "alias", "stage", "pipeline", "parameter"}
)  # fmt: skip
"""Words that stand on every page, or that are verbs and everyday words as well."""
_ENTRY = re.compile(r"^- \*\*(.+?)\*\*: (.+)$", re.MULTILINE)
_LEFT_ALONE = re.compile(
    r"^(?P<fence>```+|~~~+|:::+).*?^(?P=fence)\s*$"  # blocks
    r"|^\#{1,6} [^\n]*|^ *\|[^\n]*|^<[^\n]*|^ {4,}[^\n]*"  # headings, tables, HTML, indented code
    r"|<!--.*?-->|`+[^`]*`+|!?\[[^\]]*\]\([^)]*\)|\*\*[^*\n]+\*\*|<[^>\n]+>|https?://\S+",
    re.MULTILINE | re.DOTALL,
)


def terms_of(page: str) -> dict[str, str]:
    """Read the terms of the glossary, each with its meaning.

    Parameters
    ----------
    page : str
        The page's Markdown: `- **TERM**: MEANING`.
    """
    return dict(_ENTRY.findall(page))


def as_glossary(page: str) -> str:
    """Turn the list of terms into a glossary that Sphinx can link to. Pure.

    Parameters
    ----------
    page : str
        The page's Markdown.
    """
    first = _ENTRY.search(page)
    if first is None:
        return page
    entries = (f"{term}\n  {meaning}" for term, meaning in terms_of(page).items())
    rest = _ENTRY.sub("", page[first.start() :]).strip()
    listed = "\n\n".join(entries)
    return f"{page[: first.start()]}:::{{glossary}}\n{listed}\n:::\n\n{rest}".rstrip() + "\n"


def with_terms(text: str, terms: Mapping[str, str] | Collection[str]) -> str:
    """Link the first use of each term; code, headings, tables and links are left alone. Pure.

    Parameters
    ----------
    text : str
        Markdown.
    terms : collection of str
        The terms.
    """
    linked = {term.casefold(): term for term in terms if term not in NOT_LINKED}
    if not linked:
        return text
    words = "|".join(map(re.escape, sorted(linked, key=len, reverse=True)))
    use = re.compile(rf"(?<![\w/.{{`-])({words})(s?)(?![\w`}}-])", re.IGNORECASE)
    seen: set[str] = set()

    def link(match: re.Match[str]) -> str:
        term = linked[match[1].casefold()]
        if term in seen:
            return match[0]
        seen.add(term)
        return f"{{term}}`{match[0]} <{term}>`"

    out, begin = [], 0
    for block in _LEFT_ALONE.finditer(text):
        out += [use.sub(link, text[begin : block.start()]), block[0]]
        begin = block.end()
    return "".join([*out, use.sub(link, text[begin:])])
