"""The page about outputs holds, from the first file to the last command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import follow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "outputs.md"


@pytest.mark.kernel
def test_the_page_about_outputs_can_be_followed(tmp_path: Path) -> None:
    """Its pipeline runs, and says what stands there."""
    follow(PAGE, tmp_path, {})
