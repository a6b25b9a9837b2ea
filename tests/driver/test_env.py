"""`env`: what a kernel finds set, what counts of it, and what is hidden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlkit.api.debug_copy import debug_notebook
from mlkit.api.forecasting import plan
from mlkit.api.local_run import run
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.load import Layers, load_pipeline
from mlkit.testing import FakeRunner, run_fake
from mlkit.testing.sketches import write_notebook

TOP = """name: p
env: {env}
stages:
  one:
    notebook: one.ipynb
    outputs: {{out: out.json}}
"""


def _project(folder: Path, env: str, *code: str, more: str = "") -> Path:
    write_notebook(folder / "one.ipynb", *code, parameters='out: str = "scratch/out.json"')
    file = folder / "pipeline.yaml"
    file.write_text(TOP.format(env=env) + more)
    return file


WRITE = 'open(out, "w").write("1")'


def _reason(record: RunRecord) -> str:
    return record.stages["one"].reason


def test_a_change_of_env_runs_the_stage_and_is_the_reason(tmp_path: Path) -> None:
    """A value that changed, one that came, one that went; nothing else."""
    run_fake(_project(tmp_path, "{MODE: a}", WRITE))
    assert run_fake(_project(tmp_path, "{MODE: a}", WRITE)).stages["one"].status is Status.CACHED
    changed = run_fake(_project(tmp_path, "{MODE: b}", WRITE))
    assert _reason(changed) == 'env MODE: "a" → "b"'
    added = run_fake(_project(tmp_path, "{MODE: b, MORE: 1}", WRITE))
    assert _reason(added) == "env MORE is set now"
    assert _reason(run_fake(_project(tmp_path, "{MORE: 1}", WRITE))) == "env MODE is no longer set"


def test_a_stage_without_env_keeps_the_results_it_had(tmp_path: Path) -> None:
    """A pipeline that says nothing of it has the fingerprints of before."""
    file = _project(tmp_path, "{}", WRITE)
    pipeline = load_pipeline(file)
    assert pipeline.stages["one"].env == {}
    run_fake(file)
    file.write_text(file.read_text().replace("env: {}\n", ""))
    assert run_fake(file).stages["one"].status is Status.CACHED


def test_a_stages_env_is_its_own(tmp_path: Path) -> None:
    """It reaches the kernel of that stage, over the pipeline's, and no other."""
    write_notebook(tmp_path / "two.ipynb", "1")
    runner = FakeRunner()
    more = "    env: {MODE: mine}\n  two: {notebook: two.ipynb}\n"
    run_fake(_project(tmp_path, "{MODE: all, X: 1}", WRITE, more=more), runner=runner)
    found = {str(item.metadata["stage"]): item for item in runner.requests}
    assert {name: item.env["MODE"] for name, item in found.items()} == {"one": "mine", "two": "all"}
    assert found["one"].settings.keys() == {"MODE", "X"}


def test_a_secret_in_env_is_given_but_not_counted(tmp_path: Path) -> None:
    """Another secret is no change; another text around it is one."""
    file = _project(tmp_path, '{URL: "db/${DB_TOKEN}"}', WRITE)
    runner = FakeRunner()
    run_fake(file, environ={"DB_TOKEN": "first-secret"}, runner=runner)
    assert runner.requests[0].env["URL"] == "db/first-secret"
    again = run_fake(file, environ={"DB_TOKEN": "other-secret"})
    assert again.stages["one"].status is Status.CACHED
    file.write_text(file.read_text().replace("db/", "db2/"))
    moved = run_fake(file, environ={"DB_TOKEN": "other-secret"})
    assert _reason(moved) == 'env URL: "db/${DB_TOKEN}" → "db2/${DB_TOKEN}"'
    written = "".join(
        path.read_text(errors="replace")
        for path in (tmp_path / "runs").rglob("*")
        if path.is_file() and path.suffix in {".json", ".jsonl", ".ipynb", ".txt"}
    )
    assert "first-secret" not in written
    assert "other-secret" not in written


def test_the_profile_is_recorded_and_its_change_is_a_change_of_values(tmp_path: Path) -> None:
    """Not of its name: two profiles that say the same share results."""
    more = "profiles: {one: {env: {MODE: b}}, two: {env: {MODE: b}}}\n"
    file = _project(tmp_path, "{MODE: a}", WRITE)
    file.write_text(more + file.read_text())
    run_fake(file)
    first = run_fake(file, profile="one")
    assert first.options["profile"] == "one"
    assert _reason(first) == 'env MODE: "a" → "b"'
    assert run_fake(file, profile="two").stages["one"].status is Status.CACHED


READ = """import os, json
open(out, "w").write(json.dumps({
    "threads": os.environ.get("OMP_NUM_THREADS"), "mode": os.environ["MODE"],
    "url": os.environ["URL"]}))"""
POOLS = """import numpy, threadpoolctl, json
numpy.ones((9, 9)) @ numpy.ones((9, 9))
pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
open(out, "w").write(json.dumps(pools))"""


def test_a_notebook_that_is_opened_for_debugging_sets_env_itself(tmp_path: Path) -> None:
    """Secrets are asked for when the cell runs; none is written."""
    file = _project(tmp_path, '{MODE: a, URL: "db/${DB_TOKEN}"}', WRITE)
    environ = {"DB_TOKEN": "first-secret"}
    record = run_fake(file, environ=environ)
    copy = debug_notebook(record.run_id, "one", file, environ=environ).read_text()
    cell = json.loads(copy)["cells"][1]["source"]
    assert """__import__("os").environ['MODE'] = 'a'""" in cell
    assert """environ['URL'] = __import__("getpass").getpass("URL: ")""" in cell
    assert "first-secret" not in copy


@pytest.mark.kernel
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_real_kernel_finds_env_set_and_the_result_is_reused(tmp_path: Path, start: str) -> None:
    """What it reads of it is a part of the fingerprint, and none of the trace."""
    from mlkit.driver.options import RunOptions

    env = '{MODE: a, OMP_NUM_THREADS: 3, URL: "x/${DB_TOKEN}"}'
    file = _project(tmp_path, env, READ)
    options = RunOptions(start=start)  # type: ignore[arg-type] # the names are those of the type
    layers = Layers(environ={"DB_TOKEN": "first-secret"})
    record = run(file, layers=layers, options=options)
    assert record.ok, record.stages["one"].error
    found = json.loads(Path(record.stages["one"].outputs["out"]).read_text())
    assert found == {"threads": "3", "mode": "a", "url": "x/first-secret"}
    later = plan(file, layers=Layers(environ={"DB_TOKEN": "other-secret"}))
    assert later["one"].action == "reuse", later["one"].reasons


@pytest.mark.kernel
def test_a_setting_that_libraries_read_when_they_are_loaded_works_in_forked_runs(
    tmp_path: Path,
) -> None:
    """The stage gets a stock kernel, and the run says so."""
    file = _project(tmp_path, "{OPENBLAS_NUM_THREADS: 2}", POOLS)
    record = run(file, layers=Layers(environ={}))
    assert record.ok, record.stages["one"].error
    assert json.loads(Path(record.stages["one"].outputs["out"]).read_text()) == [2]
    assert any("OPENBLAS_NUM_THREADS" in line for line in record.warnings)


@pytest.mark.kernel
def test_a_setting_that_an_imported_package_has_read_asks_for_a_stock_kernel(
    tmp_path: Path,
) -> None:
    """What was read while modules were imported ahead is as the stage wants it all the same."""
    code = "import matplotlib, json\nopen(out, 'w').write(json.dumps(matplotlib.get_cachedir()))"
    place = tmp_path / "cache"
    place.mkdir()
    file = _project(tmp_path, f"{{XDG_CACHE_HOME: {place}}}", code)
    record = run(file, layers=Layers(environ={}))
    assert record.ok, record.stages["one"].error
    found = json.loads(Path(record.stages["one"].outputs["out"]).read_text())
    assert found == str(place / "matplotlib")


@pytest.mark.kernel
def test_a_setting_that_something_imported_ahead_may_have_read_makes_the_kernel_stock(
    tmp_path: Path,
) -> None:
    """The forked one says so and ends before its first cell; the stage does not notice."""
    code = "import pandas, time, json\nopen(out, 'w').write(json.dumps(time.tzname[0]))"
    record = run(_project(tmp_path, "{TZ: Asia/Tokyo}", code), layers=Layers(environ={}))
    assert record.ok, record.stages["one"].error
    assert json.loads(Path(record.stages["one"].outputs["out"]).read_text()) == "JST"
    assert record.stages["one"].attempts == 1
    assert any("stock kernel" in line and "TZ" in line for line in record.warnings)
