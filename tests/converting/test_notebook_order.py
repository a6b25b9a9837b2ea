"""The order of a folder's notebooks: what they hand on decides where their names say otherwise."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlkit.converting.notebook_order import in_order_of_data
from mlkit.converting.spelled_files import Spelled


def spelled(reads: str = "", writes: str = "", imports: str = "") -> Spelled:
    """What one notebook spells, as words."""
    return Spelled(
        reads=frozenset(reads.split()),
        writes=frozenset(writes.split()),
        imports=frozenset(imports.split()),
    )


def test_the_writer_of_a_file_runs_before_its_reader() -> None:
    """And it is said which file moved it; the rest keeps the order of the names."""
    notebooks = {
        "analyse": spelled("clean.csv", "model.pkl"),
        "load": spelled("raw.csv", "clean.csv"),
        "other": spelled(),
        "report": spelled("model.pkl"),
    }
    order, remarks = in_order_of_data(notebooks)
    assert order == ["load", "analyse", "other", "report"]
    assert [r.partition(":")[0] for r in remarks] == [
        "load runs before analyse, other than their names say, as it writes clean.csv, "
        "which analyse reads"
    ]


def test_a_folder_or_a_module_that_one_writes_comes_first_too() -> None:
    """What is saved into a folder, and what `%%writefile` makes."""
    for reader in (spelled("out/model/config.json"), spelled(imports="out/model/tools.py")):
        assert in_order_of_data({"a": reader, "b": spelled(writes="out/model")})[0] == ["b", "a"]


def test_a_file_that_is_written_again_later_moves_nobody() -> None:
    """Whoever reads it between the two finds it."""
    notebooks = {"1": spelled(writes="x"), "2": spelled("x"), "3": spelled("x", "x")}
    assert in_order_of_data(notebooks) == (["1", "2", "3"], [])


def test_a_circle_leaves_the_names_order() -> None:
    """No order is right then, and the run shows what is read too early."""
    notebooks = {"a": spelled("x", "y"), "b": spelled("y", "x"), "c": spelled("z"), "d": spelled()}
    assert in_order_of_data(notebooks) == (["a", "b", "c", "d"], [])


FILES = st.frozensets(st.sampled_from("uvwxyz"), max_size=3)


@given(
    st.lists(st.tuples(FILES, FILES), max_size=6), st.lists(st.floats(0, 1), min_size=6, max_size=6)
)
def test_notebooks_that_ran_in_some_order_run_again(
    notebooks: list[tuple[frozenset[str], frozenset[str]]], places: list[float]
) -> None:
    """Whatever their names: if each file has one writer, nobody reads one that comes later."""
    written: set[str] = set()
    ran: list[Spelled] = []
    for reads, writes in notebooks:
        own = writes - written
        ran.append(Spelled(reads=reads & frozenset(written), writes=own, imports=frozenset()))
        written |= own
    called = sorted(range(len(ran)), key=lambda number: places[number])
    by_name = {f"{place}": ran[number] for place, number in enumerate(called)}
    order, remarks = in_order_of_data(by_name)
    assert sorted(order) == sorted(by_name)
    there: set[str] = set()
    for name in order:
        assert by_name[name].reads <= there
        there |= by_name[name].writes
    assert bool(remarks) is (order != list(by_name))
