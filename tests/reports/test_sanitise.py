"""Untrusted HTML, Markdown, terminal text and pictures."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit.reports.ansi import ansi_to_html, strip_ansi
from mlkit.reports.sanitise import clean_html, markdown_to_html, picture_uri

ATTACKS = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href=" jav&#x09;ascript:alert(1)">x</a>',
    "<svg><script>alert(1)</script></svg>",
    "<svg onload=alert(1)>",
    '<math><mtext><table><mglyph><style><img src=x onerror="alert(1)">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<style>body{display:none}</style>",
    '<link rel="stylesheet" href="https://example.org/x.css">',
    '<meta http-equiv="refresh" content="0;url=https://example.org">',
    '<base href="https://example.org/">',
    '<img src="https://example.org/pixel.png">',
    '<img src="data:text/html;base64,PHNjcmlwdD4=">',
    '<p style="background:url(https://example.org/x)">x</p>',
    '<p style="color:url(https://example.org/x)">x</p>',
    '<p style="position:fixed;top:0">x</p>',
    '<form action="https://example.org"><input name=a><button>go</button></form>',
    '<div class="verdict" id="main">x</div>',
    "<object data=x></object><embed src=x>",
    "<video src=https://example.org/v autoplay></video>",
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "<body onload=alert(1)>",
    "<!--><script>alert(1)</script>-->",
    "<template><script>alert(1)</script></template>",
]
FORBIDDEN = re.compile(
    r"<(script|style|svg|math|iframe|object|embed|form|input|button|link|meta|base|video|body)"
    r"|<[^>]*\s(on\w+|class|id|srcdoc|srcset)\s*=|<[^>]*(javascript:|url\(|position)"
    r'|<img[^>]*src="(?!data:image/)|href="(?!https?://|mailto:)',
    re.IGNORECASE,
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_runs_loads_or_disguises_itself_gets_through(attack: str) -> None:
    """Nothing that runs loads or disguises itself gets through."""
    for content in (attack, f"<table><tr><td>{attack}</td></tr></table>", f"<p>{attack}"):
        cleaned = clean_html(content)
        assert cleaned is not None
        assert FORBIDDEN.search(cleaned) is None, cleaned
    rendered = markdown_to_html(attack)
    assert rendered is not None
    assert FORBIDDEN.search(rendered) is None, rendered


@given(st.lists(st.sampled_from([*ATTACKS, "<b>", "</b>", "<!--", "-->", '"', "'", ">", "<"])))
@settings(deadline=None, max_examples=60)
def test_no_mixture_of_attacks_gets_through(parts: list[str]) -> None:
    """No mixture of attacks gets through."""
    cleaned = clean_html("".join(parts))
    assert cleaned is not None
    assert FORBIDDEN.search(cleaned) is None, cleaned


def test_a_table_as_pandas_writes_it_stays_a_table() -> None:
    """A table as pandas writes it stays a table."""
    html = clean_html(
        '<div><style scoped>.dataframe{}</style><table border="1" class="dataframe"><thead>'
        '<tr style="text-align: right;"><th></th><th>n</th></tr></thead>'
        "<tbody><tr><th>0</th><td>1</td></tr></tbody></table></div>"
    )
    assert html == (
        '<div><table><thead><tr style="text-align: right;"><td></td><th>n</th></tr></thead>'
        "<tbody><tr><th>0</th><td>1</td></tr></tbody></table></div>"
    )


def test_too_much_html_is_refused() -> None:
    """Too much html is refused."""
    assert clean_html("x" * 200_001) is None
    assert clean_html("<b>" * 8_001) is None


def test_headings_of_a_notebook_stand_below_those_of_the_report() -> None:
    """Headings of a notebook stand below those of the report."""
    html = markdown_to_html("# One\n\n## Two\n\n#### Four\n")
    assert html is not None
    assert "<h4>One</h4>" in html
    assert "<h5>Two</h5>" in html
    assert "<h6>Four</h6>" in html


def test_an_attached_picture_is_shown_and_a_linked_one_is_not() -> None:
    """An attached picture is shown and a linked one is not."""
    address = "data:image/png;base64,AAAA"
    html = markdown_to_html(
        "![a](attachment:p.png) ![b](https://example.org/x.png)", {"p.png": address}
    )
    assert html == f'<p><img src="{address}" alt="a"> </p>\n'


def test_pictures_become_data_addresses() -> None:
    """Pictures become data addresses."""
    assert picture_uri("image/png", "AAAA") == "data:image/png;base64,AAAA"
    assert picture_uri("image/svg+xml", "<svg/>") == "data:image/svg+xml;base64,PHN2Zy8+"
    assert picture_uri("text/html", "AAAA") is None
    assert picture_uri("image/png", "") is None
    assert picture_uri("image/png", b"x" * 4_000_001) is None


def test_terminal_colours_become_classes() -> None:
    """Terminal colours become classes."""
    html = ansi_to_html("\x1b[1;31mbad\x1b[0m <b> \x1b[38;5;2mok\x1b[39m \x1b[38;2;1;2;3mrgb")
    assert html == (
        '<span class="ansi-bold ansi-fg-1">bad</span> &lt;b&gt; '
        '<span class="ansi-fg-2">ok</span> rgb'
    )


@given(st.text())
def test_no_terminal_code_survives(content: str) -> None:
    """No terminal code survives."""
    assert "\x1b" not in strip_ansi(content)
    assert "<" not in re.sub(r"</?span[^<>]*>", "", ansi_to_html(content))


def test_a_carriage_return_overwrites_its_line() -> None:
    """A carriage return overwrites its line."""
    assert strip_ansi("10 %\r20 %\r100 %\ndone\r\n") == "100 %\ndone\n"
