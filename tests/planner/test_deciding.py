"""What runs again, what is reused, and the reason that is given."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from mlkit import load_pipeline, plan
from mlkit.core.pipeline import Instance
from mlkit.core.states import Status
from mlkit.load.parameters import Layers, configure
from mlkit.planner.deciding import Planner
from mlkit.planner.forecast import Forecast
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.testing import FakeRunner, Returns, Sketch, chain, diamond, run_fake, write_pipeline


def _statuses(file: Path, **options: object) -> dict[str, str]:
    record = run_fake(file, **options)  # type: ignore[arg-type] # any of its keywords
    return {key: item.status.value for key, item in record.stages.items()}


def _edit(notebook: Path, old: str, new: str) -> None:
    text = notebook.read_text()
    assert old in text
    notebook.write_text(text.replace(old, new))


def _plan(file: Path, **parameters: object) -> dict[str, Forecast]:
    return plan(file, parameters=parameters)


def test_an_unchanged_stage_is_not_run(tmp_path: Path) -> None:
    """The second run executes nothing, and its reason says so."""
    file = chain(tmp_path)
    run_fake(file)
    runner = FakeRunner()
    record = run_fake(file, runner=runner)
    assert runner.stages == []
    assert {s.reason for s in record.stages.values()} == {"nothing changed"}


def test_a_change_of_code_names_the_cell(tmp_path: Path) -> None:
    """The reason is the cell's number and first line, in plan and in the record."""
    file = chain(tmp_path, 1)
    run_fake(file)
    _edit(tmp_path / "s1.ipynb", "Path(out).write_text", "Path( out).write_text")
    reason = "code changed: cell 2 (from pathlib import Path)"
    assert _plan(file)["s1"].reasons == (reason,)
    assert run_fake(file).stages["s1"].reason == reason


def test_prose_outputs_and_counts_change_nothing(tmp_path: Path) -> None:
    """A Markdown cell, stored outputs, execution counts and metadata are no part of it."""
    file = chain(tmp_path, 1)
    run_fake(file)
    path = tmp_path / "s1.ipynb"
    document = json.loads(path.read_text())
    document["cells"].insert(1, {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "?"})
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = 7
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "hello"}]
    document["metadata"]["note"] = "edited"
    path.write_text(json.dumps(document))
    assert _statuses(file) == {"s1": "cached"}


def test_early_cut_off(tmp_path: Path) -> None:
    """A stage that runs again and writes equal bytes does not make its dependents run."""
    file = chain(tmp_path)
    run_fake(file)
    _edit(tmp_path / "s1.ipynb", "Path(out).write_text", "Path( out).write_text")
    assert _statuses(file) == {"s1": "succeeded", "s2": "cached", "s3": "cached"}


def test_a_change_spreads_by_digest(tmp_path: Path) -> None:
    """Other bytes make the dependents run, and their reason is the input."""
    file = diamond(tmp_path)
    run_fake(file)
    _edit(tmp_path / "left.ipynb", "left({'", "LEFT({'")
    record = run_fake(file)
    assert {k: s.status.value for k, s in record.stages.items()} == {
        "top": "cached",
        "left": "succeeded",
        "right": "cached",
        "bottom": "succeeded",
    }
    assert record.stages["bottom"].reason == "input left changed"


def test_going_back_reuses_the_earlier_result(tmp_path: Path) -> None:
    """Code or parameters of an earlier run find that run's result again."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", body="open(out, 'w').write(str(rows))", declares="rows: int = 1"),
        parameters={"rows": 1},
    )
    run_fake(file)
    assert _statuses(file, parameters={"rows": 2}) == {"a": "succeeded"}
    assert _statuses(file, parameters={"rows": 1}) == {"a": "cached"}
    _edit(tmp_path / "a.ipynb", "str(rows)", "repr(rows)")
    assert _statuses(file) == {"a": "succeeded"}
    _edit(tmp_path / "a.ipynb", "repr(rows)", "str(rows)")
    assert _statuses(file) == {"a": "cached"}


def test_a_change_of_a_parameter_names_both_values(tmp_path: Path) -> None:
    """The reason is `parameter NAME: OLD → NEW`."""
    file = write_pipeline(
        tmp_path, Sketch(name="a", declares="rows: int = 1"), parameters={"rows": 1}
    )
    run_fake(file)
    assert _plan(file, rows=5)["a"].reasons == ("parameter rows: 1 → 5",)


def test_a_change_of_an_outside_file_is_seen(tmp_path: Path) -> None:
    """A file from outside counts by its digest; a mere touch changes nothing."""
    data = tmp_path / "data.csv"
    data.write_text("1")
    sketch = Sketch(
        name="a",
        body="open(out, 'w').write(open(table).read())",
        declares='table: str = ""',
        keys={"inputs": {"table": "file:data.csv"}},
    )
    file = write_pipeline(tmp_path, sketch)
    run_fake(file)
    data.touch()
    assert _statuses(file) == {"a": "cached"}
    data.write_text("2")
    assert _plan(file)["a"].reasons == ("input table changed",)
    assert _statuses(file) == {"a": "succeeded"}


def test_force_runs_a_stage_or_all(tmp_path: Path) -> None:
    """`force` runs what is unchanged; its dependents follow by digest only."""
    file = chain(tmp_path)
    run_fake(file)
    one = _statuses(file, force=frozenset({"s1"}))
    assert one == {"s1": "succeeded", "s2": "cached", "s3": "cached"}
    assert set(_statuses(file, force=True).values()) == {"succeeded"}


def test_a_stage_with_cache_false_always_runs(tmp_path: Path) -> None:
    """`cache: false`, and a stage without outputs by default, are never reused."""
    file = write_pipeline(
        tmp_path, Sketch(name="a", keys={"cache": False}), Sketch(name="b", file="", body="1")
    )
    run_fake(file)
    record = run_fake(file)
    assert {name: s.reason for name, s in record.stages.items()} == {
        "a": "never reused (cache: false)",
        "b": "never reused (no outputs)",
    }
    assert all(s.status is Status.SUCCEEDED for s in record.stages.values())


def test_a_failed_stage_is_never_reused(tmp_path: Path) -> None:
    """A failure is tried again by the next run."""
    file = write_pipeline(tmp_path, Sketch(name="a", body="raise ValueError('no')"))
    assert _statuses(file) == {"a": "failed"}
    assert _statuses(file) == {"a": "failed"}


def test_a_skipped_stage_is_asked_again(tmp_path: Path) -> None:
    """A stage that ended by `mlkit.skip` is never reused."""
    file = write_pipeline(tmp_path, Sketch(name="a", body="import mlkit; mlkit.skip('no news')"))
    runner = FakeRunner()
    for _ in range(2):
        record = run_fake(file, runner=runner)
        assert (record.stages["a"].status, record.stages["a"].reason) == ("skipped", "no news")
    assert runner.stages == ["a", "a"]


def test_results_belong_to_one_pipeline_and_stage(tmp_path: Path) -> None:
    """Another pipeline with the same stage, in the same runs folder, reuses nothing."""
    one, two = tmp_path / "one", tmp_path / "two"
    first, second = chain(one, 1), chain(two, 1)
    second.write_text(second.read_text().replace("name: sketched", "name: other"))
    run_fake(first, runs_dir=tmp_path / "runs")
    record = run_fake(second, runs_dir=tmp_path / "runs")
    assert record.stages["s1"].status is Status.SUCCEEDED


@pytest.mark.parametrize("how", ["edited", "gone"])
def test_a_project_module_that_changed_names_itself(tmp_path: Path, how: str) -> None:
    """The source of an imported project module is part of the fingerprint."""
    module = tmp_path / "own.py"
    module.write_text("x = 1\n")
    file = chain(tmp_path, 1)
    script = [Returns(modules={"own": str(module)}, imported=("own",))]
    run_fake(file, runner=FakeRunner({"s1": script}))
    assert _statuses(file) == {"s1": "cached"}
    if how == "edited":
        module.write_text("x = 2\n")
        reason = "module own changed (own.py)"
    else:
        module.unlink()
        reason = "module own is gone (own.py)"
    assert _plan(file)["s1"].reasons == (reason,)
    record = run_fake(file, runner=FakeRunner({"s1": script}))
    assert (record.stages["s1"].status, record.stages["s1"].reason) == ("succeeded", reason)


def test_a_touched_project_module_changes_nothing(tmp_path: Path) -> None:
    """Modules count by content."""
    module = tmp_path / "own.py"
    module.write_text("x = 1\n")
    file = chain(tmp_path, 1)
    run_fake(file, runner=FakeRunner({"s1": [Returns(modules={"own": str(module)})]}))
    module.write_text("x = 1\n")
    assert _statuses(file) == {"s1": "cached"}


def test_damage_in_the_store_is_rebuilt_and_said(tmp_path: Path) -> None:
    """A master with other bytes is never used: its stage runs again, with a warning."""
    file = chain(tmp_path, 2)
    record = run_fake(file)
    digest = record.stages["s1"].artifacts["out"].digest
    master = tmp_path / "runs" / "store" / digest[:2] / digest[2:]
    master.chmod(0o644)
    master.write_text("damaged!")
    said = "artifact out was damaged in the store and is rebuilt"
    for _ in range(2):
        assert _plan(file)["s1"].reasons == (said,)  # looking changes nothing
    again = run_fake(file)
    assert again.stages["s1"].status is Status.SUCCEEDED
    assert again.warnings == (f"stage 's1': {said}",)
    assert master.read_text() == Path(again.stages["s1"].outputs["out"]).read_text() == "s1()"
    assert again.stages["s2"].status is Status.CACHED


def test_a_missing_master_is_rebuilt_and_said(tmp_path: Path) -> None:
    """So is one that is gone."""
    file = chain(tmp_path, 1)
    digest = run_fake(file).stages["s1"].artifacts["out"].digest
    (tmp_path / "runs" / "store" / digest[:2] / digest[2:]).unlink()
    again = run_fake(file)
    assert again.stages["s1"].status is Status.SUCCEEDED
    assert again.stages["s1"].reason == "artifact out was missing in the store and is rebuilt"


def test_only_verify_finds_damage_that_keeps_size_time_and_inode(tmp_path: Path) -> None:
    """At a glance means size, mtime and inode; `--verify` reads the bytes."""
    import os

    file = chain(tmp_path, 1)
    digest = run_fake(file).stages["s1"].artifacts["out"].digest
    master = tmp_path / "runs" / "store" / digest[:2] / digest[2:]
    before = master.stat()
    master.chmod(0o644)
    master.write_text("XX()")
    os.utime(master, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert _statuses(file) == {"s1": "cached"}
    assert _statuses(file, verify=True) == {"s1": "succeeded"}


def test_a_master_whose_time_changed_but_not_its_bytes_is_used(tmp_path: Path) -> None:
    """Marks that do not match mean reading, not rebuilding."""
    file = chain(tmp_path, 1)
    digest = run_fake(file).stages["s1"].artifacts["out"].digest
    (tmp_path / "runs" / "store" / digest[:2] / digest[2:]).touch()
    assert _statuses(file) == {"s1": "cached"}


def test_a_damaged_copy_is_restored_before_it_is_reused(tmp_path: Path) -> None:
    """The folder of a run is where people look: what a later run takes from it is made good."""
    file = chain(tmp_path, 1)
    copy = Path(run_fake(file).stages["s1"].outputs["out"])
    copy.chmod(0o644)
    copy.write_text("scribble")
    again = run_fake(file)
    assert again.stages["s1"].status is Status.CACHED
    assert Path(again.stages["s1"].outputs["out"]).read_text() == copy.read_text() == "s1()"
    assert "was damaged and has been restored" in again.warnings[0]


def test_secrets_are_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    """Another secret does not make a stage run."""
    file = write_pipeline(
        tmp_path, Sketch(name="a", declares='import mlkit\ntoken: mlkit.Secret = ""')
    )
    assert _statuses(file, parameters={"token": "hunter2-one"}) == {"a": "succeeded"}
    assert _statuses(file, parameters={"token": "hunter2-two"}) == {"a": "cached"}


def test_a_new_output_makes_a_stage_run(tmp_path: Path) -> None:
    """The declared outputs are part of the fingerprint."""
    file = chain(tmp_path, 1)
    run_fake(file)
    file.write_text(file.read_text().replace("s1.txt", "renamed.txt"))
    assert _plan(file)["s1"].reasons == ("output out: s1.txt → renamed.txt",)


def test_a_decision_changes_nothing(tmp_path: Path) -> None:
    """What is damaged is named; to take it out of the store is the driver's part."""
    pipeline = load_pipeline(chain(tmp_path, 1))
    made = run_fake(pipeline).stages["s1"].artifacts["out"]
    folder = RunsFolder(tmp_path / "runs")
    store = ArtifactStore(folder.store)
    master = store.master(made.digest)
    master.chmod(0o600)
    master.write_text("another text")
    with contextlib.closing(Database(folder.database)) as database:
        planner = Planner(pipeline, configure(pipeline, Layers()), database, store)
        instance = Instance(stage=pipeline.stages["s1"])
        found = planner.decide(instance, {})
        (result,) = database.results(pipeline.name, "s1")
        assert found.action == "run"
        assert found.damaged == {made.digest}
        assert found.lost == (result.id,)
        assert found.warnings[0].startswith("stage 's1': artifact out was damaged")
        assert master.read_text() == "another text"
        assert planner.decide(instance, {}) == found
    record = run_fake(pipeline)
    assert record.stages["s1"].status is Status.SUCCEEDED
    assert any("artifact out was damaged" in line for line in record.warnings)
    assert master.read_text() != "another text"


def test_a_file_from_outside_is_read_once_for_a_plan(tmp_path: Path) -> None:
    """A plan writes nothing down, and yet asks the disk only once."""
    data = tmp_path / "data.csv"
    data.write_text("1")
    pipeline = load_pipeline(chain(tmp_path, 1))
    with contextlib.closing(Database(tmp_path / "mlkit.db")) as database:
        store = ArtifactStore(tmp_path / "store")
        planner = Planner(pipeline, configure(pipeline, Layers()), database, store)
        digest = planner.file_digest(data)
        assert planner.file_digest(data) == digest
        assert [digest] == [found for _, found in planner.take_read().values()]
        assert planner.take_read() == {}
        data.write_text("2")
        assert planner.file_digest(data) != digest
