"""The pipeline's values held against the original's."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.converting import comparing


def test_a_comparison_that_was_cut_off_is_no_success(tmp_path: Path) -> None:
    """The comparing process cannot start: nothing is called equal, and nothing comparable."""
    (tmp_path / "helpers.py").write_text("raise SystemExit('cut off')")
    verdicts = comparing._in_another_process([["a", "b", "c"]], tmp_path)
    assert verdicts == [("not compared", "cut off")]


@pytest.mark.parametrize("place", ["helpers", "definitions"])
def test_the_notebooks_own_names_do_not_take_part_in_the_comparing(
    place: str, tmp_path: Path
) -> None:
    """A notebook that calls a function `equal` or `load` is compared as any other."""
    own = "print('mine')\n\n\ndef equal(*a):\n    return True\n\n\ndef load(*a):\n    return 1\n"
    if place == "helpers":
        (tmp_path / "helpers.py").write_text(own)
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_text(str(number))
    one, two = (str(tmp_path / f"{number}.json") for number in (1, 2))
    verdicts = comparing._in_another_process(
        [[one, one, two], [one, one, one]], tmp_path, [own] if place == "definitions" else []
    )
    assert [verdict for verdict, _ in verdicts] == ["differs", "equal"]
