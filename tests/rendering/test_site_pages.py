"""Which notebooks become pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.errors import UsageError
from mlkit.rendering.site_pages import find_pages, find_root, select


def test_pages_stand_chapter_after_chapter(checkout: Path) -> None:
    """Start, lessons, exercises, stages; named by their path."""
    assert list(find_pages(checkout)) == [
        "notebooks/00-start-here",
        "notebooks/lessons/01-picture",
        "exercises/01-add",
        "notebooks/flights/01-collect",
    ]


def test_only_stages_are_not_executed(checkout: Path) -> None:
    """They need the artifacts of a run."""
    left = [n for n, page in find_pages(checkout).items() if not page.chapter.executed]
    assert left == ["notebooks/flights/01-collect"]


def test_a_number_or_a_name_selects(checkout: Path) -> None:
    """`01` is every page of that number, `00-start` one."""
    pages = find_pages(checkout)
    assert len(select(pages, ["01"])) == 3
    assert list(select(pages, ["00-start"])) == ["notebooks/00-start-here"]
    assert select(pages, []) == pages


def test_a_name_that_fits_nothing_is_refused(checkout: Path) -> None:
    """The error names what there is."""
    with pytest.raises(UsageError, match=r"no page begins with '77'.*01-picture"):
        select(find_pages(checkout), ["77"])


def test_the_checkout_is_found_from_below(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder in it."""
    monkeypatch.chdir(checkout / "notebooks" / "lessons")
    assert find_root() == checkout


def test_a_folder_without_notebooks_is_refused(tmp_path: Path) -> None:
    """The error says what the folder should hold."""
    with pytest.raises(UsageError, match="Name the folder that holds notebooks/"):
        find_root(tmp_path)
