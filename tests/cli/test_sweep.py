"""`mlkit sweep`: its values, its runs and its table."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit.api.sweeping import Member
from mlkit.cli.run_display import observed_aside
from mlkit.cli.sweep import _values
from mlkit.cli.sweep_display import _table, show_sweep
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.load.pipeline_file import load_pipeline
from mlkit.observe.telemetry import Telemetry
from mlkit.store.sweeps import Combination, Search, Sweep
from mlkit.testing import Sketch, write_pipeline
from tests.cli.conftest import Call, Spoken


@pytest.fixture(name="pipeline")
def _pipeline(tmp_path: Path) -> Pipeline:
    declares = 'text: str = ""\nrows: int = 1\nboth: str | None = None\nitems: list = []'
    return load_pipeline(write_pipeline(tmp_path, Sketch(name="a", declares=declares)))


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("rows=1,2", [1, 2]),
        ("text=run #1, b ,01,no", ["run #1", " b ", "01", "no"]),
        ("text=", [""]),
        ("text:='a,b',c", ["a,b", "c"]),
        ("both=null,x #1", [None, "x #1"]),
        ("items=[1],[2, 3]", [[1], [2, 3]]),
        ("a.text=[x],{", ["[x]", "{"]),
    ],
)
def test_texts_are_cut_at_commas_and_other_values_are_yaml(
    pipeline: Pipeline, given: str, values: list[Any]
) -> None:
    """`NAME:=` is YAML in any case."""
    name = given.partition("=")[0].rstrip(":")
    assert _values(pipeline, given) == (name, values)


GROUP = Sweep(name="g", pipeline="p", named=True)


def _member(
    values: Mapping[str, Any],
    metrics: Mapping[str, float] | None = None,
    name: str = "",
    *,
    stopped: bool = False,
) -> Member:
    """One run of a group, with what its only stage measured; without metrics it is to come."""
    combination = Combination(number=1, values=dict(values), overrides={})
    if metrics is None:
        return Member(combination=combination, record=None)
    stage = StageRecord(
        id="a",
        stage="a",
        status=Status.CANCELLED if stopped else Status.SUCCEEDED,
        reason="stopped early: too great" if stopped else "",
        metrics=metrics,
    )
    record = RunRecord(
        run_id="20260101-000000-000-abcd",
        pipeline="p",
        file="f",
        runs_dir="r",
        status=RunStatus.CANCELLED if stopped else RunStatus.SUCCEEDED,
        started=0.0,
        ended=3.0,
        stages={"a": stage},
        labels=(name,) if name else (),
    )
    return Member(combination=combination, record=record)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_shows_what_fits_and_names_the_rest(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run's id stays whole; metrics that find no room can be asked for."""
    monkeypatch.setenv("COLUMNS", str(width))
    metrics = {f"a_metric_of_{index}": 0.5 for index in range(9)}
    made = [_member({"rows": n}, {k: v * n for k, v in metrics.items()}) for n in (1, 2)]
    text = _table(GROUP, made, [])
    assert max(map(len, text.splitlines())) <= width
    assert sum("20260101-000000-000-abcd" in line for line in text.splitlines()) == 2
    assert "left out (--metric NAME): a_metric_of_" in text or width == 200
    asked = _table(GROUP, made, ["a_metric_of_1", "a_mtric_of_2"])
    assert [line.split()[-1] for line in asked.splitlines() if "2026" in line] == ["0.5", "1"]
    assert "left out" not in asked
    assert "no run measured 'a_mtric_of_2'. Did you mean 'a_metric_of_2'" in capsys.readouterr().err


def test_the_table_tells_of_runs_that_are_to_come_and_that_were_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Runs are called by their names; what a group goes through is shown, also what is the same."""
    monkeypatch.setenv("COLUMNS", "60")
    done = _member({"text": "a b", "a.lr": 0.12345678901234}, {"count": 123456.0}, "g-1")
    stopped = _member({"text": "a b", "a.lr": 0.5}, {}, "g-2", stopped=True)
    assert [
        line.split() for line in _table(GROUP, [done, stopped, _member({})], []).splitlines()
    ] == [
        ["RUN", "STATE", "TOOK", "text", "a.lr", "count"],
        ["g-1", "✓", "succeeded", "3.0", "s", "a", "b", "0.123457", "123456"],
        ["g-2", "■", "stopped", "early", "3.0", "s", "a", "b", "0.5", "–"],
        ["–", "to", "come", "–", "–", "–"],
    ]
    search = Search(runs=2, metric="a.zeta", maximize=True, seed=0, space={})
    numbers = {f"metric_{index}": 0.5 for index in range(9)}
    found = [_member({"x": x}, {**numbers, "zeta": 0.5}) for x in (1, 2)]
    first, *_ = _table(replace(GROUP, search=search), found, []).splitlines()
    assert first.split()[-1] == "zeta", "what is searched for comes before all others"


def test_a_list_that_cannot_be_mapped_over_is_told_before_the_first_run(
    call: Call, tmp_path: Path
) -> None:
    """The first combination is fine, and does not run either."""
    each = Sketch(
        name="each", declares="month: int = 1", keys={"foreach": {"month": "parameters.months"}}
    )
    file = write_pipeline(tmp_path, each, parameters={"months": [1]})
    spoken = call("sweep", file, "-p", "months=[1],[2,2]")
    assert spoken.code == 2
    assert "the value 2 stands twice" in spoken.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ("--optuna 3 -p n=1..5", "--optuna takes one metric"),
        ("--optuna 3 --maximize a.b --minimize a.c -p n=1..5", "--optuna takes one metric"),
        ("--maximize a.b -p n=1,5", "--maximize and --minimize go with --optuna"),
        ("--optuna 3 --zip --maximize a.b -p n=1..5", "--zip and --optuna exclude each other"),
        ("-p n=1..5", "-p n is a range, and every value is to run"),
        ("--optuna 3 --maximize a.b -p n=5..1", "-p n: the range 5..1 is empty"),
        ("--optuna 3 --maximize a.b -p x=0..1log", "-p x: the high end of the range is no number"),
        ("--optuna 3 --maximize a.b -p text=a..b -p n=1..x", "-p n: the high end"),
        ("--optuna 3 --maximize a.b -p n=1..5 -p m=1", "has no parameter 'm'|no stage .*'m'|'m'"),
    ],
)
def test_a_search_that_cannot_be_is_told_before_anything_runs(
    call: Call, tmp_path: Path, words: str, fact: str
) -> None:
    """A range is one where a number is declared; a text with dots is a text."""
    declares = 'n: int = 1\nx: float = 0.5\ntext: str = ""'
    file = write_pipeline(tmp_path, Sketch(name="a", declares=declares))
    spoken = call("sweep", file, *words.split())
    assert spoken.code == 2
    assert re.search(fact, spoken.err)
    assert not (tmp_path / "runs").exists()


def test_a_sweep_that_is_under_way_is_not_to_be_resumed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Resuming is for one that has stopped."""
    record = RunRecord(
        run_id="R1",
        pipeline="p",
        file="f",
        runs_dir="r",
        status=RunStatus.RUNNING,
        started=0.0,
    )
    places = [Combination(number=n, values={"rows": n}, overrides={}) for n in (1, 2)]
    sweep = Sweep(name="g", pipeline="p", named=True, combinations=tuple(places))
    for status, said in (
        (RunStatus.RUNNING, "sweep: g, under way: 2 of 2 are to come"),
        (RunStatus.FAILED, "2 of 2 have not succeeded; to go on: mlkit resume g"),
    ):
        made = [
            Member(combination=places[0], record=replace(record, status=status)),
            Member(combination=places[1], record=None),
        ]
        show_sweep(sweep, made, as_json=False)
        assert capsys.readouterr().out.splitlines()[-1] == said


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder of this module's own."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def swept(call: Call, words: Path, runs: Path) -> Spoken:
    """A sweep over two values; the second call finds everything done."""
    return call("sweep", words, "-p", "many=3,5", "--runs-dir", runs, "--json")


@pytest.mark.kernel
def test_a_sweep_runs_each_value_and_compares(swept: Spoken) -> None:
    """Each combination is a run of its own with its own metrics."""
    assert swept.code == 0
    found = swept.json()["runs"]
    assert [(run["parameters"], run["metrics"]) for run in found] == [
        ({"many": 3}, {"count": 3}),
        ({"many": 5}, {"count": 5}),
    ]


@pytest.mark.kernel
def test_a_sweep_shows_a_table(call: Call, words: Path, runs: Path, swept: Spoken) -> None:
    """People see parameters and numbers side by side."""
    spoken = call("sweep", words, "-p", "many=3,5", "--runs-dir", runs)
    head, first, second, group = spoken.out.splitlines()
    assert group.startswith("sweep: sweep-")
    assert head.split() == ["RUN", "STATE", "STARTED", "(UTC)", "TOOK", "many", "count"]
    assert first.split()[1:3] + first.split()[-2:] == ["✓", "succeeded", "3", "3"]
    assert second.split()[1:3] + second.split()[-2:] == ["✓", "succeeded", "5", "5"]


@pytest.mark.kernel
def test_a_sweep_is_shown_and_resumed_by_its_name(call: Call, words: Path, tmp_path: Path) -> None:
    """Values in step, draws, a group that is extended; what it is not is told."""
    base = ("--runs-dir", tmp_path)
    one = call(
        "sweep", words, "--name", "g", "-p", "many=3,5", "-p", "write.many=4,6", "--zip", *base
    )
    assert [line.split()[0] for line in one.out.splitlines()[1:3]] == ["g-1", "g-2"]
    more = call(
        "sweep", words, "--name", "g", "-p", "many=1,2,3,4", "--random", "2", *base, "--json"
    )
    assert [run["labels"] for run in more.json()["runs"]] == [["g-1"], ["g-2"], ["g-3"], ["g-4"]]
    shown = call("show", "g", words, *base)
    assert len(shown.out.splitlines()) == 6
    assert shown.out.splitlines()[-1] == "sweep: g"
    again = call("resume", "g", words, *base, "--json", "--parallel", "2")
    assert (again.code, again.json()) == (0, more.json())
    assert json.loads((tmp_path / "sweeps" / "g.json").read_text())["parallel"] == 2
    assert "4 of 4 have succeeded already" in again.err
    listed = call("runs", words, *base, "--filter", "group == g", "--json").json()["runs"]
    assert len(listed) == 4
    assert call("runs", words, *base).err == "of 1 sweep (mlkit show NAME): g\n"
    for words_, said in (
        (("--zip", "-p", "many=1,2", "-p", "write.many=1,2,3"), "different lengths: many 2"),
        (("--seed", "3", "-p", "many=1"), "--seed goes with --random"),
        (("--zip", "--random", "1", "-p", "many=1"), "exclude each other"),
        (("--name", "g-1", "-p", "many=1"), "'g-1' is taken"),
        (("-p", "many=1", "-p", "many=2"), "-p many is given twice"),
    ):
        refused = call("sweep", words, *words_, *base)
        assert (refused.code, said in refused.err) == (2, True), refused.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("many", "-p 'many' is not name=a,b,c"),
        ("many=", "-p many: there is no value"),
        ("manny=1,2", "no parameter is called 'manny'"),
        ("many=1,two", "'two' is not an int (-p many)"),
    ],
)
@pytest.mark.kernel
def test_a_sweep_refuses_before_anything_runs(
    call: Call, words: Path, tmp_path: Path, given: str, said: str
) -> None:
    """Every combination is checked before the first run."""
    spoken = call("sweep", words, "-p", given, "--runs-dir", tmp_path / "none")
    assert spoken.code == 2
    assert said in spoken.err
    assert not (tmp_path / "none").exists()


def test_runs_at_once_send_spans_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though none of them has the screen."""
    with observed_aside() as services:
        assert list(services.observers) == []
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with observed_aside() as services:
        assert [type(observer) for observer in services.observers] == [Telemetry]
