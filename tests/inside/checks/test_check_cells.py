"""What a cell defines and needs is seen through what only IPython understands."""

from __future__ import annotations

import pytest

from mlkit.inside.checks.check_cells import all_names_bound, free_names
from mlkit.inside.checks.check_history import stub_digest

ANSWER = "def answer(rows):\n    return helper(rows)"


@pytest.mark.parametrize(
    "line",
    [
        "!pip install pandas",
        "%matplotlib inline",
        "%%time",
        "files = !ls",
        "files = %sx ls",
        "a, b = !ls",
        "answer?",
        "pandas.read_csv??",
        "?answer",
        "for n in range(3):\n    %time n",
        "if files:\n    !rm -r scratch\nelse:\n    listed = !ls",
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_an_answer_is_found_beside_lines_that_are_no_python(line: str, *, before: bool) -> None:
    """Above it or below it, alone in a block, or as a value."""
    source = f"{line}\n{ANSWER}" if before else f"{ANSWER}\n{line}"
    assert "answer" in all_names_bound(source)
    assert "helper" in free_names(source)
    assert "helper" not in all_names_bound(source)


@pytest.mark.parametrize(
    "line", ["rest = total; rest %= 3", "text = 'a %s' % total", "same = not total != 3"]
)
def test_python_that_looks_like_a_magic_stays_python(line: str) -> None:
    """A remainder is no call to the shell, even beside one."""
    assert "total" in free_names(f"def use():\n    {line}\n!ls")


def test_a_title_of_colab_is_no_part_of_a_stub() -> None:
    """Whatever stands in it; other comments are."""
    titled = f'#@title Step 1 {{ display-mode: "form" }}\n# @markdown Write it here.\n{ANSWER}'
    assert stub_digest(titled) == stub_digest(ANSWER)
    assert stub_digest(f"# title\n{ANSWER}") != stub_digest(ANSWER)
