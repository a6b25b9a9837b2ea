"""Tutorial and how-to pages hold: whatever is typed there does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, FOLLOWED, follow, steps_of

LONG = "docs/instructor/open-project.md"
"""Three whole projects, one after the other."""
PAGES = [
    pytest.param(
        page,
        marks=pytest.mark.slow if page.as_posix().endswith(LONG) else (),
        id="-".join(page.relative_to(DOCS).with_suffix("").parts),
    )
    for page, test in FOLLOWED.items()
    if test == Path(__file__).name
]


@pytest.mark.site
@pytest.mark.kernel
@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(page: Path, tmp_path: Path) -> None:
    """From its first file to its last command, in a folder with a space in its name."""
    assert list(steps_of(page))
    follow(page, tmp_path, {})
