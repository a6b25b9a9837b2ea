"""Tutorial and how-to pages hold: whatever is typed there does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import FOLLOWED, follow, steps_of

PAGES = [page for page, test in FOLLOWED.items() if test == Path(__file__).name]


@pytest.mark.site
@pytest.mark.kernel
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_followed(page: Path, tmp_path: Path) -> None:
    """From its first file to its last command, in a folder with a space in its name."""
    assert list(steps_of(page))
    follow(page, tmp_path, {})
