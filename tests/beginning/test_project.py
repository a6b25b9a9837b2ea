"""A first pipeline, as a newcomer gets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mlkit
from mlkit.beginning.project import FILES, begin
from mlkit.cli.main import main
from mlkit.errors import UsageError
from mlkit.testing import run_fake


def test_a_new_folder_holds_a_pipeline_that_runs(tmp_path: Path) -> None:
    """Every file is written; the pipeline has the folder's name."""
    begun = begin(tmp_path / "weather")
    assert set(begun.written) == set(FILES)
    assert begun.kept == ()
    record = run_fake(tmp_path / "weather", runs_dir=tmp_path / "runs")
    assert (record.pipeline, record.status) == ("weather", "succeeded")


def test_a_folder_with_an_uncommon_name_does_no_harm(tmp_path: Path) -> None:
    """A name that is none for a pipeline is not taken."""
    folder = tmp_path / "my: [v1] #2"
    begin(folder)
    assert mlkit.load_pipeline(folder).name == "first"


@pytest.mark.parametrize("name", ["null", "true", "False"])
def test_a_folder_whose_name_is_a_value_in_yaml_is_a_name(tmp_path: Path, name: str) -> None:
    """The pipeline had none, or one that is no text."""
    begin(tmp_path / name)
    assert mlkit.load_pipeline(tmp_path / name).name == name


def test_a_second_call_completes_what_is_missing(tmp_path: Path) -> None:
    """What is there just so stays; what was removed comes back."""
    begin(tmp_path / "p")
    (tmp_path / "p" / "README.md").unlink()
    assert begin(tmp_path / "p").written == ("README.md",)
    assert begin(tmp_path / "p").written == ()


@pytest.mark.parametrize("name", ["pipeline.yaml", "02-fit.ipynb"])
def test_nothing_is_written_where_another_pipeline_is(tmp_path: Path, name: str) -> None:
    """It stays as it is, and no half project lies beside it."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError) as caught:
        begin(tmp_path)
    assert caught.value.file == str(tmp_path / name)
    assert "mlkit add" in str(caught.value.remedy)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_repository_s_own_files_stay(tmp_path: Path) -> None:
    """A README and a list of ignored files that are there already are left alone, and told."""
    for name in ("README.md", ".gitignore"):
        (tmp_path / name).write_text("mine")
    assert begin(tmp_path).kept == ("README.md", ".gitignore")
    assert {(tmp_path / name).read_text() for name in ("README.md", ".gitignore")} == {"mine"}


@pytest.mark.parametrize("kind", ["a file", "a folder in the way"])
def test_a_place_that_cannot_be_a_project_is_named(tmp_path: Path, kind: str) -> None:
    """The error names the path; nothing is lost."""
    if kind == "a file":
        (tmp_path / "p").write_text("mine")
    else:
        (tmp_path / "p" / "pipeline.yaml").mkdir(parents=True)
    with pytest.raises(UsageError):
        begin(tmp_path / "p")
    assert not list(tmp_path.rglob("*.ipynb"))


@pytest.mark.kernel
def test_the_project_s_own_commands_pass(tmp_path: Path) -> None:
    """Its notebooks run by hand and in the pipeline, its tests pass, git sees no product."""
    folder = tmp_path / "p"
    begin(folder)
    record = mlkit.run(folder)
    assert record.status == "succeeded"
    assert {s.status for s in mlkit.run(folder).stages.values()} == {"cached"}
    by_hand = [sys.executable, "-m", "jupyter", "execute", "01-measure.ipynb", "02-fit.ipynb"]
    subprocess.run(by_hand, cwd=folder, check=True, capture_output=True, timeout=120)
    assert (folder / "scratch" / "line.png").stat().st_size > 1000
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    told = subprocess.run(
        tests, cwd=folder, check=True, capture_output=True, text=True, timeout=120
    )
    assert "2 passed" in told.stdout
    for command in (["init", "-q"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=folder, check=True, timeout=60)
    listing = ["git", "ls-files"]
    kept = subprocess.run(
        listing, cwd=folder, check=True, capture_output=True, text=True, timeout=60
    )
    assert set(kept.stdout.split()) == set(FILES)


def test_the_workflow_s_commands_are_the_readme_s() -> None:
    """What a push runs is what a person runs."""
    project = Path(mlkit.__file__).parent / "beginning" / "project"
    workflow, readme = ((project / name).read_text() for name in ("github.yml", "README.md"))
    for command in ("mlkit run --report", "pytest"):
        assert f"- run: {command}\n" in workflow
        assert f"$ {command}" in readme


def test_notebooks_that_are_there_are_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written is a sample; how to make a pipeline of them is told."""
    for name in ("b use.ipynb", "a.ipynb"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(SystemExit) as ended:
        main(["init", str(tmp_path)])
    assert not ended.value.code
    named = f"{tmp_path / 'a.ipynb'} '{tmp_path / 'b use.ipynb'}'"
    assert f"mlkit convert {named} --to NEW_FOLDER" in capsys.readouterr().out
