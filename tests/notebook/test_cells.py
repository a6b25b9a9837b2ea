"""Notebooks as plain values; what the loader refuses is tested with the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlkit.errors import NotebookError
from mlkit.notebook.cells import parse_notebook
from mlkit.notebook.source import read_notebook


def document(*cells: dict[str, Any], **metadata: Any) -> str:
    """A notebook's text."""
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": cells})


def test_cells_are_read() -> None:
    """Sources are joined, ids made up where there are none, tags are a set."""
    text = document(
        {"cell_type": "markdown", "source": ["# T\n", "x"]},
        {"cell_type": "code", "id": "a", "source": "\n1", "metadata": {"tags": ["t", "u"]}},
        {"cell_type": "code", "source": " \n"},
    )
    notebook = parse_notebook(text, Path("n.ipynb"))
    assert [cell.source for cell in notebook.cells] == ["# T\nx", "\n1", " \n"]
    assert [cell.id for cell in notebook.cells] == ["cell-0", "a", "cell-2"]
    assert [cell.index for cell in notebook.code_cells] == [1]
    assert notebook.tagged("t") == notebook.code_cells
    assert notebook.tagged("x") == ()
    assert [cell.title for cell in notebook.cells] == ["cell 1 (# T)", "cell 2 (1)", "cell 3"]


def test_a_cells_digest_is_of_its_text_alone() -> None:
    """Also of a lone surrogate."""
    one, other, broken = parse_notebook(
        document(
            {"cell_type": "code", "source": "x", "outputs": [1], "metadata": {"a": 1}},
            {"cell_type": "code", "source": ["x"], "execution_count": 3},
            {"cell_type": "code", "source": "\ud800"},
        ),
        Path("n.ipynb"),
    ).cells
    assert one.digest == other.digest != broken.digest


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "anything"}},
        {"kernelspec": {"language": "python"}, "language_info": {"name": "python"}},
        {"kernelspec": None, "language_info": {"name": "ipython"}},
    ],
)
def test_python_notebooks_are_read_whatever_their_kernel_is_called(
    metadata: dict[str, Any],
) -> None:
    """A name says nothing about the language."""
    assert parse_notebook(document(**metadata), Path("n.ipynb")).cells == ()


def test_a_notebook_says_which_language_it_is_in() -> None:
    """By what the kernel said when it was saved; Python has several names."""
    read = [
        parse_notebook(document(**metadata), Path("n.ipynb")).language
        for metadata in (
            {"language_info": {"name": "julia"}},
            {"kernelspec": {"language": "R"}, "language_info": {"name": "python"}},
            {"kernelspec": {"name": "x"}, "language_info": {"name": "ipython"}},
            {},
        )
    ]
    assert read == ["julia", "R", "python", None]


def test_files_are_read(tmp_path: Path) -> None:
    """With a byte order mark, too; a missing or unreadable one is refused."""
    path = tmp_path / "n.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + document().encode())
    assert read_notebook(path).cells == ()
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NotebookError, match="the notebook cannot be read"):
        read_notebook(path)
    with pytest.raises(NotebookError, match="there is no such notebook"):
        read_notebook(tmp_path / "no.ipynb")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("anlysis.ipynb", "Did you mean 'analysis.ipynb'?"),
        ("other/analysis.ipynb", "Look at its path"),
        ("", "Known: analysis.ipynb, first.ipynb"),
    ],
)
def test_a_notebook_that_is_not_there_is_not_to_be_opened(
    name: str, remedy: str, tmp_path: Path
) -> None:
    """The remedy names the one that is meant, or those that there are."""
    for there in ("analysis", "first"):
        (tmp_path / f"{there}.ipynb").write_text(document())
    with pytest.raises(NotebookError) as caught:
        read_notebook(tmp_path / name)
    assert caught.value.remedy == remedy
