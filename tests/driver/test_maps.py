"""Maps in a run: products, chains without a barrier, subsets, lists that change."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlkit import RunOptions
from mlkit.api.forecasting import plan
from mlkit.api.resuming import resume
from mlkit.core.events import Event
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.errors import ConfigurationError, UsageError
from mlkit.load.parameters import Layers
from mlkit.testing import FakeRunner, Raises, Sketch, Skips, run_fake, write_pipeline
from mlkit.testing.running import fake_services

PLUS = "from pathlib import Path\nPath(out).write_text(Path(raw).read_text() + '+')"
FIRST = "from pathlib import Path\nPath(out).write_text(str(month))"
JOIN = """from pathlib import Path
Path(out).write_text(",".join(Path(part).read_text() for part in parts))"""
LISTED = "import json\nfrom pathlib import Path\nPath(out).write_text(json.dumps(values))"


def chained(
    folder: Path,
    over: Any = "parameters.months",
    *before: Sketch,
    join: Mapping[str, Any] | None = None,
    **top: Any,
) -> Path:
    """`collect[MONTH] → clean[MONTH] → fit[MONTH]`, then `join` of all."""
    kind = "month: int = 1"
    return write_pipeline(
        folder,
        *before,
        Sketch(name="collect", body=FIRST, declares=kind, keys={"foreach": {"month": over}}),
        *(
            Sketch(
                name=name,
                body=PLUS,
                declares=f"{kind}\nraw: str = ''",
                keys={"foreach": {"month": over}, "inputs": {"raw": f"{upstream}[month].out"}},
            )
            for name, upstream in (("clean", "collect"), ("fit", "clean"))
        ),
        Sketch(
            name="join",
            body=JOIN,
            declares="parts: list[str] = []",
            keys={"inputs": {"parts": "fit.out"}, **(join or {})},
        ),
        **({"parameters": {"months": [1, 2]}} if over == "parameters.months" else {}),
        **top,
    )


def statuses(record: RunRecord) -> dict[str, str]:
    """How every entry has ended."""
    return {key: item.status.value for key, item in record.stages.items()}


def test_a_month_more_runs_one_instance_of_each_stage_and_the_join(tmp_path: Path) -> None:
    """What is there is reused one by one."""
    file = chained(tmp_path)
    assert run_fake(file).ok
    record = run_fake(file, parameters={"months": [1, 2, 3]})
    ran = [key for key, status in statuses(record).items() if status != "cached"]
    assert ran == ["collect[3]", "clean[3]", "fit[3]", "join"]
    assert Path(record.stages["join"].outputs["out"]).read_text() == "1++,2++,3++"
    told = plan(file, parameters={"months": [1, 2, 3, 4]})
    assert [key for key, item in told.items() if item.action != "reuse"] == [
        *("collect[4]", "clean[4]", "fit[4]"),
        "join",
    ]
    assert {told[key].action for key in ("collect[4]", "clean[4]", "fit[4]", "join")} == {"run"}
    assert told["join"].reasons == ("input parts changed",)


def test_a_month_less_is_reused_as_far_as_it_goes(tmp_path: Path) -> None:
    """The join's list is another one."""
    file = chained(tmp_path)
    run_fake(file, parameters={"months": [1, 2, 3]})
    record = run_fake(file, parameters={"months": [3, 1]})
    assert statuses(record) == {
        **dict.fromkeys(("collect[3]", "collect[1]", "clean[3]", "clean[1]"), "cached"),
        **dict.fromkeys(("fit[3]", "fit[1]"), "cached"),
        "join": "succeeded",
    }
    assert Path(record.stages["join"].outputs["out"]).read_text() == "3++,1++"


def test_an_instance_waits_for_its_own_upstream_only(tmp_path: Path) -> None:
    """While a retry of one month waits, the other month goes on to its end."""
    file = chained(tmp_path, defaults={"retry": {"max_retries": 1, "delay": "1h"}})
    events: list[Event] = []
    runner = FakeRunner({"collect[1]": [Raises(), lambda request: None]})
    record = run_fake(file, runner=runner, observers=[events.append])
    assert record.ok
    assert runner.stages == [
        *("collect[1]", "collect[2]", "clean[2]", "fit[2]"),
        *("collect[1]", "clean[1]", "fit[1]"),
        "join",
    ]


def test_with_few_workers_each_value_goes_through_to_the_end(tmp_path: Path) -> None:
    """The first results are there before the last value has begun."""
    runner = FakeRunner()
    run_fake(chained(tmp_path), runner=runner, parameters={"months": [1, 2, 3]}, workers=1)
    assert runner.stages == [
        *("collect[1]", "clean[1]", "fit[1]", "collect[2]", "clean[2]", "fit[2]"),
        *("collect[3]", "clean[3]", "fit[3]", "join"),
    ]


def test_of_a_part_only_its_instances_are_announced(tmp_path: Path) -> None:
    """When the list is known."""
    events: list[Event] = []
    file = chained(tmp_path, "listing.out", listing([1, 2]))
    record = run_fake(file, until="clean[2]", observers=[events.append])
    assert list(record.stages) == ["listing", "collect[2]", "clean[2]"]
    mapped = [event.data["instances"] for event in events if event.kind == "stage_mapped"]
    assert mapped == [["collect[2]"], ["clean[2]"]]


def test_a_failure_stays_in_its_own_chain(tmp_path: Path) -> None:
    """The rule of each instance looks at the instances that it refers to."""
    runner = FakeRunner({"collect[1]": [Raises()], "clean[2]": [Skips()]})
    record = run_fake(chained(tmp_path), parameters={"months": [1, 2, 3]}, runner=runner)
    assert statuses(record) == {
        **{"collect[1]": "failed", "collect[2]": "succeeded", "collect[3]": "succeeded"},
        **{"clean[1]": "upstream_failed", "clean[2]": "skipped", "clean[3]": "succeeded"},
        **{"fit[1]": "upstream_failed", "fit[2]": "skipped", "fit[3]": "succeeded"},
        "join": "upstream_failed",
    }
    assert record.stages["clean[1]"].reason == "all_success: collect[1] failed"
    assert record.stages["fit[2]"].reason == "all_success: clean[2] skipped"


def test_a_join_by_another_rule_receives_what_was_made(tmp_path: Path) -> None:
    """`all_done` waits for all chains."""
    runner = FakeRunner({"collect[1]": [Raises()]})
    file = chained(tmp_path, join={"trigger": "all_done"})
    record = run_fake(file, runner=runner)
    assert record.stages["join"].status is Status.SUCCEEDED
    assert Path(record.stages["join"].outputs["out"]).read_text() == "2++"


def test_the_first_parameter_of_a_product_is_the_slowest(tmp_path: Path) -> None:
    """And values with signs of their own are quoted, in ids, folders and commands."""
    file = write_pipeline(
        tmp_path,
        Sketch(
            name="grid",
            body="from pathlib import Path\nPath(out).write_text(f'{model}/{seed}')",
            declares='model: str = ""\nseed: int = 0',
            keys={"foreach": {"model": ["a,b", "*", 'q"'], "seed": [1, 2]}},
        ),
        Sketch(
            name="join",
            body=JOIN,
            declares="parts: list[str] = []",
            keys={"inputs": {"parts": 'grid["a,b",*].out'}},
        ),
    )
    record = run_fake(file)
    assert list(record.stages) == [
        *('grid["a,b",1]', 'grid["a,b",2]', 'grid["*",1]', 'grid["*",2]', 'grid[q",1]'),
        *('grid[q",2]', "join"),
    ]
    assert Path(record.stages["join"].outputs["out"]).read_text() == "a,b/1,a,b/2"
    for folder in {Path(item.outputs["out"]).parent for item in record.stages.values()}:
        assert not set(folder.name) & set('"*')
    only = run_fake(file, only='grid["a,b",2]', force=frozenset({'grid["a,b",*]'}))
    assert statuses(only) == {'grid["a,b",2]': "succeeded"}


GRID = Sketch(
    name="grid",
    body="from pathlib import Path\nPath(out).write_text(f'{model}{month}')",
    declares='model: str = ""\nmonth: int = 0\nraw: str = ""',
    keys={
        "foreach": {"model": ["x", "y"], "month": [1, 2]},
        "inputs": {"raw": "collect[month].out"},
    },
)
BEST = Sketch(
    name="best",
    body=JOIN,
    declares="month: int = 1\nparts: list[str] = []",
    keys={"foreach": {"month": [1, 2]}, "inputs": {"parts": "grid[month].out"}},
)


def crossed(folder: Path) -> Path:
    """`collect[MONTH] → grid[MODEL,MONTH] → best[MONTH]`."""
    collect = Sketch(
        name="collect", body=FIRST, declares="month: int = 1", keys={"foreach": {"month": [1, 2]}}
    )
    return write_pipeline(folder, collect, GRID, BEST)


def test_a_stage_of_fewer_parameters_receives_the_list_of_those_that_match(
    tmp_path: Path,
) -> None:
    """One that maps over more receives the one that matches."""
    record = run_fake(crossed(tmp_path))
    assert Path(record.stages["best[2]"].outputs["out"]).read_text() == "x2,y2"
    assert record.stages["grid[y,2]"].inputs["raw"] == record.stages["collect[2]"].outputs["out"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"only": "grid[x,*]"}, ["grid[x,1]", "grid[x,2]"]),
        ({"only": "grid[x]"}, ["grid[x,1]", "grid[x,2]"]),
        ({"only": "grid[*,2]"}, ["grid[x,2]", "grid[y,2]"]),
        ({"only": "grid[y,2]"}, ["grid[y,2]"]),
        ({"only": "grid[*,*]"}, ["grid[x,1]", "grid[x,2]", "grid[y,1]", "grid[y,2]"]),
        ({"until": "grid[y,2]"}, ["collect[2]", "grid[y,2]"]),
        ({"until": "grid[y,*]"}, ["collect[1]", "collect[2]", "grid[y,1]", "grid[y,2]"]),
        ({"until": "best[1]"}, ["collect[1]", "grid[x,1]", "grid[y,1]", "best[1]"]),
    ],
)
def test_a_part_of_a_map(tmp_path: Path, options: dict[str, Any], expected: list[str]) -> None:
    """By values and `*`; `--until` takes what the part needs, and `plan` says the same."""
    file = crossed(tmp_path)
    run_fake(file)
    record = run_fake(file, force=True, **options)
    assert statuses(record) == dict.fromkeys(expected, "succeeded")
    assert not record.complete
    assert list(plan(file, options=RunOptions(**options))) == expected


def test_only_needs_the_results_that_it_reads(tmp_path: Path) -> None:
    """Others may never have been made."""
    file = crossed(tmp_path)
    run_fake(file, until="collect[2]")
    assert statuses(run_fake(file, only="grid[*,2]")) == {
        "grid[x,2]": "succeeded",
        "grid[y,2]": "succeeded",
    }
    with pytest.raises(UsageError, match=r"stage 'collect\[1\]' has no result") as caught:
        run_fake(file, only="grid[x,1]")
    assert caught.value.remedy == "Run \"mlkit run --until 'grid[x,1]'\" first"


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("grid[z,*]", "'grid[z,*]': 'z' is not among the stage's values. Known: x, y"),
        ("grid[x,1,2]", "'grid[x,1,2]': 3 values stand in the brackets, and stage 'grid' maps"),
        ("collect[month]", "'collect[month]': 'month' is not among the stage's values"),
        ('grid["x]', "'grid[\"x]': a double quote is not closed"),
    ],
)
def test_a_part_that_is_none_is_refused(tmp_path: Path, text: str, fact: str) -> None:
    """Before anything runs."""
    file = crossed(tmp_path)
    for options in ({"only": text}, {"until": text}, {"force": frozenset({text})}):
        with pytest.raises(UsageError) as caught:
            run_fake(file, **options)
        assert str(caught.value).startswith(fact)


def test_a_part_of_an_empty_map_is_told_as_such(tmp_path: Path) -> None:
    """There are no values that could be named."""
    file = chained(tmp_path)
    with pytest.raises(UsageError, match="'1' is not among the stage's values") as caught:
        run_fake(file, only="collect[1]", parameters={"months": []})
    assert caught.value.remedy == "The list of 'month' is empty: 'collect' has no instances"


def test_a_run_is_joined_with_one_instance(tmp_path: Path) -> None:
    """Its own upstream must have run in that run, and nothing else."""
    file = crossed(tmp_path)
    with pytest.raises(UsageError, match="--run-id joins with one instance, and 'grid"):
        run_fake(file, only="grid[x,*]", run_id="R")
    with pytest.raises(UsageError, match=r"stage 'collect\[2\]' has not run"):
        run_fake(file, only="grid[x,2]", run_id="R")
    run_fake(file, only="collect[2]", run_id="R")
    for stage in ("grid[x,2]", "grid[y,2]"):
        assert run_fake(file, only=stage, run_id="R").stages[stage].status is Status.SUCCEEDED
    with pytest.raises(UsageError, match=r"stage 'grid\[x,1\]' has not run"):
        run_fake(file, only="best[1]", run_id="R")
    record = run_fake(file, only="best[2]", run_id="R")
    assert record.status is RunStatus.RUNNING
    for stage in ("collect[1]", "grid[x,1]", "grid[y,1]", "best[1]"):
        record = run_fake(file, only=stage, run_id="R")
    assert record.status is RunStatus.SUCCEEDED


def test_of_a_joined_run_an_instance_that_nobody_calls_is_told(tmp_path: Path) -> None:
    """Each follows from its own upstream; the others are still to come."""
    file = chained(tmp_path, [1, 2])
    runner = FakeRunner({"collect[1]": [Raises()]})
    record = run_fake(file, only="collect[1]", run_id="R", runner=runner)
    assert statuses(record) == {
        **{"collect[1]": "failed", "clean[1]": "upstream_failed", "fit[1]": "upstream_failed"}
    }
    record = run_fake(file, only="collect[2]", run_id="R")
    assert "clean[2]" not in record.stages
    again = run_fake(file, only="collect[1]", run_id="R")
    assert statuses(again) == {"collect[1]": "succeeded", "collect[2]": "succeeded"}


def listing(values: Sequence[Any]) -> Sketch:
    """A stage that writes the list."""
    return Sketch(name="listing", body=LISTED, declares=f"values: list = {list(values)!r}")


def test_a_chain_over_an_artifact_is_spread_as_soon_as_the_list_is_there(
    tmp_path: Path,
) -> None:
    """Not only when all of the upstream has ended."""
    runner = FakeRunner({"collect[1]": [Raises(), lambda request: None]})
    file = chained(
        tmp_path,
        "listing.out",
        listing([1, 2]),
        defaults={"retry": {"max_retries": 1, "delay": "1h"}},
    )
    record = run_fake(file, runner=runner)
    assert record.ok
    assert runner.stages[1:5] == ["collect[1]", "collect[2]", "clean[2]", "fit[2]"]
    assert Path(record.stages["join"].outputs["out"]).read_text() == "1++,2++"
    more = run_fake(file, parameters={"values": [1, 2, 3]})
    fresh = [key for key, status in statuses(more).items() if status != "cached"]
    assert fresh == ["listing", "collect[3]", "clean[3]", "fit[3]", "join"]


def test_a_product_of_two_artifacts_needs_both(tmp_path: Path) -> None:
    """Also where a run is joined, and where nothing is known before."""
    lists = [
        Sketch(name=name, body=LISTED, declares=f"values: list = {values!r}")
        for name, values in (("models", ["x", "y"]), ("seeds", [1, 2]))
    ]
    grid = Sketch(
        name="grid",
        body="from pathlib import Path\nPath(out).write_text(f'{model}{seed}')",
        declares="model: str = ''\nseed: int = 0",
        keys={"foreach": {"model": "models.out", "seed": "seeds.out"}},
    )
    file = write_pipeline(tmp_path, *lists, grid)
    assert plan(file)["grid"].reasons == (
        "the values come from models.out and seeds.out, which are not known yet",
    )
    run_fake(file, only="models", run_id="R")
    with pytest.raises(UsageError, match=r"reads seeds.out, but in run R stage 'seeds' has not"):
        run_fake(file, only="grid[x,2]", run_id="R")
    run_fake(file, only="seeds", run_id="R")
    for stage in ("grid[x,2]", "grid[x,1]", "grid[y,1]"):
        assert run_fake(file, only=stage, run_id="R").status is RunStatus.RUNNING
    record = run_fake(file, only="grid[y,2]", run_id="R")
    assert record.status is RunStatus.SUCCEEDED
    assert list(run_fake(file).stages)[2:] == ["grid[x,1]", "grid[x,2]", "grid[y,1]", "grid[y,2]"]


def test_what_is_not_listed_yet_is_unknown_to_the_plan(tmp_path: Path) -> None:
    """And only that."""
    file = chained(tmp_path, "listing.out", listing([1, 2]))
    told = plan(file)
    assert {key: item.action for key, item in told.items()} == {
        **{"listing": "run", "collect": "unknown", "clean": "unknown", "fit": "unknown"},
        "join": "unknown",  # the list may come out empty
    }
    assert told["clean"].reasons == ("the values come from listing.out, which is not known yet",)
    run_fake(file)
    assert {item.action for item in plan(file).values()} == {"reuse"}


@pytest.mark.parametrize("over", [[], "parameters.months", "listing.out"])
def test_a_chain_over_nothing_is_skipped(tmp_path: Path, over: Any) -> None:
    """One entry for each stage; a stage that goes on without it receives an empty list."""
    before = [listing([])] if over == "listing.out" else []
    file = chained(tmp_path, over, *before, join={"trigger": "none_failed"})
    given: dict[str, Any] = {"months": []} if over == "parameters.months" else {}
    record = run_fake(file, parameters=given)
    assert record.ok
    own = {key: status for key, status in statuses(record).items() if key != "listing"}
    assert own == {
        **dict.fromkeys(("collect", "clean", "fit"), "skipped"),
        "join": "succeeded",
    }
    assert record.stages["collect"].reason == "the list of values is empty"
    assert record.stages["join"].inputs == {"parts": []}
    told = plan(file, parameters=given)
    assert [told[key].skipped for key in ("collect", "clean", "fit")] == [True] * 3


def test_a_broken_list_fails_the_stages_that_map_over_it(tmp_path: Path) -> None:
    """With the fact."""
    record = run_fake(chained(tmp_path, "listing.out", listing([1, 1])))
    assert statuses(record) == {
        **{"listing": "succeeded", "collect": "failed", "clean": "upstream_failed"},
        **{"fit": "upstream_failed", "join": "upstream_failed"},
    }
    error = record.stages["collect"].error
    assert error is not None
    assert (error.type, error.message) == (
        "MappingError",
        "listing.out holds the value 1 twice",
    )


def test_until_a_value_that_the_list_does_not_have(tmp_path: Path) -> None:
    """Shows only when the list is there."""
    record = run_fake(chained(tmp_path, "listing.out", listing([1])), until="clean[7]")
    assert not record.ok
    error = record.stages["collect"].error
    assert error is not None
    assert error.message == ("there is no 'clean[7]' in this run: the value is not in the list")


def test_a_resumed_run_whose_list_got_shorter(tmp_path: Path) -> None:
    """What it has no more is gone: entries, folders and what the join reads."""
    file = chained(tmp_path, [1, 2, 3])
    runner = FakeRunner({"join": [Raises()]})
    first = run_fake(file, runner=runner)
    assert not first.ok
    chained(tmp_path, [1, 3])
    runner = FakeRunner()
    record = resume(first.run_id, file, services=fake_services(runner=runner))
    assert record.ok
    assert runner.stages == ["join"]
    assert [key for key in record.stages if "2" in key] == []
    assert Path(record.stages["join"].outputs["out"]).read_text() == "1++,3++"
    home = Path(record.runs_dir) / record.run_id
    assert sorted(path.name for path in home.glob("c*")) == [
        *("clean[1]", "clean[3]", "collect[1]"),
        "collect[3]",
    ]
    assert set(json.loads((home / "run.json").read_text())["stages"]) == set(record.stages)


def test_a_resumed_run_has_its_own_list(tmp_path: Path) -> None:
    """That of its parameters, not today's default."""
    file = chained(tmp_path)
    runner = FakeRunner({"fit[3]": [Raises()]})
    first = run_fake(file, runner=runner, parameters={"months": [3]})
    record = resume(first.run_id, file, services=fake_services())
    assert statuses(record) == dict.fromkeys(
        ("collect[3]", "clean[3]", "fit[3]", "join"), "succeeded"
    )


def test_a_list_of_the_command_line(tmp_path: Path) -> None:
    """As everywhere: `-p months=[1,2]`, or the environment; a mistake is refused at once."""
    file = chained(tmp_path)
    record = run_fake(file, environ={"MLKIT_PARAM_MONTHS": "[5]"})
    assert next(iter(record.stages)) == "collect[5]"
    assert not record.warnings
    with pytest.raises(ConfigurationError, match="parameter 'months'"):
        plan(file, layers=Layers(assignments=["months=7"]))


def test_conditions_hold_for_every_instance(tmp_path: Path) -> None:
    """`when` looks at a stage that is not mapped."""
    decide = Sketch(name="decide", body=LISTED, declares="values: str = 'no'")
    file = write_pipeline(
        tmp_path,
        decide,
        Sketch(
            name="collect",
            body=FIRST,
            declares="month: int = 1",
            keys={"foreach": {"month": [1, 2]}},
        ),
        Sketch(
            name="clean",
            body=PLUS,
            declares="month: int = 1\nraw: str = ''",
            keys={
                "foreach": {"month": [1, 2]},
                "inputs": {"raw": "collect[month].out"},
                "when": {"decide.out": "yes"},
            },
        ),
    )
    record = run_fake(file)
    assert record.stages["clean[1]"].status is Status.SKIPPED
    assert record.stages["clean[1]"].reason == 'decide.out is "no", not "yes"'
    assert plan(file)["clean[2]"].skipped
    more = run_fake(file, parameters={"values": "yes"})
    assert more.stages["clean[2]"].status is Status.SUCCEEDED


@contextmanager
def counted() -> Iterator[Callable[[], tuple[int, int]]]:
    """Count calls of functions, and SQL statements: a clock says something else every time."""
    counts = {"calls": 0, "statements": 0}

    def called(_frame: object, event: str, argument: Any) -> None:
        counts["calls"] += event in ("call", "c_call")
        counts["statements"] += event == "c_call" and argument.__name__ == "execute"

    before = sys.getprofile()
    gc.collect()
    gc.disable()  # what others have left behind is not ended here, nor counted
    sys.setprofile(called)
    try:
        yield lambda: (counts["calls"], counts["statements"])
    finally:
        sys.setprofile(before)
        gc.enable()


def _cost(work: Callable[[], Any]) -> tuple[int, int]:
    with counted() as count:
        work()
        return count()


def mapped_twice(folder: Path) -> Path:
    """Two maps of which the second waits for all of the first, and a join."""
    over = {"foreach": {"month": "parameters.months"}}
    return write_pipeline(
        folder,
        Sketch(name="collect", body=FIRST, declares="month: int = 1", keys=over),
        Sketch(
            name="fit", body=FIRST, declares="month: int = 1", keys={**over, "after": ["collect"]}
        ),
        Sketch(
            name="join",
            body=JOIN,
            declares="parts: list[str] = []",
            keys={"inputs": {"parts": "fit.out"}},
        ),
        parameters={"months": [1]},
    )


@pytest.mark.parametrize("write", [pytest.param(chained, marks=pytest.mark.slow), mapped_twice])
def test_an_instance_costs_the_same_in_a_larger_map(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    """Twice as many cost twice as much at most: to run, to plan, and to reuse."""
    sizes = (2, 5, 10, 20)  # the first for what is paid once, imports above all
    costs: dict[str, list[tuple[int, int]]] = {"run": [], "plan": [], "reuse": []}
    files = {size: write(tmp_path / str(size)) for size in sizes}
    time.sleep(2.1)  # a notebook that is newer is read anew each time
    for size, file in files.items():
        wanted = {"months": list(range(size))}
        works: dict[str, Callable[[], Any]] = {
            "run": lambda: run_fake(file, parameters=wanted),  # noqa: B023 - called at once
            "plan": lambda: plan(file, parameters=wanted),  # noqa: B023 - called at once
            "reuse": lambda: run_fake(file, parameters=wanted),  # noqa: B023 - called at once
        }
        for name, work in works.items():
            # What a file holds is read again while it is new; the second time says less.
            tries = [_cost(work) for _ in range(1 if name == "run" else 2)]
            costs[name].append(min(tries))
    for name, (_, small, medium, large) in costs.items():
        for kind, least, more, most in zip(
            ("calls", "statements"), small, medium, large, strict=True
        ):
            first, then = (more - least) / 5, (most - more) / 10
            assert then <= 1.1 * first + 1, f"{name}: {first} and then {then} {kind} an instance"


def test_what_is_reused_asks_little_of_the_system(tmp_path: Path) -> None:
    """Counted for one instance among ten more: a run of a thousand stages is made of these."""
    costs = []
    for size in (10, 20):
        file, wanted = mapped_twice(tmp_path / str(size)), {"months": list(range(size))}
        run_fake(file, parameters=wanted)
        run_fake(file, parameters=wanted)
        costs.append(_cost(lambda: run_fake(file, parameters=wanted)))  # noqa: B023 - called at once
    calls, statements = ((more - less) / 20 for less, more in zip(*costs, strict=True))
    assert statements <= 9
    assert calls <= 1250


def test_to_reuse_costs_the_same_however_often_it_was_reused(tmp_path: Path) -> None:
    """A nightly run finds as many earlier ones as there were nights."""
    file = chained(tmp_path)
    run_fake(file)
    costs = []
    for _ in range(12):
        with counted() as count:
            run_fake(file)
            costs.append(count())
    # The least of some, for a busy machine adds calls that wait.
    (calls, statements), (most_calls, most_statements) = min(costs[1:4]), min(costs[-3:])
    assert (most_calls <= 1.05 * calls, most_statements) == (True, statements)
