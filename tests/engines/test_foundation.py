"""What all engines share: the registry, the task's command, refusals, environments, extras."""

from __future__ import annotations

import datetime as dt
import re
import sys
from pathlib import Path, PurePosixPath

import pytest
from ruamel.yaml import YAML

from mlkit import load_pipeline
from mlkit.api.engines import export
from mlkit.engines.commands import parameter_words, task_command, value_text
from mlkit.engines.environments import engine_python, engine_version, find_python
from mlkit.engines.export import ExportSettings
from mlkit.engines.extras import requirements_of
from mlkit.engines.refusals import refusal, refuse_single_instances
from mlkit.engines.registry import ENGINES, engine_named
from mlkit.errors import EngineError, UnsupportedByEngineError, UsageError
from mlkit.testing import Sketch, mapped, write_pipeline

ROOT = Path(__file__).parents[2]
AIRFLOW = ENGINES["airflow"]
SETTINGS = ExportSettings(
    mlkit=PurePosixPath("/opt/mlkit/bin/mlkit"),
    pipeline_file=PurePosixPath("/data/p/pipeline.yaml"),
    runs_dir=PurePosixPath("/data/runs"),
    parameters={"rows": 5},
    options=("--verify",),
)


def test_an_unknown_engine_is_refused_with_the_nearest() -> None:
    """A slip of the fingers is seen."""
    with pytest.raises(UsageError, match="Did you mean 'airflow'"):
        engine_named("airlfow")


def test_the_command_of_a_task_is_whole() -> None:
    """Everything that a task must say, in one list of words."""
    words = task_command(SETTINGS, stage="train[a b]", run_id="r1")
    assert words == (
        *("/opt/mlkit/bin/mlkit", "run", "/data/p/pipeline.yaml", "--only", "train[a b]"),
        *("--run-id", "r1", "--runs-dir", "/data/runs", "-p", "rows:=5", "--verify", "--json"),
    )


@pytest.mark.parametrize(
    "value",
    [1, 1.5, True, None, "no", "1e-3", 'it\'s "{x}"\n# $y', ["a", 2, {"k": "v: w"}], [], {}],
)
def test_a_value_is_written_as_yaml_that_reads_back(value: object) -> None:
    """Also texts that look like something else."""
    assert YAML(typ="safe", pure=True).load(value_text(value)) == value


def test_what_json_lacks_is_written_as_yaml_has_it() -> None:
    """Dates, infinities, paths."""
    assert parameter_words({"day": dt.date(2013, 1, 2)}) == ("-p", "day:=2013-01-02")
    assert value_text(float("-inf")) == "-.inf"
    assert value_text(PurePosixPath("/a b")) == '"/a b"'


def test_a_refusal_names_the_stage_its_line_and_the_remedy(tmp_path: Path) -> None:
    """One sentence that can be acted on."""
    pipeline = load_pipeline(mapped(tmp_path))
    stage = pipeline.stages["all"]
    error = refusal(AIRFLOW, pipeline, stage, "it is too odd", "Write it otherwise")
    assert (error.line, error.remedy, error.exit_code) == (stage.line, "Write it otherwise", 2)
    assert error.message == "Airflow cannot express stage 'all': it is too odd"


def test_waiting_for_one_instance_is_refused(tmp_path: Path) -> None:
    """Engines wait for all instances of a mapped task."""
    one = Sketch(name="one", declares="a: str = ''", keys={"inputs": {"a": "each[a].out"}})
    each = Sketch(name="each", declares="v: str = 'a'", keys={"foreach": {"v": ["a", "b"]}})
    pipeline = load_pipeline(write_pipeline(tmp_path, each, one))
    with pytest.raises(UnsupportedByEngineError, match=r"'one': it waits for each\[a\] alone"):
        refuse_single_instances(AIRFLOW, pipeline)


def test_an_environment_is_found_by_its_variable() -> None:
    """It wins; what cannot be run is told, not passed over."""
    assert find_python(AIRFLOW, {"MLKIT_AIRFLOW_PYTHON": sys.executable}) == Path(sys.executable)
    with pytest.raises(EngineError, match="names /nowhere/python, which cannot be run"):
        engine_python(AIRFLOW, {"MLKIT_AIRFLOW_PYTHON": "/nowhere/python"})


def test_the_version_is_asked_of_the_environment_itself() -> None:
    """The core environment holds no engine."""
    assert engine_version(ENGINES["kubeflow"], Path(sys.executable)) is None


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_the_lock_of_an_engine_pins_its_extra(name: str) -> None:
    """The engine alone: nothing of mlkit, no address of an index."""
    text = (ROOT / f"requirements-{name}.lock").read_text()
    pinned = {re.split(r"[\[=]", line)[0] for line in text.splitlines() if "==" in line}
    wanted = {re.split(r"[<>=\[ ]", line)[0] for line in requirements_of(name)}
    assert wanted
    assert wanted <= pinned
    assert not {"papermill", "mlflow", "mlkit"} & pinned
    assert "://" not in text


def test_every_test_in_the_table_of_engines_exists() -> None:
    """docs/engines.md names what proves each row."""
    named = re.findall(r"`((?:tests|mlkit)/[^`]+)::(test_\w+)`", _table())
    assert len(named) > 10
    missing = [f"{f}::{n}" for f, n in named if f"def {n}(" not in (ROOT / f).read_text()]
    assert missing == []


def test_no_cell_in_the_table_of_engines_is_empty() -> None:
    """Every construct is expressed by every engine, and proved."""
    rows = [[c.strip() for c in r.strip("|").split(" | ")] for r in _table().splitlines()]
    wide = [row for row in rows if len(row) == 5]
    assert len(wide) > 10
    assert [row for row in wide if not all(row)] == []


def _table() -> str:
    lines = (ROOT / "docs" / "engines.md").read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith("| "))


@pytest.mark.parametrize("engine", ENGINES)
def test_maps_that_compose_are_refused_where_an_engine_has_none(
    tmp_path: Path, engine: str
) -> None:
    """With the stage's line and the remedy, before a file is written."""
    both = {"foreach": {"a": [1, 2], "b": [1, 2]}}
    grid = write_pipeline(tmp_path / "grid", Sketch(name="g", declares="a = 1\nb = 1", keys=both))
    one = {"foreach": {"a": [1, 2]}}
    chained = write_pipeline(
        tmp_path / "chained",
        Sketch(name="g", declares="a = 1", keys=one),
        Sketch(name="h", declares="a = 1", keys={**one, "after": ["g[a]"]}),
    )
    with pytest.raises(UnsupportedByEngineError) as caught:
        export(grid, engine)
    assert caught.value.line == 3
    assert "stage 'g': it maps over a and b, and the export takes one" in caught.value.message
    with pytest.raises(UnsupportedByEngineError) as caught:
        export(chained, engine)
    assert "stage 'h': each instance waits for its own 'g[a]'" in caught.value.message
    assert caught.value.remedy == "Refer to 'g' as a whole, or run it without the engine"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_list_of_the_pipeline_is_that_of_the_export(tmp_path: Path, engine: str) -> None:
    """As if it stood in the file."""
    keys = {"foreach": {"a": "parameters.items"}}
    file = write_pipeline(
        tmp_path, Sketch(name="g", declares="a = 'x'", keys=keys), parameters={"items": ["one"]}
    )
    made = export(file, engine, parameters={"items": ["two", "three"]})
    text = made.files[made.entry]
    assert "two" in text
    assert "three" in text
