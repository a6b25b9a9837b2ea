"""The pipeline's values held against the original's."""

from __future__ import annotations

from pathlib import Path

from mlkit.converting import comparing


def test_a_comparison_that_was_cut_off_is_no_success(tmp_path: Path) -> None:
    """The comparing process cannot start: nothing is called equal, and nothing comparable."""
    (tmp_path / "helpers.py").write_text("raise SystemExit('cut off')")
    verdicts = comparing._in_another_process([["a", "b", "c"]], tmp_path)
    assert verdicts == [("not compared", "cut off")]
