"""Numbers among the artifacts, their chart, and the timeline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlkit.core.record import ArtifactRecord, RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.reports.bars import bars_begin, draw_bars, finding, number
from mlkit.reports.curves import CurveGroup, draw_curves
from mlkit.reports.metrics import (
    MetricGroup,
    compare_instances,
    metric_tables,
    numbers_by_name,
    read_numbers,
)
from mlkit.reports.svg import shorten_name, width_of
from mlkit.reports.timeline import draw_timeline, tick_step
from tests.reports.conftest import START, attempt, done


def group(*values: tuple[str, float]) -> MetricGroup:
    """A metric of a stage `train`."""
    return MetricGroup(stage="train", output="metrics", metric="auc", values=values)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"a": 1, "b": 0.5, "ok": true, "name": "x", "none": null}', {"a": 1, "b": 0.5}),
        (
            '{"test": {"auc": 0.7, "deep": {"x": 1, "deeper": {"y": 2}}}}',
            {"test.auc": 0.7, "test.deep.x": 1},
        ),
        ('{"a": NaN, "b": Infinity, "c": 1e301, "list": [1]}', {}),
        ("[1, 2]", {}),
        ('"register"', {}),
        ("no json", {}),
        ("[" * 100_000, {}),
    ],
)
def test_numbers_are_read_from_json_objects_only(
    content: str, expected: dict[str, float], tmp_path: Path
) -> None:
    """Truth values, nan and inf are no metrics."""
    path = tmp_path / "metrics.json"
    path.write_text(content, encoding="utf-8")
    assert read_numbers(path) == expected


def test_files_that_are_missing_or_huge_give_no_numbers(tmp_path: Path) -> None:
    """Above a megabyte a file is no list of metrics."""
    assert read_numbers(tmp_path / "none.json") == {}
    (tmp_path / "huge.json").write_text('{"a": 1}' + " " * 1_000_001, encoding="utf-8")
    assert read_numbers(tmp_path / "huge.json") == {}


def test_instances_are_compared_in_their_order(green: RunRecord) -> None:
    """Only what at least two instances measured."""
    groups = compare_instances(green)
    assert [item.metric for item in groups] == ["roc_auc", "log_loss", "fit_seconds"]
    assert [name for name, _ in groups[0].values][:2] == ["logistic_regression", "random_forest"]


def test_stages_that_failed_have_no_metrics(red: RunRecord) -> None:
    """What lies about from an earlier run is not theirs."""
    assert "train[xgboost]" not in {table.stage for table in metric_tables(red)}


def test_metrics_are_numbers_of_outputs_called_metrics(green: RunRecord, tmp_path: Path) -> None:
    """A report's numbers are none, and neither is a parameter that is repeated among metrics."""
    path = tmp_path / "metrics.json"
    path.write_text('{"auc": 0.7, "seed": 42, "rows": 500, "model": {"seed": 42}}', "utf-8")
    artifact = ArtifactRecord(path=str(path), digest="0" * 64, size_bytes=80)
    stage = replace(
        green.stages["evaluate"],
        artifacts={"metrics": artifact, "report": artifact},
        parameters={"seed": 42, "rows": 1000},
    )
    record = replace(green, parameters={}, stages={"evaluate": stage})
    (table,) = metric_tables(record)
    assert table.output == "metrics"
    assert table.numbers == {"auc": 0.7, "rows": 500}
    assert {item.output for item in metric_tables(record, every=True)} == {"metrics", "report"}
    assert numbers_by_name(record) == {"auc": 0.7, "rows": 500}
    assert numbers_by_name(record, ["seed"]) == {"auc": 0.7, "rows": 500, "seed": 42}
    assert numbers_by_name(record, ["none"]) == {"auc": 0.7, "rows": 500}


def test_the_finding_names_both_ends() -> None:
    """Without saying which is better."""
    assert finding(group(("a", 0.5), ("b", 0.7))) == "auc: 0.5 (a) to 0.7 (b)"
    assert finding(group(("a", 0.5), ("b", 0.5))) == "auc: 0.5 for all 2"


def test_bars_start_at_zero_also_below_it() -> None:
    """Negative values go to the left, with their label on the left."""
    drawing = draw_bars(group(("a", -2.0), ("b", 4.0)))
    assert "-2 lowest" in drawing
    assert "4 highest" in drawing
    assert 'text-anchor="end"' in drawing
    assert draw_bars(group(("a", 0.0), ("b", 0.0)))


def test_bars_begin_where_differences_can_be_seen() -> None:
    """And the picture says so, to the eye and in words."""
    drawing = draw_bars(group(("a", 0.1648), ("b", 0.1743)))
    assert drawing.count("Bars begin at 0.16, not at 0") == 2
    widths = [float(w) for w in re.findall(r'width="([\d.]+)" height="18"', drawing)]
    assert max(widths) > 2 * min(widths)
    assert "not at 0" not in draw_bars(group(("a", 0.2), ("b", 0.9)))


@given(
    st.floats(-1e9, 1e9).filter(lambda v: abs(v) > 1e-6),
    st.floats(0, 0.5),
)
def test_every_bar_has_a_length(one: float, more: float) -> None:
    """Where bars begin lies between zero and the values; what differs looks different."""
    low, high = sorted((one, one * (1 + more)))
    begin = bars_begin(low, high)
    if begin == 0:
        return
    assert 0 < begin < low or high < begin < 0
    shorter, longer = sorted(abs(value - begin) for value in (low, high))
    assert longer - shorter > longer / 4


def cut(drawing: str) -> Iterator[str]:
    """The small texts of a drawing that do not lie within its picture."""
    picture = ElementTree.fromstring(drawing)
    _, _, right, bottom = map(float, picture.attrib["viewBox"].split())
    for item in picture.findall(".//{*}text"):
        if not {"small", "value"} & set(item.attrib["class"].split()):
            continue
        words, x, y = item.text or "", float(item.attrib["x"]), float(item.attrib["y"])
        wide = width_of(words, 11.5)
        begin = x - wide if item.attrib.get("text-anchor") == "end" else x
        if begin < 0 or begin + wide > right + 1 or y > bottom:
            yield words


@given(st.lists(st.integers(-(10**15), 10**15).map(float), min_size=1, max_size=12))
@example([1_306_860_915_625.0, 2_370_000_000_000.0])
def test_no_value_is_cut_from_its_chart(values: list[float]) -> None:
    """However many digits it has, and whichever side of zero it is on."""
    assert not list(cut(draw_bars(group(*((f"i{n}", v) for n, v in enumerate(values))))))


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=8))
def test_no_name_is_cut_from_its_curves(ends: list[float]) -> None:
    """Also where all curves end at the bottom, and their names stand below each other."""
    lines = tuple((f"name {n}", ((0.0, 1e12), (1.0, end))) for n, end in enumerate(ends))
    assert not list(cut(draw_curves(CurveGroup(stage="train", metric="loss", lines=lines))))


def test_names_are_cut_in_the_middle() -> None:
    """So those that begin alike are told apart, and both ends are there."""
    assert shorten_name("short", 34) == "short"
    names = [shorten_name(f"a_model_with_a_very_long_common_beginning_{n}", 34) for n in (1, 2)]
    assert names == ["a_model_with_a_v…ommon_beginning_1", "a_model_with_a_v…ommon_beginning_2"]
    assert {len(name) for name in names} == {34}


def test_numbers_are_short() -> None:
    """Whole ones are whole."""
    assert [number(v) for v in (20000, 0.69712, 1e-7, 3.0)] == ["20,000", "0.6971", "1e-07", "3"]


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_an_axis_has_few_ticks(span: float) -> None:
    """At most seven, and a positive step."""
    assert 0 < span / tick_step(span) <= 7


def test_the_timeline_shows_attempts_waits_and_states(red: RunRecord) -> None:
    """A bar for each attempt, a dotted line between, a word where nothing ran."""
    drawing = draw_timeline(red)
    assert drawing.count('class="pause"') == 2
    assert "train[xgboost], attempt 2: failed in 2.0 s" in drawing
    assert "≡ cached" in drawing
    assert "△ upstream failed" in drawing
    assert "collect: succeeded in 2 attempts, from 0.0 s, for 5.0 s." in drawing


@given(st.integers(1, 300), st.integers(1, 12), st.sets(st.integers(0, 299), max_size=20))
@example(300, 2, {77})
def test_a_long_timeline_has_one_row_for_a_map(values: int, at_once: int, failed: set[int]) -> None:
    """Its states are counted there, at most ten that did not succeed have rows, nothing is cut."""
    items = {}
    for n in range(values):
        status = Status.FAILED if n in failed else Status.SUCCEEDED
        ran = attempt(1, float(n // at_once), 0.9, status=status)
        items[f"load[{n}]"] = done(f"load[{n}]", ran)
    record = RunRecord(
        run_id="r",
        pipeline="p",
        file="f",
        runs_dir="d",
        started=START,
        ended=START + values,
        status=RunStatus.SUCCEEDED,
        parameters={},
        options={},
        stages=items,
        edges={},
    )
    drawing = draw_timeline(record)
    assert not list(cut(drawing))
    bad = sum(n < values for n in failed)
    height = float(ElementTree.fromstring(drawing).attrib["height"])
    if values > 40:
        assert f">load × {values}</text>" in drawing
        assert f"✗ {bad}</text>" in drawing or not bad
        assert height < 100 + 24 * min(bad, 10) + 8 * 8
        assert f"load: {values} instances, " in drawing
    else:
        assert height > 24 * values


def test_no_word_is_cut_from_the_timeline(red: RunRecord) -> None:
    """The longest state of all, of a stage that was given up at the run's very end."""
    assert not list(cut(draw_timeline(red)))
    late = replace(red.stages["evaluate"], id="late", ended=red.ended)
    assert late.status.value == "upstream_failed"
    assert not list(cut(draw_timeline(replace(red, stages={"late": late}))))
