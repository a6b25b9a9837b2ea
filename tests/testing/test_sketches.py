"""Small pipelines and notebooks that tests and lessons write."""

from __future__ import annotations

from pathlib import Path

from mlkit.testing import show_notebook, write_notebook


def test_a_notebook_is_shown_cell_by_cell(tmp_path: Path) -> None:
    """Code in blocks of its language with its tags; prose quoted, and no heading in it."""
    path = write_notebook(tmp_path / "late.ipynb", "#%% md\n# Late\n\nOne input.", "print(rows)",
                          parameters="rows: int = 5")  # fmt: skip
    shown = show_notebook(path)
    assert (
        repr(shown)
        == shown._repr_markdown_()
        == (
            "**late.ipynb**\n\n"
            "cell 1, tag `parameters`:\n\n```python\nrows: int = 5\n```\n\n"
            "> **Late**\n> \n> One input.\n\n"
            "cell 3:\n\n```python\nprint(rows)\n```"
        )
    )
