"""A pipeline as a state machine: what is written, and what is refused."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit import load_pipeline
from mlkit.api.exports import export, write_export
from mlkit.core.cron import parse_cron
from mlkit.core.policies import Resources, Retry, WaitFor
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.engines.stepfunctions.arranging import Block, Fork, arranged
from mlkit.engines.stepfunctions.compiler import compile_pipeline
from mlkit.engines.stepfunctions.policies import LOST, looks, retriers
from mlkit.engines.stepfunctions.schedule import aws_cron
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import Sketch, branching, diamond, mapped, write_pipeline
from mlkit.testing.engine_pipelines import chains, dynamic_chain, everything
from tests.engines.constructs import SETTINGS, constructs
from tests.engines.flights import FLIGHTS

# The order.

Graph = dict[str, set[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph: each name waits for some of those before it."""
    size = draw(st.integers(1, 9))
    return {
        f"s{n}": {f"s{m}" for m in range(n) if draw(st.integers(0, 3)) == 0} for n in range(size)
    }


@st.composite
def nests(draw: st.DrawFn) -> Block:
    """One after the other, and side by side, to any depth."""
    numbers = itertools.count()

    def block(depth: int) -> Block:
        return tuple(
            Fork(branches=tuple(block(depth - 1) for _ in range(draw(st.integers(2, 3)))))
            if depth and draw(st.booleans())
            else f"s{next(numbers)}"
            for _ in range(draw(st.integers(1, 3)))
        )

    return block(2)


def _order(block: Block) -> Graph:
    """Everything that each name of a block comes behind, by how states follow each other."""
    found: Graph = {}
    for step in block:
        before = set(found)
        inner: Graph = {}
        if isinstance(step, Fork):
            for branch in step.branches:
                inner |= _order(branch)
        else:
            inner = {step: set()}
        found |= {name: above | before for name, above in inner.items()}
    return found


@given(graphs())
def test_what_is_upstream_comes_before(graph: Graph) -> None:
    """Of any graph: each name once, behind everything that it waits for."""
    order = _order(arranged(graph))
    assert order.keys() == graph.keys()
    assert all(upstream <= order[name] for name, upstream in graph.items())


@given(nests())
def test_a_graph_of_forks_and_chains_is_arranged_without_a_loss(block: Block) -> None:
    """Nothing waits for what is not upstream of it."""
    order = _order(block)
    assert _order(arranged(order)) == order


def test_what_is_no_nest_waits_together() -> None:
    """`c` waits for `a` alone, and is brought behind `b`, too: nothing else can be written."""
    block = arranged({"a": (), "b": (), "c": ("a",), "d": ("a", "b")})
    assert block == (Fork(branches=(("a",), ("b",))), Fork(branches=(("c",), ("d",))))


# The states.


def machine(pipeline: Path, **settings: Any) -> dict[str, Any]:
    """The definition of a pipeline."""
    whole = load_pipeline(pipeline)
    stages = {
        name: replace(stage, image=None, resources=Resources())
        for name, stage in whole.stages.items()
    }
    made = compile_pipeline(replace(whole, stages=stages), replace(SETTINGS, **settings))
    found: dict[str, Any] = json.loads(made.files[made.entry])
    return found


def states(part: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state of a machine, with those in branches and loops."""
    for name, state in part["States"].items():
        yield name, state
        for inner in [*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])]:
            yield from states(inner)


def _broken(part: Mapping[str, Any]) -> Iterator[str]:
    """What a reader finds wrong within one level, and below it."""
    there, reached = part["States"], {part["StartAt"]}
    for state in there.values():
        reached |= {state[key] for key in ("Next", "Default") if key in state}
        reached |= {item["Next"] for item in [*state.get("Catch", ()), *state.get("Choices", ())]}
        for inner in [*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])]:
            yield from _broken(inner)
    yield from (f"{name} does not exist" for name in reached - there.keys())
    yield from (f"{name} is never reached" for name in there.keys() - reached)


@pytest.mark.parametrize("shape", [everything, chains, diamond, branching, mapped])
def test_every_state_is_reached_and_has_a_name_of_its_own(shape: Any, tmp_path: Path) -> None:
    """In each branch and loop; each stage, or instance that stands alone, has its task."""
    found = machine(shape(tmp_path))
    assert list(_broken(found)) == []
    names = [name for name, _ in states(found)]
    assert len(names) == len(set(names))
    assert max(map(len, names)) <= 80
    asked = {s["Parameters"]["stage"] for _, s in states(found) if _does(s, "run")}
    assert {name.partition("[")[0] for name in asked} == {*load_pipeline(tmp_path).stages}


def _does(state: Mapping[str, Any], what: str) -> bool:
    return state["Type"] == "Task" and bool(state["Parameters"]["do"] == what)


def test_a_loop_holds_all_stages_of_its_chain(tmp_path: Path) -> None:
    """One behind the other, for each value that the worker has read."""
    found = machine(dynamic_chain(tmp_path, "all_done"))
    (loop,) = (state for _, state in states(found) if state["Type"] == "Map")
    inner = loop["ItemProcessor"]
    assert [s["Parameters"]["stage"] for _, s in states(inner) if _does(s, "run")] == [
        *("first", "next", "tidy"),
    ]
    assert loop["ItemSelector"]["value.$"] == "$$.Map.Item.Value"
    (values,) = (state for _, state in states(found) if _does(state, "values"))
    assert values["Parameters"]["list"] == "list-values.out"


def test_a_condition_is_a_choice(tmp_path: Path) -> None:
    """On the word that the stage upstream has answered, through any number of branches."""
    found = dict(states(machine(branching(tmp_path))))
    assert found["when yes"]["Choices"] == [
        {"Variable": "$.said.decide.out", "StringEquals": "yes", "Next": "yes"}
    ]
    assert found["decide"]["Parameters"]["values"] == {"out": "out"}
    assert found["decide"]["ResultPath"] == "$.said.decide"
    assert found["start"]["Parameters"]["said"] == {"decide": {"out": ""}}


def test_no_data_go_through_the_states(tmp_path: Path) -> None:
    """What comes of a task is dropped, but words and lists; nor is there anything of mlkit's."""
    made = export(everything(tmp_path), "stepfunctions", runs_dir="/data/runs")
    found = json.loads(made.files[made.entry])
    kept = {s["ResultPath"] for _, s in states(found) if s.get("ResultPath")}
    assert kept == {"$.said", "$.said.decide", "$.values"}
    assert "/data/runs" not in made.files[made.entry]
    assert 'runs_dir="/data/runs"' in made.files["sketched_worker.py"]


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (Retry(), None),
        (
            Retry(max_retries=2, delay_s=1, on=("ConnectionError",)),
            {
                "ErrorEquals": ["ConnectionError", "mlkit.Retryable"],
                "IntervalSeconds": 1,
                "MaxAttempts": 2,
                "BackoffRate": 2.0,
                "JitterStrategy": "FULL",
            },
        ),
        (
            Retry(max_retries=3, delay_s=0.1, backoff=3, max_delay_s=60, jitter=False),
            {
                "ErrorEquals": ["mlkit.Retryable"],
                "IntervalSeconds": 1,
                "MaxAttempts": 3,
                "BackoffRate": 3.0,
                "MaxDelaySeconds": 60,
            },
        ),
        (
            Retry(max_retries=3, delay_s=90, max_delay_s=60, jitter=False),
            {
                "ErrorEquals": ["mlkit.Retryable"],
                "IntervalSeconds": 60,
                "MaxAttempts": 3,
                "BackoffRate": 1.0,
            },
        ),
    ],
)
def test_a_policy_is_a_retrier(retry: Retry, expected: dict[str, Any] | None) -> None:
    """Beside the one for lost workers, which each task has."""
    assert retriers(retry) == [*([expected] if expected else []), LOST]


def test_a_sensor_looks_as_often_as_its_time_lets() -> None:
    """By whole seconds, at least one."""
    wait = WaitFor(path=Path("x"), every_s=0.5, timeout_s=2)
    assert looks(wait) == (1, 2)
    assert looks(replace(wait, every_s=60, timeout_s=90)) == (60, 2)


# The schedule.


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 2 * * *", "cron(0 2 * * ? *)"),
        ("*/15 8-10 1 */6 *", "cron(0,15,30,45 8,9,10 1 1,7 ? *)"),
        ("30 4 * * 1-5", "cron(30 4 ? * MON,TUE,WED,THU,FRI *)"),
        ("0 0 * * sun,7", "cron(0 0 ? * SUN *)"),
        ("@monthly", "cron(0 0 1 * ? *)"),
        ("0 0 13 * 5", None),
        ("0 0 */2 * 5", None),
    ],
)
def test_a_schedule_has_six_fields_there(cron: str, expected: str | None) -> None:
    """Of two kinds of day it takes one."""
    assert aws_cron(parse_cron(cron)) == expected


def test_a_schedule_keeps_to_the_clock_of_its_zone(tmp_path: Path) -> None:
    """EventBridge knows zones; one run at a time is a task of its own, unless runs may overlap."""
    zone = {"schedule": "0 6 * * *", "timezone": "Europe/Berlin"}
    made = export(write_pipeline(tmp_path / "a", Sketch(name="a"), **zone), "stepfunctions")
    told = json.loads(made.files["sketched.schedule.json"])
    assert told["ScheduleExpression"] == "cron(0 6 * * ? *)"
    assert told["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert '"do": "alone"' in made.files[made.entry]
    file = write_pipeline(tmp_path / "b", Sketch(name="a"), **zone, overlap=True)
    made = export(file, "stepfunctions")
    assert '"do": "alone"' not in made.files[made.entry]


# What is refused.


@pytest.mark.parametrize(
    ("keys", "fact"),
    [
        ({"image": "registry/ml:1"}, "nothing places them"),
        ({"resources": {"gpu": 1}}, "nothing places them"),
        ({"wait_for": {"path": "x", "every": "1s", "timeout": "2h"}}, "57600 events"),
        ({"foreach": {"n": list(range(4000))}}, "32000 events"),
    ],
)
def test_what_step_functions_cannot_express_is_refused(
    tmp_path: Path, keys: dict[str, Any], fact: str
) -> None:
    """With the stage's line and the remedy."""
    file = write_pipeline(tmp_path, Sketch(name="s", declares="n: int = 0", keys=keys))
    with pytest.raises(UnsupportedByEngineError, match=fact) as caught:
        export(file, "stepfunctions")
    assert caught.value.line == load_pipeline(file).stages["s"].line
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("top", "fact"),
    [
        ({"schedule": "0 0 13 * 5"}, "days of the month and of the week"),
        ({"schedule": "every 6h"}, "no cron expression"),
        ({"name": "n" * 81}, "81 characters, and 80"),
    ],
)
def test_what_it_cannot_express_of_a_pipeline_is_refused(
    tmp_path: Path, top: dict[str, Any], fact: str
) -> None:
    """It is the pipeline as a whole."""
    file = write_pipeline(tmp_path, Sketch(name="s"), **top)
    with pytest.raises(UnsupportedByEngineError, match=f"this pipeline: .*{fact}"):
        export(file, "stepfunctions")


def test_names_of_states_are_as_long_as_it_takes(tmp_path: Path) -> None:
    """Also those that are made of a stage and a value."""
    for longest in (80, 81):
        file = write_pipeline(tmp_path / str(longest), Sketch(name="s" * longest))
        if longest == 80:
            export(file, "stepfunctions")
            continue
        with pytest.raises(UnsupportedByEngineError, match="81 characters, and 80"):
            export(file, "stepfunctions")


# Amazon's own reader of the language.


@pytest.mark.engine
def test_statelint_finds_nothing_wrong(tmp_path: Path) -> None:
    """In every construct, in the contract's pipelines, and in flights; and it does look."""
    python = engine_python(ENGINES["stepfunctions"], os.environ)
    made = {
        "constructs": constructs(tmp_path / "constructs"),
        "everything": everything(tmp_path / "everything"),
        "chains": chains(tmp_path / "chains"),
        "loop": dynamic_chain(tmp_path / "loop", "all_done"),
        "flights": FLIGHTS,
    }
    files = []
    for name, file in made.items():
        found = machine(file) if name == "constructs" else None
        there = export(file, "stepfunctions") if found is None else None
        text = json.dumps(found) if there is None else there.files[there.entry]
        files.append(tmp_path / f"{name}.asl.json")
        files[-1].write_text(text, "utf-8")
    wrong = tmp_path / "wrong.asl.json"
    wrong.write_text(files[-1].read_text("utf-8").replace('"Next": "gate"', '"Next": "gat"'))
    linter = python.with_name("statelint")
    for file in files:
        done = subprocess.run([linter, file], capture_output=True, text=True)
        assert (done.stdout.strip(), done.returncode) == ("", 0), file.name
    done = subprocess.run([linter, wrong], capture_output=True, text=True)
    assert "gat" in done.stdout


def test_the_machine_is_the_golden_one() -> None:
    """MLKIT_GOLDEN=write writes it anew, to be read before it is kept."""
    made = compile_pipeline(load_pipeline(FLIGHTS), SETTINGS)
    golden = Path(__file__).with_name("golden") / "stepfunctions-flights.asl.json.txt"
    if os.environ.get("MLKIT_GOLDEN") == "write":
        golden.write_text(made.files[made.entry], encoding="utf-8")
    assert made.files[made.entry] == golden.read_text(encoding="utf-8")


def test_the_worker_stands_beside_the_definition(tmp_path: Path) -> None:
    """Three files, and the schedule's."""
    paths = write_export(export(FLIGHTS, "stepfunctions"), tmp_path)
    assert [path.name for path in paths] == [
        *("flights.asl.json", "flights_worker.py", "mlkit_worker.py", "flights.schedule.json"),
    ]
