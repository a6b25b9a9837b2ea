"""The frame of a page that stands alone."""

from __future__ import annotations

from html.parser import HTMLParser

from mlkit.core.html_page import PLAIN_STYLE, html_page


class _Seen(HTMLParser):
    """The elements of a page with their attributes, and the texts in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_page_may_load_and_run_nothing() -> None:
    """Its policy says so, whatever its body holds."""
    metas = [found for tag, found in _Seen(html_page("t", "<main></main>")).tags if tag == "meta"]
    (policy,) = [m["content"] or "" for m in metas if "http-equiv" in m]
    assert "default-src 'none'" in policy
    assert "script" not in policy


def test_a_title_is_text() -> None:
    """Names of people and exercises are no HTML."""
    seen = _Seen(html_page("<script>x</script> & {style}", "<main>{title}</main>"))
    assert "script" not in [tag for tag, _ in seen.tags]
    assert "<script>x</script> & {style}" in seen.texts
    assert "{title}" in seen.texts


def test_a_page_has_the_style_that_is_asked_for() -> None:
    """That of plain pages, unless another is given."""
    assert PLAIN_STYLE in html_page("t", "")
    assert "<style>p { margin: 0; }</style>" in html_page("t", "", style="p { margin: 0; }")


def test_what_acts_in_a_page_is_spelled() -> None:
    """A name that turns the way of writing cannot make 11 points of none; other letters stay."""
    page = html_page(
        "\u202e", "<p>\u202eann\x9b\x1b[2J\ud800: 0 of 11</p>\n<p>Zoë \u200f\u05d0\t</p>"
    )
    assert "<title>\\u202e</title>" in page
    assert "<p>\\u202eann\\x9b\\x1b[2J\\ud800: 0 of 11</p>" in page
    assert "<p>Zoë \u200f\u05d0\t</p>" in page
