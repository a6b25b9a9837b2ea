"""Secrets are taken out of everything, however they are written."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import time
from collections.abc import Callable
from re import _parser  # type: ignore[attr-defined] # what it made of a pattern
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape
from rich.console import Console

from mlkit.core.scrubbing import Scrubber

SECRETS = [
    *["hunter22", "a\"b'c\\d/e", "it's me", 'say "x"', "line one\nline two", "tab\there"],
    *["pässwörd漢字", "a b+c&d=e<f>", "\\\\server\\x", "${NAME}%20", "\x00\x1b[0m!!", "*" * 9],
    "(.*)+?[a-z]{9}",
]
WRITERS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "JSON": json.dumps,
    "JSON with all letters": lambda s: json.dumps(s, ensure_ascii=False),
    "repr": repr,
    "repr beside both quotes": lambda s: repr(f"'\"{s}'\""),
    "repr beside a quote": lambda s: repr(f"'{s}"),
    "repr in a list": lambda s: repr([{"k": s}]),
    "repr of bytes": lambda s: repr(s.encode()),
    "repr of bytes beside quotes": lambda s: repr(b"'\"" + s.encode()),
    "URL": quote,
    "URL without slashes": lambda s: quote(s, safe=""),
    "URL with plus": quote_plus,
    "query": lambda s: urlencode({"k": s}),
    "HTML": html.escape,
    "HTML with its quotes": lambda s: html.escape(s, quote=False),
    "HTML as Jinja writes it": lambda s: str(escape(s)),
    "JSON in JSON": lambda s: json.dumps(json.dumps({"k": s})),
    "repr in JSON": lambda s: json.dumps(repr(s)),
    "JSON in HTML": lambda s: html.escape(json.dumps(s)),
    "JSON in a URL": lambda s: quote(json.dumps({"k": s}), safe=""),
    "URL in HTML": lambda s: html.escape(quote(s)),
    "repr of repr": lambda s: repr(repr(s)),
}

SECRET_TEXTS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"], include_characters=" \n\t"),
    min_size=6,
    max_size=40,
).filter(lambda s: len(s.strip()) >= 6 and not set(s) <= set("* \n\t"))
PAINT = [
    *("\x1b[1;36m", "\x1b[0m", '<span style="color: #008080">', "</span>", "<b>", "</b>"),
    *("\x1b[K", "\x1b(B", "\x1b]8;;https://example.org\x1b\\", "<tspan x='1'>", "<wbr>"),
]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_however_it_is_written(secret: str, writer: str) -> None:
    """Nothing is left of it, and what stands around it stays."""
    written = WRITERS[writer](secret)
    around = f"before {written} after {written}"
    scrubbed = Scrubber([secret]).text(around)
    assert scrubbed.startswith("before ")
    assert "***" in scrubbed
    assert written not in scrubbed
    if secret.isalnum():
        assert secret not in scrubbed


@given(st.text(min_size=6, max_size=30), st.text(max_size=20), st.text(max_size=20))
@settings(deadline=None)
def test_the_raw_secret_is_never_left(secret: str, before: str, after: str) -> None:
    """Whatever it is, and whatever stands beside it."""
    scrubber = Scrubber([secret])
    left = scrubber.text(before + secret + after)
    assert left == scrubber.text(left) or "***" in secret
    assert secret not in left or secret in "***" * 12 or secret in before + "***" + after


def test_without_secrets_nothing_is_touched() -> None:
    """The very same value comes back, and empty secrets are none."""
    value: dict[str, Any] = {"a": ["***", ""]}
    for scrubber in (Scrubber(), Scrubber([""])):
        assert not scrubber
        assert scrubber.value(value) is value
        assert scrubber.text("hunter22") == "hunter22"


def test_only_values_are_scrubbed() -> None:
    """In a copy; numbers and the like stay, and keys where they are mlkit's own."""
    value = {"a": ["x hunter22", {"hunter22": 1.5}], "b": None, "c": ("hunter22",)}
    scrubber = Scrubber(["hunter22"])
    assert scrubber.value(value) == {"a": ["x ***", {"hunter22": 1.5}], "b": None, "c": ["***"]}
    assert scrubber.value(value, keys=True) == {
        "a": ["x ***", {"***": 1.5}],
        "b": None,
        "c": ["***"],
    }
    assert value["a"][0] == "x hunter22"  # type: ignore[index] # a list stands under "a"


def test_the_longest_secret_goes_first() -> None:
    """One that holds another leaves no rest."""
    assert Scrubber(["hunter22", "hunter22-and-more"]).text("<hunter22-and-more>") == "<***>"


def test_secrets_of_several_lines_are_known() -> None:
    """The log has to hold everything back for them."""
    assert Scrubber(["one\ntwo"]).spans_lines
    assert Scrubber(["one\rtwo"]).spans_lines
    assert not Scrubber(["one two"]).spans_lines


@pytest.mark.parametrize("secret", ["wJalrXUtn/K7MDENG/bPxRfi+EX", "3f2b8c1e-90ab", "x=1&y='2'"])
@pytest.mark.parametrize("suffix", ["text", "html"])
def test_a_secret_cut_by_colours_is_found(secret: str, suffix: str) -> None:
    """As rich paints numbers, paths and signs; what is painted beside it keeps its place."""
    console = Console(
        file=io.StringIO(), record=True, force_terminal=True, force_jupyter=False, width=200
    )
    console.print(f"the key {secret} of", ["a list"])
    written = console.export_text(styles=True) if suffix == "text" else console.export_html()
    left = re.sub(r"\x1b\[[0-9;]*m|<[^<>]*>", "", Scrubber([secret]).text(written))
    assert "the key *** of" in html.unescape(left)
    assert "'a list'" in html.unescape(left)


@pytest.mark.parametrize("painted", ["\x1b[1mbold\x1b[0m hunter22", "<b>bold</b> hunter22"])
def test_colours_that_cut_no_secret_stay(painted: str) -> None:
    """Only what must go goes."""
    assert Scrubber(["hunter22"]).text(painted) == painted.replace("hunter22", "***")


@given(SECRET_TEXTS, st.lists(st.tuples(st.integers(0, 40), st.sampled_from(PAINT)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_paint_hides_a_secret(secret: str, strokes: list[tuple[int, str]]) -> None:
    """Wherever a colour begins or ends."""
    written = html.escape(secret.strip())
    for place, paint in sorted(strokes, reverse=True):
        written = written[:place] + paint + written[place:]
    left = Scrubber([secret]).text(f"({written})")
    for paint in PAINT:
        left = left.replace(paint, "")
    assert secret.strip() not in html.unescape(left)


@pytest.mark.parametrize("blank", ["\u2007", "\u00a0", "&nbsp;", "&#8199;", "\\u2007", "%C2%A0"])
def test_a_secret_is_found_though_its_blanks_are_wide_ones(blank: str) -> None:
    """A bar of tqdm in a notebook, and tables in HTML, write them so that no line breaks there."""
    written = "correct horse battery".replace(" ", blank)
    assert Scrubber(["correct horse battery"]).text(f"<{written}>") == "<***>"


def test_scrubbing_a_large_text_is_fast() -> None:
    """20 MB without a secret, with three secrets to look for."""
    text = "a line of output, 0.123456 and so on\n" * 540_000
    scrubber = Scrubber(SECRETS[:3])
    started = time.process_time()
    assert scrubber.text(text) == text
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "secret", ["key12345-rest", '"key12345 rest', "\\key12345 rest", "éclair 99"]
)
def test_long_runs_of_backslashes_take_no_longer_than_other_text(secret: str) -> None:
    """Behind them a part of the secret, or all of it: nobody waits for the square of 200,000."""
    part = max(re.findall("[a-z0-9]+", secret), key=len)
    scrubber, run = Scrubber([secret]), "\\" * 200_000
    assert scrubber.text(run + part) == run + part
    assert "***" in scrubber.text(f"{run} {secret}{secret}\\{json.dumps(secret)}")
    assert secret not in scrubber.text(f"{run} {secret}{secret}\\{json.dumps(secret)}")


ENCODERS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "JSON": lambda s: json.dumps({"k": s}),
    "JSON with all letters": lambda s: json.dumps([s], ensure_ascii=False),
    "repr": repr,
    "URL": lambda s: quote(s, safe=""),
    "form": lambda s: urlencode({"k": s}),
    "HTML": html.escape,
    "lower-case percents": lambda s: re.sub("%..", lambda m: m[0].lower(), quote(s, safe="")),
    "indented": lambda s: "".join(f"> {line}\n" for line in s.splitlines()),
    "stripped": str.strip,
}
WRAPPERS: dict[str, Callable[[bytes], str]] = {
    "base64": lambda b: base64.b64encode(b).decode(),
    "for URLs": lambda b: base64.urlsafe_b64encode(b).decode(),
    "in lines": lambda b: base64.encodebytes(b).decode(),
    "in lines, as JSON": lambda b: json.dumps(base64.encodebytes(b).decode()),
    "in a URL": lambda b: quote(base64.b64encode(b).decode(), safe=""),
    "as bytes": lambda b: repr(base64.b64encode(b)),
}


@given(SECRET_TEXTS, st.lists(st.sampled_from(sorted(ENCODERS)), max_size=2))
@settings(max_examples=150, deadline=None)
def test_no_writing_and_no_wrapping_hides_a_secret(secret: str, encoders: list[str]) -> None:
    """Written once or twice: nothing of it is left."""
    written = secret
    for name in encoders:
        written = ENCODERS[name](written)
    scrubber = Scrubber([secret])
    left = scrubber.text(f"<{written}>")
    for piece in (secret.strip(), *(line.strip() for line in secret.splitlines())):
        if len(piece) >= 6:
            assert piece not in left
            if written.count(piece) or "%" in written:
                assert piece not in unquote_plus(html.unescape(left))


@given(
    SECRET_TEXTS, st.sampled_from(sorted(WRAPPERS)), st.binary(max_size=70), st.binary(max_size=70)
)
@settings(max_examples=150, deadline=None)
def test_a_secret_within_base64_is_found(
    secret: str, wrapper: str, before: bytes, after: bytes
) -> None:
    """Wherever it stands in what was encoded, and however the lines were broken."""
    piece = secret.strip().encode()
    written = WRAPPERS[wrapper](before + piece + after)
    left = Scrubber([secret]).text(written)
    bare = re.sub(r"\\+n|\s", "", unquote(left)).replace("-", "+").replace("_", "/")
    for run in re.findall("[A-Za-z0-9+/]{4,}", bare):
        for start in range(4):
            whole = run[start:]
            data = base64.b64decode(whole[: len(whole) // 4 * 4])
            assert piece not in data


@pytest.mark.parametrize("secret", SECRETS)
def test_no_pattern_is_possessive(secret: str) -> None:
    """Python before 3.11.5 misses what such a pattern matches, and would let the secret through."""
    for _, pattern in Scrubber([secret])._texts:
        assert "POSSESSIVE" not in str(_parser.parse(pattern))
