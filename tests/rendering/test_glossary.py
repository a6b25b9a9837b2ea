"""The glossary: first uses link to it, and nothing else on a page changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlkit.rendering.glossary import NOT_LINKED, as_glossary, terms_of, with_terms

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "glossary.md").read_text(encoding="utf-8")
TERMS = terms_of(PAGE)
LINK = re.compile(r"\{term\}`([^`<]+) <[^>]+>`")


def test_the_glossary_has_one_entry_a_term_in_order() -> None:
    """Sorted, whole sentences, and every line of its list is read."""
    assert list(TERMS) == sorted(TERMS, key=str.casefold)
    assert len(TERMS) == PAGE.count("\n- ") > 40
    assert [t for t, meaning in TERMS.items() if not re.fullmatch(r"[A-Z].+[.]", meaning)] == []
    assert NOT_LINKED - set(TERMS) == set(), "words that are no terms any more"


def test_the_page_becomes_sphinx_s_glossary() -> None:
    """Each term once, above its meaning; what stands before stays."""
    made = as_glossary(PAGE)
    assert made.startswith("# Glossary\n")
    for term, meaning in TERMS.items():
        assert f"\n{term}\n  {meaning}\n" in made
    assert as_glossary("# Empty\n") == "# Empty\n"


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("An artifact, and an artifact.", "An {term}`artifact <artifact>`, and an artifact."),
        ("Artifacts are files.", "{term}`Artifacts <artifact>` are files."),
        ("the critical paths", "the {term}`critical paths <critical path>`"),
        ("`artifact` [artifact](a.md)", "`artifact` [artifact](a.md)"),
        ("**artifact** an-artifact a/artifact", "**artifact** an-artifact a/artifact"),
        ("# An artifact\n\nAn artifact.", "# An artifact\n\nAn {term}`artifact <artifact>`."),
        ("| artifact |\n\n| - |", "| artifact |\n\n| - |"),
        ("```text\nartifact\n```\n", "```text\nartifact\n```\n"),
        ("<!-- an artifact -->", "<!-- an artifact -->"),
        ("We run it.", "We run it."),
    ],
)
def test_first_uses_in_prose_are_linked(text: str, linked: str) -> None:
    """Once a page; never in code, headings, tables, links, or where the word is a verb."""
    assert with_terms(text, TERMS) == linked


def test_pages_say_the_same_with_links_as_without() -> None:
    """Every page of the documents reads as before when the links are taken out."""
    total = 0
    for file in sorted(DOCS.rglob("*.md")):
        text = file.read_text(encoding="utf-8")
        made = with_terms(text, TERMS)
        before, after = (LINK.sub(r"\1", one) for one in (text, made))
        assert after == before, file.name
        found = [term.casefold() for term in LINK.findall(made)]
        assert len(found) == len(set(found)), file.name
        total += len(found)
    assert total > 100
