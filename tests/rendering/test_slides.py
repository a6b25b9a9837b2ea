"""Slides follow from a lesson by rule, and a deck needs nothing beside it."""

from __future__ import annotations

import re
from typing import Any

from mlkit.rendering.slides import (
    MOST_CODE,
    MOST_LINES,
    USUAL_COLUMNS,
    contents_page,
    deck_page,
    slides_of,
)
from tests.rendering.conftest import cell, notebook

OPENING = """\
# Lesson 1: *why*

One grows. It stops. It fails. Nobody says so.

**You will learn**

- to look;
- to ask.

**You need** nothing. **Time:** about 5 minutes.
"""
WRONG = "Common material gets this wrong"
PICTURE = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "aGk="}}


def said(text: str) -> dict[str, Any]:
    """What a cell printed."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def code(name: str, source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    """A code cell that has run."""
    return {**cell("code", name, source), "outputs": list(outputs)}


LESSON = notebook(
    cell("markdown", "title", OPENING),
    code("setup", "import pandas", said("set up")),
    cell("markdown", "look", "## Look\n\nSee [there](../x.ipynb). **Predict:** what is it?"),
    code("define", "def f():\n    return '<b>'"),
    code("run", "print(f())", said("<b>\n" * 40)),
    code("more", "print(1)", said("1")),
    cell("markdown", "picture", "And a picture:"),
    code("plot", "plot()", PICTURE),
    cell(
        "markdown", "trap", "## Common material gets this wrong\n\nOften seen.\n\n**Predict:** ok?"
    ),
    code("long", "x = 1\n" * (MOST_CODE + 1), said("2")),
    cell("markdown", "check", "## Check yourself\n\nWrite. **Predict:** hm?"),
    code("answer", "answer", PICTURE),
    cell("markdown", "recap", "## Recap\n\n- We looked.\n- We asked.\n\n## Exercise\n\nDo it."),
)


def test_a_lesson_gives_its_slides() -> None:
    """Title, aims, sections, questions with what came of them, pictures, recap, exercise."""
    slides = slides_of(LESSON)
    assert [(slide.kind, slide.title) for slide in slides] == [
        ("title", "Lesson 1: *why*"),
        ("text", "You will learn"),
        ("text", "Look"),
        ("ask", "Look"),
        ("shown", "Look"),
        ("shown", "Look"),
        ("trap", WRONG),
        ("ask", WRONG),
        ("shown", WRONG),
        ("text", "Recap"),
        ("text", "Exercise"),
    ]
    assert "It fails." in slides[0].body
    assert "Nobody" not in slides[0].body
    assert "See there." in slides[2].body
    assert slides[3].body == "<p>What is it?</p>\n"
    assert "<li>We asked.</li>" in slides[9].body


def test_a_key_cell_is_shown_with_what_it_printed() -> None:
    """Escaped and cut; a long cell is not shown, its output is; a picture has its text."""
    _, _, _, _, key, picture, _, _, long, *_ = slides_of(LESSON)
    assert key.body.count("&lt;b&gt;") == MOST_LINES
    assert "…" in key.body
    assert "print" in key.body
    assert '<img alt="Picture" src="data:image/png;base64,aGk=">' in picture.body
    assert "x = 1" not in re.sub(r"<[^>]+>", "", long.body)
    assert '<pre class="said">2</pre>' in long.body


def test_code_of_wide_lines_is_set_smaller() -> None:
    """Only where a line would be broken, at more than so many characters."""

    def shown(width: int) -> str:
        asks = cell("markdown", "look", "## Look\n\nSee.\n\n**Predict:** ok?")
        wide = code("run", f"print({'1' * (width - 7)})", said("1"))
        opening = cell("markdown", "title", OPENING)
        (found,) = [one for one in slides_of(notebook(opening, asks, wide)) if one.kind == "shown"]
        return found.body

    assert '<pre class="wide">' in shown(USUAL_COLUMNS + 1)
    assert '<pre class="wide">' not in shown(USUAL_COLUMNS)


def test_a_deck_is_one_page_that_needs_no_network() -> None:
    """Every slide once, nothing fetched; the first page links all decks."""
    slides = slides_of(LESSON)
    page = deck_page(slides)
    assert page.count("<section") == len(slides)
    assert f"{len(slides)} / {len(slides)}" in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "http" not in page
    contents = contents_page({"01-why.html": "Why & how"})
    assert '<a href="01-why.html">Why &amp; how</a>' in contents
