"""Bars that programs draw, and what is told of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tqdm import tqdm  # type: ignore[import-untyped]  # it ships no types

from mlkit.core.progress import Bar, News, bar_in, first_line

LABELS = st.sampled_from(["", "fit", "epoch 3/20", "a long label (b)", "läuft"])


@given(
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.floats(0, 1e6),
    LABELS,
    st.sampled_from(["", " .oO"]),
)
def test_whatever_tqdm_draws_is_read(
    done: int, total: int, elapsed: float, label: str, signs: str
) -> None:
    """With a total and without one, in blocks or in signs, after what it drew before."""
    done = min(done, total)
    drawn = tqdm.format_meter(done, total, elapsed, ncols=100, prefix=label, ascii=signs or False)
    assert bar_in(f"\rbefore: 1%|x| 1/9\r{drawn}") == Bar(done=done, total=total, label=label)
    counted = tqdm.format_meter(done, None, elapsed, ncols=100, prefix=label)
    assert bar_in(f"\r{counted}") == Bar(done=done, label=label)


@given(st.integers(10**3, 10**12))
def test_sizes_are_read_as_numbers(total: int) -> None:
    """Of bytes tqdm writes three digits and a unit."""
    drawn = tqdm.format_meter(total // 2, total, 10, unit="B", unit_scale=True)
    found = bar_in(f"\r{drawn}")
    assert found is not None
    assert found.total == pytest.approx(total, rel=0.01)
    assert found.done == pytest.approx(total / 2, rel=0.01)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("\r  |=====     |  50%", Bar(done=50, total=100)),
        ("\rdownload 12.5 %\r", Bar(done=12.5, total=100, label="download")),
        ("\x1b[A\router:  20%|██| 1/5 [00:01<00:04]", Bar(done=1, total=5, label="outer")),
        ("accuracy 93 %\n", None),
        ("\rnothing to count", None),
        ("\r250 %", None),
        ("", None),
    ],
)
def test_other_bars_rewrite_their_line(printed: str, expected: Bar | None) -> None:
    """A percentage that was printed as a line of its own is a result, no bar."""
    assert bar_in(printed) == expected


@given(st.text(max_size=2000))
def test_no_text_is_a_mistake(printed: str) -> None:
    """Whatever a notebook prints, looking at it raises nothing, and a label stays short."""
    found = bar_in(printed)
    assert found is None or len(found.label) <= 60


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("# load\n\nrows = read(path)\nrows", "rows = read(path)"),
        ("# only this", "# only this"),
        ("\n  \n", ""),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_a_cell_is_told_by_the_first_line_that_says_something(source: str, line: str) -> None:
    """A comment tells less than the code below it."""
    assert first_line(source) == line


@pytest.mark.parametrize(
    "news",
    [
        News(cell=1, cells=2, line="fit()"),
        News(cell=2, cells=2, bar=Bar(done=1, total=3, label="fit"), points={"loss": (1.0, 0.5)}),
        News(cell=2, cells=2, points={"loss": (1.0, 0.5)}),
    ],
)
def test_news_cross_a_process(news: News) -> None:
    """As the fields of their event."""
    assert News.from_json(news.to_json()) == news
