"""The page on large pipelines is what its command prints, and its counts are today's."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from benchmarks import dask_workers
from benchmarks.counting_s3 import kind_of
from benchmarks.parts_of_pages import SCALE, part_of
from benchmarks.units import GROWING, SIZES, Pair, growth, measure, text

_NUMBER = re.compile(r"-?\d[\d,.]*")
"""Of a few instances the difference of two times may be below 0."""


@pytest.fixture(scope="module")
def found() -> Mapping[str, Pair]:
    """A few instances, measured; what takes long is put together from the same numbers."""
    measured = measure({"map_here": 4, "map_on_s3": 4}, 1)
    costs = {
        *(cost for _, _, cost in GROWING),
        *("one_more cpu_s", "one_more statements", "driver cpu_s", "kernel cpu_s", "commit_s"),
        *("computed s", "reused s", "reused elsewhere GET"),
    }
    some = Pair(
        small=10,
        large=100,
        of_small=dict.fromkeys(costs, 10.0),
        of_large=dict.fromkeys(costs, 100.0),
    )
    return {**dict.fromkeys(SIZES, some), **measured}


def _rows(part: str) -> dict[str, list[str]]:
    """The rows of all tables: the cells by the first one."""
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines}


def test_the_page_has_what_the_command_prints(found: Mapping[str, Pair]) -> None:
    """The same headings, rows and sentences; numbers and what comes first may differ."""

    def shape(part: str) -> list[str]:
        order = re.sub(r"\*\*First: .*", "", part)
        return sorted(_NUMBER.sub("#", line) for line in order.splitlines() if line)

    assert shape(part_of(SCALE, "units")) == shape(text(found))


@pytest.mark.parametrize(
    "row", ["SQLite: statements", "SQLite: commits", "events", "folder of the run, files", "PUT"]
)
def test_what_is_counted_has_not_changed_much(row: str, found: Mapping[str, Pair]) -> None:
    """By a half at most; otherwise the page is to be written again.

    What is reused shares its commits, as many as the time takes: hardly any for each.
    """
    stands, counted = _rows(part_of(SCALE, "units"))[row], _rows(text(found))[row]
    for on_page, today in zip(stands[:2], counted[:2], strict=True):
        page, now = (float(cell.replace(",", "")) for cell in (on_page, today))
        shared = 0.2 if row == "SQLite: commits" else 0.0
        assert now / 1.5 - shared <= page <= 1.5 * now + shared, (on_page, today)


def test_the_page_keeps_the_goal() -> None:
    """A unit costs at most 1.2 times as much as at a tenth of the size, in what is counted."""
    rows = _rows(part_of(SCALE, "units"))
    for words, _, cost in GROWING:
        if not cost.endswith("cpu_s"):
            assert float(rows[words][-1]) <= 1.2, words


def test_what_comes_first_has_the_largest_share() -> None:
    """The sentence says what the table says."""
    part = part_of(SCALE, "units")
    shares = {
        name: float(cells[-1].removesuffix(" %"))
        for name, cells in _rows(part).items()
        if cells[-1].endswith(" %")
    }
    assert len(shares) == 6
    (first,) = re.findall(r"\*\*First: (.*?)\.\*\*", part)
    assert shares[first] == max(shares.values())


def test_a_cost_that_grows_is_seen(found: Mapping[str, Pair]) -> None:
    """What is ten times as dear among ten times as many does not pass for even."""
    costs = {"cpu_s": 1.0, "bytes": 1.0}, {"cpu_s": 100.0, "bytes": 10.0}
    steep = Pair(small=10, large=100, of_small=costs[0], of_large=costs[1])
    grown = growth({**found, "events": steep})
    assert grown["event of a run: CPU"] == pytest.approx(10.0)
    assert grown["event of a run: bytes"] == pytest.approx(1.0)


def test_requests_have_their_kinds() -> None:
    """A bucket is listed, an object is read."""
    assert kind_of("GET", "/units") == "LIST"
    assert kind_of("GET", "/units/store/ab/cd") == "GET"
    assert kind_of("HEAD", "/units/x") == "HEAD"


def test_the_page_has_what_is_printed_of_workers() -> None:
    """The same rows; seconds differ from machine to machine."""
    ways = dict.fromkeys((dask_workers.DASK, dask_workers.THREADS, dask_workers.DISK), 21.0)
    stands, printed = _rows(part_of(SCALE, "dask")), _rows(dask_workers.text(ways, 40, 1.0, 2))
    assert stands.keys() == printed.keys()
