"""`mlkit compare` of two runs, of many, and as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import mlkit
from mlkit.cli.main import app
from mlkit.cli.which_pipeline import without_pipeline
from mlkit.errors import UnknownRunError, UsageError
from mlkit.testing import chain, run_fake


def said(*words: str) -> Result:
    """What the command says."""
    return CliRunner().invoke(app, ["compare", *words])


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, list[str]]:
    """Three runs."""
    file = chain(tmp_path / "p", 2, parameters={"rows": 1})
    return file, [run_fake(file, parameters={"rows": n}).run_id for n in (1, 2, 3)]


def test_two_are_told_in_every_detail_and_more_by_what_differs(
    made: tuple[Path, list[str]],
) -> None:
    """The last word may be the pipeline, as its file or its folder."""
    file, ids = made
    assert "→" in said(*ids[:2], str(file)).output
    three = said(*ids, str(file.parent))
    assert three.output.startswith(f"A  {ids[0]}")
    assert json.loads(said(*ids[:2], str(file), "--json").output)["left"] == ids[0]
    assert len(json.loads(said(*ids, str(file), "--json").output)["runs"]) == 3


def test_two_can_be_a_page(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Written where it is asked for."""
    file, ids = made
    page = tmp_path / "c.html"
    assert said(*ids[:2], str(file), "--to", "html", "--out", str(page)).exit_code == 0
    assert "<h1>2 runs compared</h1>" in page.read_text()


def test_one_run_has_nothing_beside_it(made: tuple[Path, list[str]]) -> None:
    """A usage error, before anything is read."""
    file, ids = made
    alone = said(ids[0], str(file))
    assert "there is nothing to compare with" in str(alone.exception)


def test_several_are_compared_from_python(made: tuple[Path, list[str]]) -> None:
    """As a list; two names are told in every detail, and one alone is refused."""
    file, ids = made
    runs = file.parent / "runs"
    assert [row.run_id for row in mlkit.compare(ids, runs_dir=runs).rows] == ids
    assert mlkit.compare(ids[0], ids[1], runs).to_json()["left"] == ids[0]
    with pytest.raises(UsageError, match="as two names, or as one list"):
        mlkit.compare(ids[0], runs_dir=runs)


def test_a_sweep_stands_for_its_runs(tmp_path: Path) -> None:
    """Alone or beside others; one of which no run is there is told."""
    file = chain(tmp_path / "p", 1, parameters={"rows": 1})
    own = run_fake(file, name="own").run_id
    members = [run_fake(file, parameters={"rows": n}, group="depths").run_id for n in (2, 3)]
    sweeps = file.parent / "runs" / "sweeps"
    sweeps.mkdir()
    for name in ("depths", "none"):
        (sweeps / f"{name}.json").write_text("{}")
    assert json.loads(said("depths", str(file), "--json").output)["left"] == members[0]
    three = json.loads(said("own", "depths", str(file), "--json").output)["runs"]
    assert [run["run_id"] for run in three] == [own, *members]
    with pytest.raises(UnknownRunError, match="no run of the sweep 'none' is there"):
        mlkit.compare(["none", "own"], runs_dir=file.parent / "runs")


def test_a_word_that_could_be_a_run_and_a_folder_is_the_run_where_one_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without a pipeline is never one; what looks like a path always is."""
    monkeypatch.chdir(tmp_path)
    Path("best").mkdir()
    Path("docs").mkdir()
    Path("best/pipeline.yaml").touch()
    for words, least, found in (
        (["a", "best"], 2, (["a", "best"], None)),
        (["a", "best"], 1, (["a"], Path("best"))),
        (["a", "b", "best"], 2, (["a", "b"], Path("best"))),
        (["a", "b", "docs"], 2, (["a", "b", "docs"], None)),
        (["best"], 1, (["best"], None)),
        (["a", "./best"], 2, (["a"], Path("best"))),
        (["a", "."], 2, (["a"], Path())),
        (["a", "other.yml"], 2, (["a"], Path("other.yml"))),
    ):
        assert without_pipeline(words, least=least) == found
