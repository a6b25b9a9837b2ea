"""`mlkit explain`: from an error to its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.core.error_kinds import ERROR_KINDS, page_of
from tests.cli.conftest import Call


def test_an_error_leads_to_its_page(call: Call, tmp_path: Path) -> None:
    """By the code at its end, in the text and in the document."""
    wrong = call("plan", tmp_path / "nowhere", "--json")
    code = wrong.json()["error"]["code"]
    assert wrong.err.rstrip().endswith(f"[{code}]")
    page = call("explain", code).out
    assert page.startswith("E212: There is no such pipeline\n")
    assert "What to do: " in page
    assert call("explain", "MissingOutput", "--json").json()["code"] == "E612"


def test_all_codes_are_listed(call: Call) -> None:
    """A line each, and as a document."""
    assert len(call("explain").out.splitlines()) == len(ERROR_KINDS)
    assert len(call("explain", "--json").json()["errors"]) == len(ERROR_KINDS)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_page_is_as_wide_as_the_terminal(
    call: Call, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """Each of them, and the list; every word is there."""
    monkeypatch.setenv("COLUMNS", str(width))
    for kind in ERROR_KINDS.values():
        page = call("explain", kind.code).out
        assert all(len(line) <= width for line in page.splitlines()), kind.code
        assert page.split() == page_of(kind).split()
    assert all(len(line) <= width for line in call("explain").out.splitlines())


def test_an_unknown_code_is_a_mistake(call: Call) -> None:
    """With the nearest that there is."""
    wrong = call("explain", "E29")
    assert (wrong.code, "Did you mean 'E209'?" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("name: p\nstagse: {}\n", "E201"),
        ("name: 3\nstages: {s: {notebook: s.ipynb}}\n", "E202"),
        ("name: p\nstages: {s: {}}\n", "E203"),
        ("name: [\n", "E204"),
        ("name: p\nstages: {s: {notebook: s.ipynb, after: [t]}}\n", "E205"),
        ("name: p\nstages: {s: {notebook: s.ipynb, after: [s]}}\n", "E206"),
        ("name: p\nstages: {s: {notebook: t.ipynb}}\n", "E207"),
        ("name: p\nschedule: soon\nstages: {s: {notebook: s.ipynb}}\n", "E106"),
    ],
)
def test_a_mistake_in_the_file_has_the_code_of_its_kind(
    call: Call, text: str, code: str, tmp_path: Path
) -> None:
    """One of each of the usual kinds."""
    (tmp_path / "pipeline.yaml").write_text(text)
    (tmp_path / "s.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4}')
    assert call("plan", tmp_path, "--json").json()["error"]["code"] == code
