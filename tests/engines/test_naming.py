"""Names in exported files."""

from __future__ import annotations

import builtins
import keyword

from hypothesis import given
from hypothesis import strategies as st

from mlkit.engines.naming import FreeNames

_FORMS = ("run_{}", "{}_task")


@given(st.lists(st.text(max_size=12), max_size=12), st.sets(st.sampled_from("abcd"), max_size=4))
def test_every_name_is_free_and_so_is_what_is_made_of_it(
    wishes: list[str], taken: set[str]
) -> None:
    """Whatever is wished for, in any script, and several times."""
    free = FreeNames(taken)
    made = [free.new(wish, *_FORMS) for wish in wishes]
    everything = [*made, *(form.format(name) for form in _FORMS for name in made)]
    assert len(set(everything)) == len(everything)
    assert all(name.isidentifier() and name.isascii() for name in everything)
    assert not taken & set(everything)
    assert not any(keyword.iskeyword(name) or hasattr(builtins, name) for name in everything)


def test_a_name_stays_as_close_as_it_may() -> None:
    """Dashes become underscores; a second of the same gets one more."""
    free = FreeNames({"task"})
    wishes = ("get-data", "get_data", "task", "list", "2nd", "Été")
    assert [free.new(wish) for wish in wishes] == [
        *("get_data", "get_data_", "task_", "list_", "n_2nd", "t")
    ]
