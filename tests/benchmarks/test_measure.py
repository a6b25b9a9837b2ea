"""Rounds are interleaved, and who takes long is measured once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.measure import BenchmarkError, Contender, measure_rounds, run_once

PROGRAM = "import sys; open('order', 'a').write(sys.argv[1])"


def contender(name: str, folder: Path, *, once: bool = False, code: str = PROGRAM) -> Contender:
    """A command that writes down its name."""
    command = (sys.executable, "-S", "-c", code, name)
    return Contender(name=name, command=command, cwd=folder, once=once)


def test_contenders_take_turns_and_the_slow_ones_take_part_in_the_first_round(
    tmp_path: Path,
) -> None:
    """Each round begins with another one; a line is said for each measurement."""
    said: list[str] = []
    contenders = [contender("a", tmp_path), contender("b", tmp_path, once=True)]
    summaries = measure_rounds(contenders, 3, said.append)
    assert (tmp_path / "order").read_text() == "abaa"
    assert [summary.rounds for summary in summaries] == [3, 1]
    assert len(said) == 4
    assert all(summary.wall_s >= summary.cpu_s / 2 > 0 for summary in summaries)


def test_a_contender_that_fails_is_no_result(tmp_path: Path) -> None:
    """Its last words are passed on."""
    broken = contender("broken", tmp_path, code="raise SystemExit('no cheese')")
    with pytest.raises(BenchmarkError, match=r"status 1:\nno cheese"):
        run_once(broken, memory=False)
