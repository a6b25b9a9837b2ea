"""A pipeline as Dagster definitions: what is written, and what is refused."""

from __future__ import annotations

import ast
import datetime as dt
import os
import zoneinfo
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from ruamel.yaml import YAML

from mlkit import load_pipeline
from mlkit.api.exports import export
from mlkit.core.every import Every, parse_when
from mlkit.core.pipeline import Pipeline
from mlkit.engines.dagster.assets import checked
from mlkit.engines.dagster.compiler import compile_pipeline
from mlkit.engines.dagster.ending import going_on
from mlkit.engines.dagster.policies import cron_strings, machine
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.python_text import formatted
from mlkit.engines.unrolling import unrolled
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import Sketch, chain, write_pipeline
from mlkit.testing.engine_pipelines import everything, many_failures

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden")
SETTINGS = ExportSettings(
    mlkit=PurePosixPath("/opt/mlkit/bin/mlkit"),
    pipeline_file=PurePosixPath("/data/pipeline.yaml"),
    runs_dir=PurePosixPath("/data/runs"),
)


def exported(pipeline: Pipeline | Path, **settings: Any) -> Export:
    """Compile a pipeline."""
    whole = load_pipeline(pipeline) if isinstance(pipeline, Path) else pipeline
    return compile_pipeline(whole, replace(SETTINGS, **settings))


def text_of(pipeline: Pipeline | Path, **settings: Any) -> str:
    """The text of the definitions."""
    made = exported(pipeline, **settings)
    return made.files[made.entry]


def test_the_file_is_as_if_written_by_hand() -> None:
    """MLKIT_GOLDEN=write writes it anew, for somebody to read; Black would change nothing."""
    text = text_of(load_pipeline(ROOT / "notebooks" / "flights"))
    golden = GOLDEN / "dagster-flights.py.txt"
    if os.environ.get("MLKIT_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()
    assert formatted(text) == text


def test_what_goes_on_after_a_failure_reaches_everything_above(tmp_path: Path) -> None:
    """And nothing else: a rule that Dagster keeps by itself leaves it to Dagster."""
    failures = load_pipeline(many_failures(tmp_path / "a"))
    assert going_on(unrolled(failures)) == {"bad", "aside"}
    assert going_on(unrolled(load_pipeline(everything(tmp_path / "b")))) == set()
    text = text_of(failures)
    assert "bad_failed(failed=bad_failing)" in text
    assert "behind_done = behind(bad=bad_done)" in text
    assert "cleanup(bad=bad_ended, aside=aside_ended)" in text


def test_a_join_takes_a_list_and_a_branch_an_output(tmp_path: Path) -> None:
    """As one writes them in Dagster."""
    text = text_of(everything(tmp_path))
    assert "join_done = join(upstream=[yes_done, no_done])" in text
    assert 'out=ways("yes", "no"))' in text
    assert "yes_done = yes(left=left_done, decide=decide_done, go=decide_out_ways.yes)" in text


def test_a_map_waits_for_all_of_another_by_an_op_that_gathers_it(tmp_path: Path) -> None:
    """Dagster lets no op be mapped over one list and gather another; one op gathers for all."""
    over = {"foreach": {"b": ["r", "s"]}, "inputs": {"of": "first.out"}}
    declares = "b: str = ''\nof: list[str | None] = []"
    text = text_of(
        write_pipeline(
            tmp_path,
            Sketch(name="first", declares="a: str = ''", keys={"foreach": {"a": ["p", "q"]}}),
            Sketch(name="second", declares=declares, keys=over),
            Sketch(name="third", declares=declares, keys=over),
            Sketch(name="judged", declares=declares, keys={**over, "trigger": "all_done"}),
        )
    )
    gathers = [line.strip() for line in text.splitlines() if "gathered.alias" in line]
    assert gathers == [
        'all_first_done = gathered.alias("all_first_done")(upstream=first_done.collect())',
        'all_first_ended = gathered.alias("all_first_ended")(upstream=first_ended.collect())',
    ]
    assert text.count("first=all_first_done)") == 2
    assert text.count("first=all_first_ended)") == 1


def test_names_are_those_that_dagster_takes(tmp_path: Path) -> None:
    """Letters, digits and `_`, none of Dagster's own or Python's, each once."""
    names = ("context", "config", "job", "a-b", "a_b", "A", "class", "a_done", "a")
    sketches = [Sketch(name=name, file=f"{place}.txt") for place, name in enumerate(names)]
    tree = ast.parse(text_of(write_pipeline(tmp_path, *sketches, name="op")))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(functions) == len(set(functions)) == len(names) + 1
    assert all(name.isascii() for name in functions)
    assert not {"context", "config", "job", "op", "class"} & set(functions)
    inner = next(
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "op_"
    )
    variables = {
        n.id for n in ast.walk(inner) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    assert not variables & set(functions)


def test_secrets_and_the_environment_stay_out(tmp_path: Path) -> None:
    """They are read where the tasks run; only what was given stands there."""
    declares = 'import mlkit\ntoken: mlkit.Secret = ""\nplace: str = ""\nrows: int = 1'
    parameters = {"token": "${TOKEN}", "place": "${PLACE}/x", "rows": 1}
    file = write_pipeline(tmp_path, Sketch(name="s", declares=declares), parameters=parameters)
    text = text_of(file, parameters={"rows": 7, "s.place": "x: y"})
    assert "token" not in text
    assert "PLACE" not in text
    (given,) = [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "parameters"
    ]
    assert given is not None
    assert ast.literal_eval(given) == {"rows": "7", "s.place": '"x: y"'}


@pytest.mark.parametrize(
    ("schedule", "zone", "crons", "clock"),
    [
        ("30 2 * * 1", "Europe/Berlin", ["30 2 * * 1"], "Europe/Berlin"),
        ("@daily", "UTC", ["@daily"], "UTC"),
        ("every 6h", "UTC", ["0 0,6,12,18 * * *"], "UTC"),
        ("every 6h", "Asia/Kolkata", ["30 0,6,12,18 * * *"], "UTC"),
        ("every 15m", "UTC", ["0,15,30,45 * * * *"], "UTC"),
        (
            "every 90m",
            "UTC",
            ["0 0,3,6,9,12,15,18,21 * * *", "30 1,4,7,10,13,16,19,22 * * *"],
            "UTC",
        ),
    ],
)
def test_a_schedule_is_cron_on_its_clock(
    tmp_path: Path, schedule: str, zone: str, crons: list[str], clock: str
) -> None:
    """A span that divides a day comes at the same times each day in UTC, whatever the zone."""
    file = chain(tmp_path, 1, schedule=schedule, timezone=zone)
    assert cron_strings(load_pipeline(file)) == (crons, clock)
    text = export(file, "dagster").files["sketched_definitions.py"]
    assert f'execution_timezone="{clock}"' in text
    assert all(f'"{cron}"' in text for cron in crons)


def test_the_times_of_a_span_are_those_of_serve() -> None:
    """Written out for a day far from the one that the cron expressions were made from."""
    for text in ("every 6h", "every 90m", "every 1m", "every 1d", "every 160m"):
        for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"):
            when = parse_when(text)
            assert isinstance(when, Every)
            start = dt.datetime(2026, 3, 29, tzinfo=dt.UTC)
            ticks = when.ticks(zoneinfo.ZoneInfo(zone), start, start + dt.timedelta(days=1))
            pipeline = Pipeline(
                name="p", file=PurePosixPath("/p"), stages={}, schedule=text, timezone=zone
            )
            meant = set()
            for cron in cron_strings(pipeline)[0]:
                minutes, hours, *_ = cron.split()
                wanted = range(24) if hours == "*" else map(int, hours.split(","))
                meant |= {(hour, int(minute)) for hour in wanted for minute in minutes.split(",")}
            assert meant == {(tick.hour, tick.minute) for tick in ticks}, (text, zone)


def test_runs_come_one_at_a_time_unless_they_may_overlap(tmp_path: Path) -> None:
    """By the tag of the job, which the instance counts."""
    for overlap in (False, True):
        top = {"schedule": "@daily", "overlap": overlap}
        files = export(chain(tmp_path / str(overlap), 1, **top), "dagster").files
        settings = YAML(typ="safe").load(files["dagster.yaml"])
        assert ("concurrency" in settings) is not overlap
        if not overlap:
            (limit,) = settings["concurrency"]["runs"]["tag_concurrency_limits"]
            assert limit == {"key": "mlkit/pipeline", "value": "sketched", "limit": 1}
        assert 'tags={"mlkit/pipeline": "sketched"}' in files["sketched_definitions.py"]


@pytest.mark.parametrize(
    ("schedule", "declares", "fact"),
    [
        ("every 7h", "", "does not come at the same times each day"),
        ("every 90m", "logical_date: str = ''", "takes several cron expressions"),
    ],
)
def test_a_span_that_cron_cannot_say_is_refused(
    tmp_path: Path, schedule: str, declares: str, fact: str
) -> None:
    """With what to do instead."""
    file = write_pipeline(tmp_path, Sketch(name="s", declares=declares), schedule=schedule)
    with pytest.raises(UnsupportedByEngineError, match=fact) as caught:
        export(file, "dagster")
    assert "mlkit serve" in str(caught.value.remedy)


def test_a_stage_that_only_says_whether_is_a_check(tmp_path: Path) -> None:
    """Of what it reads; flights has one."""
    flights = load_pipeline(ROOT / "notebooks" / "flights")
    checks = {name: checked(flights, stage) for name, stage in flights.stages.items()}
    assert {name: keys for name, keys in checks.items() if keys} == {
        "validate": [("collect", "flights"), ("collect", "weather"), ("collect", "planes")]
    }


def test_what_a_stage_asks_of_its_machine_is_a_tag(tmp_path: Path) -> None:
    """In the words of Dagster's executor on Kubernetes."""
    wanted = {"cpu": "500m", "memory": "1Gi", "gpu": 1, "node_selector": {"disk": "ssd"}}
    keys = {"image": "registry/ml:1", "resources": wanted}
    pipeline = load_pipeline(
        write_pipeline(tmp_path, Sketch(name="s", keys=keys), Sketch(name="t"))
    )
    assert machine(pipeline.stages["s"]) == {
        "container_config": {
            "image": "registry/ml:1",
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"nvidia.com/gpu": "1"},
            },
        },
        "pod_spec_config": {"node_selector": {"disk": "ssd"}},
    }
    assert machine(pipeline.stages["t"]) == {}
    assert text_of(pipeline).count("dagster-k8s/config") == 1
