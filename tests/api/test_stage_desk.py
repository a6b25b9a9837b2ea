"""Bring a stage's upstream up to date, and lay out what the stage needs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from mlkit.api.stage_desk import edit
from mlkit.driver.options import RunOptions
from mlkit.errors import ExecutionError, MlkitError, UsageError
from mlkit.load.parameters import Layers
from mlkit.testing import (
    FakeRunner,
    Raises,
    Sketch,
    chain,
    chained_map,
    diamond,
    dynamic_map,
    run_fake,
    write_pipeline,
)
from mlkit.testing.running import fake_services


def test_only_what_is_upstream_runs_and_only_what_changed(tmp_path: Path) -> None:
    """The stage itself never does; the second time all is reused."""
    file = diamond(tmp_path)
    with edit("left", file, services=fake_services()) as editing:
        assert editing.record is not None
        assert {k: v.status for k, v in editing.record.stages.items()} == {"top": "succeeded"}
        made = editing.record.stages["top"].outputs["out"]
        assert repr(str(made)) in editing.desk.cell
    with edit("bottom", file, services=fake_services()) as editing:
        assert editing.record is not None
        states = {k: str(v.status) for k, v in editing.record.stages.items()}
    assert states == {"top": "cached", "left": "succeeded", "right": "succeeded"}


def test_a_stage_without_upstream_needs_no_run(tmp_path: Path) -> None:
    """Nothing is written into the runs folder."""
    with edit("s1", chain(tmp_path), services=fake_services()) as editing:
        assert editing.record is None
    assert not (tmp_path / "runs").exists()


def test_folders_are_private_and_gone_afterwards(tmp_path: Path) -> None:
    """Outputs have their place in them, and a restart finds them empty."""
    with edit("s1", chain(tmp_path), services=fake_services()) as editing:
        desk = editing.desk
        (desk.cwd / "left over").touch()
        (desk.outputs / "out.txt").touch()
        desk.tidy()
        assert not list(desk.cwd.iterdir())
        assert not [path for path in desk.outputs.rglob("*") if path.is_file()]
        assert desk.cwd.parent.stat().st_mode & 0o077 == 0
        assert str(desk.outputs) in desk.cell
        assert not desk.cwd.is_relative_to(tmp_path)
    assert not desk.cwd.parent.exists()


@pytest.mark.parametrize(("asked", "given"), [("fan", "fan[a]"), ("fan[b]", "fan[b]")])
def test_of_a_mapped_stage_one_instance_is_chosen(tmp_path: Path, asked: str, given: str) -> None:
    """The one that is named, else the first."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="top"),
        Sketch(name="fan", upstream=("top",), declares='v: str = ""',
               keys={"foreach": {"v": ["a", "b"]}}),
    )  # fmt: skip
    with edit(asked, file, services=fake_services()) as editing:
        assert editing.desk.stage_id == given
        assert f"v = {given[4]!r}" in editing.desk.cell


def test_a_list_that_a_stage_makes_is_made_first(tmp_path: Path) -> None:
    """And its values are then known."""
    file = dynamic_map(tmp_path)
    with edit("each", file, services=fake_services()) as editing:
        assert editing.desk.stage_id == "each[a]"
    with (
        pytest.raises(UsageError, match=r"no instance 'each\[nope\]'.*each\[a\], each\[b\]"),
        edit("each[nope]", file, services=fake_services()),
    ):
        pass


@pytest.mark.parametrize("name", ["s22", "s2[x]"])
def test_a_stage_that_is_not_there_is_told_before_anything_runs(tmp_path: Path, name: str) -> None:
    """With what was probably meant."""
    with pytest.raises(MlkitError) as caught, edit(name, chain(tmp_path), services=fake_services()):
        pass
    assert caught.value.exit_code == 2
    assert "s2" in str(caught.value.remedy)
    assert not (tmp_path / "runs").exists()


def test_a_failure_upstream_is_told_with_what_to_do(tmp_path: Path) -> None:
    """The stage cannot have its inputs."""
    runner = FakeRunner({"s1": [Raises(message="no rows")]})
    with (
        pytest.raises(
            ExecutionError, match="stage 's1' failed, and 's2' needs it: no rows"
        ) as told,
        edit("s2", chain(tmp_path), services=fake_services(runner=runner)),
    ):
        pass
    assert (told.value.exit_code, told.value.remedy) == (1, "'mlkit edit s1' opens that one")


def test_a_secret_is_in_the_kernels_environment_alone(tmp_path: Path) -> None:
    """Neither in the cell nor in what the desk says of itself."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="s", declares='import mlkit\ntoken: mlkit.Secret = ""\nrows: int = 1',
               keys={"parameters": {"token": "${MY_TOKEN}"}, "env": {"PLACE": "here"}}),
    )  # fmt: skip
    layers = Layers(environ={"MY_TOKEN": "s3cret-value"}, assignments=["rows=7"])
    with edit("s", file, layers=layers, services=fake_services()) as editing:
        desk = editing.desk
        assert "injected('token')" in desk.cell
        assert "rows = 7" in desk.cell
        assert desk.env["MLKIT_INJECTED_token"] == '"s3cret-value"'
        assert desk.env["PLACE"] == "here"
        assert "s3cret-value" not in repr(editing) + desk.cell


def test_what_is_registered_is_seen_and_not_written_to(tmp_path: Path) -> None:
    """The notebook works on a copy of the runs folder's MLflow store."""
    file, runs = chain(tmp_path, 1), tmp_path / "runs"
    runs.mkdir()
    with sqlite3.connect(runs / "mlflow.db") as theirs:
        theirs.execute("CREATE TABLE models (name)")
        theirs.execute("INSERT INTO models VALUES ('champion')")
    theirs.close()
    with edit("s1", file, services=fake_services()) as editing:
        own = Path(editing.desk.env["MLKIT_RUNS_DIR"])
        assert not own.is_relative_to(runs)
        copy = sqlite3.connect(own / "mlflow.db")
        assert copy.execute("SELECT name FROM models").fetchall() == [("champion",)]
        copy.close()
        assert str(own) in editing.desk.env["MLFLOW_TRACKING_URI"]


def test_a_run_before_a_stage_can_be_asked_for_and_resumed(tmp_path: Path) -> None:
    """It is a run like any other, and its record says what it was to do."""
    record = run_fake(diamond(tmp_path), before="bottom")
    assert list(record.stages) == ["top", "left", "right"]
    assert (
        json.loads((tmp_path / "runs" / record.run_id / "run.json").read_text())["options"][
            "before"
        ]
        == "bottom"
    )
    with pytest.raises(UsageError, match="nothing is upstream of 'top'"):
        run_fake(diamond(tmp_path), before="top")
    assert RunOptions.of_record(record.options).before == "bottom"


def test_a_chained_instance_needs_its_own_upstream_only(tmp_path: Path) -> None:
    """Not that of all values."""
    with edit("each[b]", chained_map(tmp_path), services=fake_services()) as editing:
        assert editing.record is not None
        assert list(editing.record.stages) == ["first[b]"]
        assert "first[b]" in editing.desk.cell
