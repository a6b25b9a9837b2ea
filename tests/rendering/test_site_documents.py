"""Documents become pages: sorted by docs/index.md, with links that hold."""

from __future__ import annotations

from pathlib import Path

from mlkit.rendering.site_documents import MORE, find_documents, targets_of, with_links


def test_the_index_sorts_pages_and_none_is_lost(tmp_path: Path) -> None:
    """What it links stands under its headings; what nobody names comes last."""
    assert find_documents(tmp_path, {}) is None
    docs = tmp_path / "docs"
    (docs / "how-to").mkdir(parents=True)
    (docs / "index.md").write_text("# All\n\n## How-to\n\n- [A](how-to/a.md)\n- [R](made/r.md)\n")
    (docs / "how-to/a.md").write_text("# A\n\nOn to [b](../b.md#part).\n")
    (docs / "b.md").write_text("# B\n")
    (docs / "c.md").write_text("# C\n")
    (docs / "pictures").mkdir()
    (docs / "pictures/p.png").write_bytes(b"png")
    found = find_documents(tmp_path, {"docs/made/r": "# R\n"})
    assert found is not None
    assert found.chapters == {"How-to": ("docs/how-to/a", "docs/made/r"), MORE: ("docs/c",)}
    assert found.pictures == {"docs/pictures/p.png": docs / "pictures/p.png"}
    assert set(found.texts) == {"docs/how-to/a", "docs/b", "docs/c", "docs/made/r"}


def test_pages_that_only_the_site_has_are_linked_there(tmp_path: Path) -> None:
    """As a file, the document has no link that leads nowhere."""
    docs = tmp_path / "docs"
    docs.mkdir()
    named = "*{}* (on the site: `made/r.md`)"
    (docs / "index.md").write_text(
        f"# All\n\n## Reference\n\n- {named.format('Keys')}\n- [A](a.md)\n"
    )
    (docs / "a.md").write_text(
        f"# A\n\nMore: {named.format('the keys')}, and *this* (`made/r.md`).\n"
    )
    found = find_documents(tmp_path, {"docs/made/r": "# R\n"})
    assert found is not None
    assert found.chapters == {"Reference": ("docs/made/r", "docs/a")}
    assert (
        found.texts["docs/a"] == "# A\n\nMore: [the keys](made/r.md), and *this* (`made/r.md`).\n"
    )


def test_links_to_what_is_no_page_become_names() -> None:
    """Blocks of code, addresses and pictures stay as they are."""
    text = (
        "[a](a.md#x) [code](../mlkit/x.py) [n](../notebooks/n.ipynb) [web](https://example.org)\n"
        "![picture](../p.png)\n\n```text\n[code](../mlkit/x.py)\n```\n[gone](gone.md)\n"
    )
    assert with_links(text, "docs/b", {"docs/a", "notebooks/n"}) == (
        "[a](a.md#x) code (`../mlkit/x.py`) [n](../notebooks/n.ipynb) [web](https://example.org)\n"
        "![picture](../p.png)\n\n```text\n[code](../mlkit/x.py)\n```\ngone (`gone.md`)\n"
    )
    assert targets_of("docs/b", text) == ("docs/a", "docs/gone")
