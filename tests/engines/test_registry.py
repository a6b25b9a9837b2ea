"""The engines that there are, and what each has to have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlkit.api.engine_runs import run_on
from mlkit.api.exports import export
from mlkit.api.records import find_run
from mlkit.cli.main import main
from mlkit.driver.services import Services
from mlkit.engines.extras import requirements_of
from mlkit.engines.registry import ENGINES, compiler_of, engine_named, launcher_of, names
from mlkit.errors import UsageError
from mlkit.store.remote.places import CACHE_VARIABLE
from mlkit.testing import Sketch, branching, chain, dynamic_map, write_pipeline
from mlkit.testing.engine_pipelines import everything
from tests.engines.constructs import in_image
from tests.engines.flights import FLIGHTS

ROOT = Path(__file__).parents[2]


def test_an_unknown_engine_is_refused_with_the_nearest() -> None:
    """A slip of the fingers is seen."""
    with pytest.raises(UsageError, match="Did you mean 'airflow'"):
        engine_named("airlfow")


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_an_engine_has_a_compiler_and_a_launcher(name: str) -> None:
    """Where its line says."""
    engine = ENGINES[name]
    assert callable(compiler_of(engine))
    assert engine.written_only or callable(launcher_of(engine))


_EXPORT = """
import sys
from pathlib import Path
from mlkit.api.exports import export, write_export
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from tests.engines.constructs import placed
engine, folder, *files = sys.argv[1:]
given = Layers(environ={}, values={"marker": "m"})
for place, file in zip(("everything", "flights"), files, strict=True):
    pipeline = placed(load_pipeline(Path(file)), engine)
    layers = given if place == "everything" else Layers(environ={})
    made = export(pipeline, engine, layers=layers, mlkit=Path("/m"), runs_dir="s3://bucket/runs")
    write_export(made, Path(folder, place))
"""


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_second_export_is_equal_to_the_byte(name: str, tmp_path: Path) -> None:
    """Of all constructs and of flights, in another process, which orders sets otherwise."""
    file = everything(tmp_path / "pipeline")
    written = []
    for seed in ("1", "2"):
        words = [sys.executable, "-c", _EXPORT, name, str(tmp_path / seed), str(file), str(FLIGHTS)]
        subprocess.run(words, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed})
        made = [p for p in (tmp_path / seed).rglob("*") if p.is_file()]
        written.append({p.relative_to(tmp_path / seed): p.read_bytes() for p in made})
    assert written[0] == written[1]
    assert {path.parts[0] for path in written[0]} == {"everything", "flights"}
    assert all(content.endswith(b"\n") for content in written[0].values())


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
    wide = [row for row in rows if len(row) == len(ENGINES) + 2]
    assert len(wide) > 20
    assert [row for row in wide if not all(row)] == []


def _table() -> str:
    lines = (ROOT / "docs" / "engines.md").read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith("| "))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_list_of_the_pipeline_is_that_of_the_export(tmp_path: Path, engine: str) -> None:
    """As if it stood in the file."""
    keys = {"foreach": {"a": "parameters.items"}}
    file = write_pipeline(
        tmp_path, Sketch(name="g", declares="a = 'x'", keys=keys), parameters={"items": ["one"]}
    )
    made = export(in_image(file, engine), engine, parameters={"items": ["two", "three"]})
    text = made.files[made.entry]
    assert "two" in text
    assert "three" in text


@pytest.mark.parametrize("engine", ENGINES)
def test_a_url_of_runs_is_what_the_tasks_are_told(tmp_path: Path, engine: str) -> None:
    """Not the folder that stands for it on the machine that exports."""
    made = export(in_image(chain(tmp_path), engine), engine, runs_dir="s3://bucket/runs")
    text = "".join(made.files.values())
    assert '"s3://bucket/runs"' in text
    assert "/.cache" not in text


@pytest.mark.parametrize("engine", [e.name for e in ENGINES.values() if not e.written_only])
def test_a_run_on_an_engine_tells_its_tasks_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """Here, too; where an engine ends at once, the run has failed, behind the URL as well."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    url = f"file://{tmp_path}/shared"
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    for own in ("airflow", "prefect"):  # a database, which the engine would make before
        (tmp_path / "venv" / f"mlkit-{own}.db").touch()
    nothing = Services(environ={**os.environ, ENGINES[engine].python_variable: str(python)})
    record = run_on(chain(tmp_path / "p"), engine, runs_dir=url, services=nothing)
    files = (Path(record.runs_dir) / record.run_id / "engine").glob("*.py")
    (entry,) = [text for file in files if f'"{url}"' in (text := file.read_text("utf-8"))]
    assert record.runs_dir not in entry
    assert record.status == "failed"
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "elsewhere"))
    assert find_run(record.run_id, url).status == "failed"


@pytest.mark.parametrize("engine", ["airflow", "kubeflow"])
@pytest.mark.parametrize("shape", [branching, dynamic_map])
def test_what_stands_behind_a_url_is_fetched_by_mlkit(
    tmp_path: Path, engine: str, shape: Callable[[Path], Path]
) -> None:
    """Where the runs are in a folder, the engine's own tasks read it by themselves."""
    for place, fetches in (("s3://bucket/runs", True), (tmp_path / "runs", False)):
        made = export(shape(tmp_path), engine, runs_dir=place)
        assert ('"--value"' in made.files[made.entry]) is fetches


def test_help_names_every_engine(capsys: pytest.CaptureFixture[str]) -> None:
    """For `--on` all that can run there, which not every one can."""
    for command, without in (("export", set[str]()), ("run", {"argo"})):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        told = " ".join(capsys.readouterr().out.split())
        assert names(that_run=command == "run") in told
        assert all(name in told for name in ENGINES.keys() - without)
