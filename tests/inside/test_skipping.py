"""A notebook skips its own stage."""

from __future__ import annotations

import pytest

from mlkit.inside.skipping import StageSkipped, skip


def test_skip_passes_through_handlers_of_exceptions() -> None:
    """A cell's own `except Exception` does not swallow it."""

    def careful() -> None:
        try:
            skip("nothing new")
        except Exception as error:  # pragma: no cover - this is what must not happen
            raise AssertionError from error

    with pytest.raises(StageSkipped, match="nothing new") as caught:
        careful()
    assert caught.value.reason == "nothing new"
    assert caught.value._render_traceback_() == ["Stage skipped: nothing new"]
