"""Who listens to a run, and what becomes of it where nobody can be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.testing import (
    chain,
    run_fake,
)


def test_a_terminal_that_is_gone_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An observer that cannot write, and nobody to say it to."""

    class Gone:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        flush = None

    def observer(event: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Gone())
    assert run_fake(chain(tmp_path, 1), observers=[observer]).ok
