"""Slides made from an executed lesson by rule: headings, predictions, key cells, pictures, recap.

A section gives one slide with its first sentences. A question to predict has a slide of its own,
and the cell behind it another, with what it printed. Whatever else draws a picture is shown, too.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from markdown_it import MarkdownIt
from pygments import highlight  # type: ignore[import-untyped]  # no stubs
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]  # no stubs
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]  # no stubs

from mlkit.frozen import dataclass

__all__ = ["Slide", "contents_page", "deck_page", "slides_of"]

MOST_CODE = 12
"""Longer cells are a lesson to read, not to show: their output stands alone."""
USUAL_COLUMNS = 82
"""So many characters of a line of code fit at its usual size."""
MOST_LINES = 14
"""Of what a cell printed."""
SENTENCES = 3
"""Of a section's first paragraph; the rest is said by who teaches."""
_PREDICT = re.compile(r"\*\*Predict:?\*\*:?,?\s*(.+)", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z*`\[])")
_LINK = re.compile(r"(?<!!)\[([^\]\[]+)\]\((?!https?:)[^)\s]+\)")
_LEFT_OUT = ("check yourself", "try it")
_TRAP = "common material gets this wrong"


@dataclass(frozen=True, kw_only=True)
class Slide:
    """One slide.

    Parameters
    ----------
    title : str
        Its heading, in Markdown.
    body : str
        What stands below it, as HTML.
    kind : str
        `title`, `text`, `ask`, `shown`, or `trap` for what common material gets wrong.
    """

    title: str
    body: str
    kind: str = "text"


def slides_of(notebook: Mapping[str, Any]) -> list[Slide]:
    """Give the slides of an executed lesson. Pure.

    Parameters
    ----------
    notebook : mapping
        The notebook, as JSON.
    """
    cells = [(cell["cell_type"], "".join(cell["source"]), cell) for cell in notebook["cells"]]
    title, opening = _title(cells[0][1])
    slides = [Slide(title=title, body=_html(_first(opening)), kind="title")]
    if learn := _list_below(opening, "**You will learn**"):
        slides.append(Slide(title="You will learn", body=_html(learn)))
    heading, waiting = "", False
    for kind, source, cell in cells[1:]:
        if kind == "markdown":
            for head, text in _sections(source, heading):
                if head != heading:
                    heading, waiting = head, False
                    slides += _opened(head, text)
                if not _left_out(head) and (asked := _question(text)):
                    slides.append(Slide(title=head, body=_html(asked), kind="ask"))
                    waiting = True
        elif kind == "code" and not _left_out(heading):
            made = list(_shown(heading, source, cell, key=waiting))
            slides += made
            waiting = waiting and not made
    return slides


def _title(source: str) -> tuple[str, str]:
    first, _, rest = source.partition("\n")
    return first.lstrip("# ").strip(), rest.strip()


def _first(text: str) -> str:
    """The first sentences of the first paragraph that asks nothing."""
    paragraphs = [part.partition("**Predict")[0].strip() for part in text.split("\n\n")]
    plain = [part for part in paragraphs if part and part[0] not in "#|-<`"]
    if not plain:
        return ""
    return " ".join(_SENTENCE.split(" ".join(plain[0].split()))[:SENTENCES])


def _list_below(text: str, mark: str) -> str:
    _, found, rest = text.partition(mark)
    items = re.match(r"\s*((?:[-*] .+(?:\n {2,}.+)*\n?)+)", rest) if found else None
    return items[1] if items else ""


def _sections(source: str, before: str) -> Iterator[tuple[str, str]]:
    """Headings of the second and third level, each with the text below it."""
    parts = re.split(r"^#{2,3} +(.+?)\s*$", source, flags=re.MULTILINE)
    if parts[0].strip() or len(parts) == 1:
        yield before, parts[0]
    yield from zip(parts[1::2], parts[2::2], strict=True)


def _left_out(heading: str) -> bool:
    return heading.casefold().startswith(_LEFT_OUT)


def _opened(heading: str, text: str) -> Iterator[Slide]:
    """The slide with which a section begins."""
    if _left_out(heading):
        return
    kind = "trap" if heading.casefold() == _TRAP else "text"
    items = _list_below(f"\n{text}", "\n")
    table = re.search(r"^(?:\|.+\n?)+", text, flags=re.MULTILINE)
    body = items if heading == "Recap" else _first(text)
    if table:
        body += f"\n\n{table[0]}"
    if body:
        yield Slide(title=heading, body=_html(body), kind=kind)


def _question(text: str) -> str:
    """What is to be predicted; an empty text if nothing is."""
    match = _PREDICT.search(text)
    asked = "" if match is None else match[1].split("\n\n")[0].strip()
    return asked[:1].upper() + asked[1:]


def _shown(heading: str, source: str, cell: Mapping[str, Any], *, key: bool) -> Iterator[Slide]:
    """A cell behind a question, with what it printed; or a picture alone."""
    outputs = [_output(output) for output in cell.get("outputs", [])]
    pictured = any("<svg" in output or "<img" in output for output in outputs)
    if not any(outputs) or not (key or pictured):
        return
    code = ""
    if key and len(source.splitlines()) <= MOST_CODE and not pictured:
        code = _code(source)
    yield Slide(title=heading, body=code + "".join(outputs), kind="shown")


def _code(source: str) -> str:
    shown = highlight(source, PythonLexer(), HtmlFormatter(noclasses=True, nowrap=True))
    return f"<pre{_wide(source)}>{shown.rstrip()}</pre>"


def _wide(source: str) -> str:
    """Code whose lines would be broken is set smaller: a broken line reads like two."""
    widest = max(map(len, source.splitlines()), default=0)
    return ' class="wide"' if widest > USUAL_COLUMNS else ""


def _output(output: Mapping[str, Any]) -> str:
    """What a cell gave, as HTML; widgets and errors that need a kernel give nothing."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = "".join(data["image/png"]).strip()
        return f'<img alt="{_alt(data)}" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        markup = "".join(data["text/html"])
        return "" if "<script" in markup else _without_style(markup)
    text = "".join(output.get("text", data.get("text/plain", "")))
    if output["output_type"] == "error":
        text = f"{output['ename']}: {output['evalue']}"
    if not text.strip():
        return ""
    lines = text.rstrip().splitlines()
    more = ["…"] if len(lines) > MOST_LINES else []
    return f'<pre class="said">{html.escape(chr(10).join([*lines[:MOST_LINES], *more]))}</pre>'


def _alt(data: Mapping[str, Any]) -> str:
    return html.escape("".join(data.get("text/plain", "")).strip("<>") or "Picture", quote=True)


def _without_style(markup: str) -> str:
    """A table without pandas' own style; pictures keep theirs."""
    if "<svg" in markup:
        return markup
    return re.sub(r"<style.*?</style>", "", markup, flags=re.DOTALL)


def _html(markdown: str) -> str:
    text = _LINK.sub(r"\1", markdown)
    return str(MarkdownIt("commonmark").enable("table").render(text))


def deck_page(slides: list[Slide]) -> str:
    """Give the slides as one page that needs nothing beside it. Pure.

    Parameters
    ----------
    slides : list of Slide
        The slides in order; the first one's title is the deck's.
    """
    title = re.sub(r"[*`]", "", slides[0].title)
    parts = [
        f'<section class="{slide.kind}">{_heading(slide)}'
        f'<div class="body{" ask" if slide.kind == "ask" else ""}">{slide.body}</div>'
        f"<footer><span>mlkit · {html.escape(title)}</span>"
        f"<span>{number} / {len(slides)}</span></footer></section>"
        for number, slide in enumerate(slides, 1)
    ]
    return _page(title, "\n".join(parts), script=True)


def _heading(slide: Slide) -> str:
    level = "h1" if slide.kind == "title" else "h2"
    return f"<{level}>{MarkdownIt('commonmark').renderInline(slide.title)}</{level}>"


def contents_page(decks: Mapping[str, str]) -> str:
    """Give the page that links all decks. Pure.

    Parameters
    ----------
    decks : mapping of str to str
        File name → title.
    """
    links = "".join(
        f'<li><a href="{html.escape(file, quote=True)}">{html.escape(title)}</a></li>'
        for file, title in decks.items()
    )
    style = (
        "<style>section { width: auto; max-width: 1280px; height: auto; padding: 1em 5%; }"
        " li { margin: 0; } a { color: #0b5c9e; }</style>"
    )
    return _page("Slides", f"{style}<section><h2>Slides</h2><ol>{links}</ol></section>")


def _page(title: str, body: str, *, script: bool = False) -> str:
    asset = files("mlkit.rendering").joinpath
    style = asset("deck/deck.css").read_text(encoding="utf-8")
    if script:
        code = asset("deck/deck.js").read_text(encoding="utf-8")
        body = f"{body}\n<script>\n{code}</script>"
    window = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<meta charset="utf-8">{window}<title>{html.escape(title)}</title>'
    start = f'<!doctype html>\n<html lang="en">\n<head>{head}\n<style>\n{style}</style></head>'
    # Slides are white in a dark system, too, and so are the pictures on them.
    return f'{start}\n<body data-theme="light">\n{body}\n</body>\n</html>\n'
