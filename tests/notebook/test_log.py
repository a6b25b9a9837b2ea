"""An attempt's log."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.core.scrubbing import Scrubber
from mlkit.notebook.log import AttemptLog

HIDDEN = "hunter22"


def written(path: Path, chunks: list[str], *secrets: str) -> str:
    """What the log holds after some chunks."""
    log = AttemptLog(path, Scrubber(secrets))
    for chunk in chunks:
        log.write(chunk)
    log.close()
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        (["a\nb\n"], "a\nb\n"),
        (["a", "b", "\n", "c"], "ab\nc"),
        (["\r10%", "\r20%", "\r30%\n", "done\n"], "30%\ndone\n"),
        (["10%\r", "20%\r", "30%\r", "\n"], "30%\n"),
        (["10%\r", "20%\r"], "20%"),
        (["a\r\nb\r\n"], "a\nb\n"),
        (["a\r", "\nb"], "a\nb"),
        (["a\rb\nc\rd"], "b\nd"),
        (["x\ud800\n"], "x\\ud800\n"),
        ([""], ""),
    ],
)
def test_a_line_that_rewrites_itself_is_kept_as_its_last_state(
    tmp_path: Path, chunks: list[str], expected: str
) -> None:
    """However it arrives, and whether the carriage return stands first or last."""
    assert written(tmp_path / "log.txt", chunks) == expected


@given(st.text("ab\r\n", max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_how_a_text_is_cut_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, text: str, cuts: list[int]
) -> None:
    """In chunks or at once, the log is the same."""
    path = tmp_path_factory.getbasetemp() / "log.txt"
    places = [0, *sorted(cuts), len(text)]
    chunks = [text[start:end] for start, end in pairwise(places)]
    assert written(path, chunks) == written(path, [text])


@given(st.integers(1, 7), st.sampled_from(["", "\n", "\r", "x", " \n"]))
def test_a_secret_is_found_across_chunks(
    tmp_path_factory: pytest.TempPathFactory, cut: int, end: str
) -> None:
    """Wherever it is cut."""
    path = tmp_path_factory.getbasetemp() / "log.txt"
    text = written(path, ["before ", HIDDEN[:cut], HIDDEN[cut:], end], HIDDEN)
    assert text.startswith("before ***")
    assert HIDDEN[:4] not in text


@pytest.mark.parametrize("secret", ["line one\nline two", "line one\r\nline two", "one\rtwo ab"])
def test_a_secret_of_several_lines_is_found(tmp_path: Path, secret: str) -> None:
    """Everything is held back for it, and carriage returns do not tear it."""
    chunks = [f"a\n{secret[:10]}", f"{secret[10:]}\nb\n"]
    assert written(tmp_path / "log.txt", chunks, secret) == "a\n***\nb\n"


def test_whole_lines_are_there_at_once(tmp_path: Path) -> None:
    """A reader who follows the log sees them while the stage runs."""
    path = tmp_path / "log.txt"
    log = AttemptLog(path, Scrubber([HIDDEN]))
    assert path.exists()
    log.write("one\ntw")
    assert path.read_text() == "one\n"
    log.close()
    assert path.read_text() == "one\ntw"
