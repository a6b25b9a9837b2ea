"""The reader of pages finds what a page promises and does not keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import Act, Command, File, follow, steps_of


def _page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_files_commands_and_what_they_print_are_told_apart(tmp_path: Path) -> None:
    """With the lines of the page; other blocks are no steps."""
    page = _page(
        tmp_path,
        "# Page\n\n```csv a/b.csv\nx\n```\n\n```python\n1\n```\n\n"
        "```console\n$ cat \\\n  a/b.csv\nx\n$ false  # ends with 1\n```\n",
    )
    assert list(steps_of(page)) == [
        File(name="a/b.csv", text="x\n", line=4),
        Command(text="cat \\\n  a/b.csv", line=12, printed=("x",)),
        Command(text="false", line=15, code=1),
    ]


def test_a_page_that_holds_is_followed_from_folder_to_folder(tmp_path: Path) -> None:
    """And people do what only people can."""
    done: list[str] = []
    page = _page(
        tmp_path,
        "```txt in/a.txt\none\ntwo\n```\n\n"
        "```console\n$ cd in\n$ think hard\n$ cat a.txt\no…\ntwo\n$ exit 3  # ends with 3\n```\n",
    )

    def think(folder: Path) -> None:
        done.append(folder.name)

    (tmp_path / "place").mkdir()
    follow(page, tmp_path / "place", {"think hard": [think]})
    assert done == ["in"]


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("$ false\n", "ended with 1"),
        ("$ true # ends with 1\n", "ended with 0"),
        ("$ echo one\ntwo\n", "did not print: two"),
        ("$ echo one; echo two\ntwo\none\n", "did not print: one"),
        ("$ no-such-command\n", "ended with 127"),
    ],
)
def test_a_promise_that_is_not_kept_is_told(steps: str, told: str, tmp_path: Path) -> None:
    """With the page's line."""
    page = _page(tmp_path, f"```console\n{steps}```\n")
    (tmp_path / "place").mkdir()
    with pytest.raises(AssertionError, match=told) as caught:
        follow(page, tmp_path / "place", {})
    assert "page.md:2" in str(caught.value)


def test_people_who_are_not_asked_are_told(tmp_path: Path) -> None:
    """Their part of the test would prove nothing."""
    (tmp_path / "place").mkdir()
    idle: list[Act] = [lambda folder: None]
    with pytest.raises(AssertionError, match="no longer asks"):
        follow(_page(tmp_path, "# Page\n"), tmp_path / "place", {"think hard": idle})
