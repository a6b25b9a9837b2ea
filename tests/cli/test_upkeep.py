"""clean, sweep, debug and doctor, called as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call, Spoken

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder of this module's own."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def swept(call: Call, words: Path, runs: Path) -> Spoken:
    """A sweep over two values; the second call finds everything done."""
    return call("sweep", words, "-p", "many=3,5", "--runs-dir", runs, "--json")


def test_a_sweep_runs_each_value_and_compares(swept: Spoken) -> None:
    """Each combination is a run of its own with its own metrics."""
    assert swept.code == 0
    found = swept.json()["runs"]
    assert [(run["parameters"], run["metrics"]) for run in found] == [
        ({"many": 3}, {"count": 3}),
        ({"many": 5}, {"count": 5}),
    ]


def test_a_sweep_shows_a_table(call: Call, words: Path, runs: Path, swept: Spoken) -> None:
    """People see parameters and numbers side by side."""
    spoken = call("sweep", words, "-p", "many=3,5", "--runs-dir", runs)
    head, _, first, second = spoken.out.splitlines()
    assert head.split() == ["run", "status", "many", "count"]
    assert first.split()[1:] == ["succeeded", "3", "3"]
    assert second.split()[1:] == ["succeeded", "5", "5"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("many", "-p 'many' is not name=a,b,c"),
        ("many=", "-p many: there is no value"),
        ("manny=1,2", "no parameter is called 'manny'"),
        ("many=1,two", "'two' is not an int"),
    ],
)
def test_a_sweep_refuses_before_anything_runs(
    call: Call, words: Path, tmp_path: Path, given: str, said: str
) -> None:
    """Every combination is checked before the first run."""
    spoken = call("sweep", words, "-p", given, "--runs-dir", tmp_path / "none")
    assert spoken.code == 2
    assert said in spoken.err
    assert not (tmp_path / "none").exists()


def test_debug_writes_a_notebook_that_runs(
    call: Call, words: Path, runs: Path, swept: Spoken, tmp_path: Path
) -> None:
    """The copy holds the run's parameters and inputs, and runs from top to bottom."""
    spoken = call("debug", "latest", "count", words, "--runs-dir", runs, "--json")
    copy = Path(spoken.json()["notebook"])
    cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
    assert "stage 'count' as in its run" in cells[1]["source"]
    code = "\n".join(cell["source"] for cell in cells)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
    assert json.loads((copy.parent / "outputs" / "metrics.json").read_text()) == {"count": 5}


def test_debug_names_a_stage_that_is_not_there(
    call: Call, words: Path, runs: Path, swept: Spoken
) -> None:
    """A typing error gets a suggestion."""
    spoken = call("debug", "latest", "coumt", words, "--runs-dir", runs, "--no-open")
    assert spoken.code == 2
    assert "has no stage 'coumt'" in spoken.err
    assert "Did you mean 'count'?" in spoken.err


def test_clean_shows_first_and_removes_when_told(call: Call, words: Path, tmp_path: Path) -> None:
    """Old runs and what only they used go; the latest run still has all its files."""
    for many in (1, 2):
        call("run", words, "-p", f"many={many}", "--runs-dir", tmp_path)
    before = sorted(path.name for path in (tmp_path / "store").glob("*/*"))
    dry = call("clean", words, "--keep", "1", "--runs-dir", tmp_path, "--json")
    assert dry.json()["removed"] is False
    assert len(dry.json()["runs"]) == 1
    assert sorted(path.name for path in (tmp_path / "store").glob("*/*")) == before
    done = call("clean", words, "--keep", "1", "--runs-dir", tmp_path, "--yes", "--json")
    assert done.json()["removed"] is True
    assert done.json()["size_bytes"] > 0
    assert len(list((tmp_path / "store").glob("*/*"))) == 2
    assert json.loads((tmp_path / "latest/count/metrics.json").read_text()) == {"count": 2}
    assert "2 stages cached" in call("run", words, "-p", "many=2", "--runs-dir", tmp_path).out
    assert "2 stages succeeded" in call("run", words, "-p", "many=1", "--runs-dir", tmp_path).out


def test_clean_refuses_a_duration_that_is_none(call: Call, words: Path, tmp_path: Path) -> None:
    """A mistake is named before anything is removed."""
    spoken = call("clean", words, "--older-than", "soon", "--runs-dir", tmp_path)
    assert spoken.code == 2
    assert "'soon' is not a duration" in spoken.err


def test_doctor_finds_this_installation_well(call: Call, words: Path, tmp_path: Path) -> None:
    """Every check that pipelines need passes here; each has a title and a state."""
    spoken = call("doctor", words, "--runs-dir", tmp_path, "--json")
    assert spoken.code == 0
    states = {check["title"]: check["state"] for check in spoken.json()["checks"]}
    assert states["kernels (spawn)"] == "ok"
    assert states["packages"] == "ok"
    assert "broken" not in states.values()


def test_doctor_names_a_damaged_database(call: Call, words: Path, tmp_path: Path) -> None:
    """A broken part is named with its remedy, and the exit code says so."""
    (tmp_path / "mlkit.db").write_bytes(b"this is no database" * 100)
    spoken = call("doctor", words, "--runs-dir", tmp_path)
    assert spoken.code == 1
    assert "is damaged" in " ".join(spoken.out.split())
    assert "Move the runs folder away" in " ".join(spoken.out.split())


def test_doctor_leaves_an_empty_folder_empty(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that there is no pipeline, and speaks of no make where there is no Makefile."""
    monkeypatch.chdir(tmp_path)
    for engine in ("AIRFLOW", "KUBEFLOW", "PREFECT"):
        monkeypatch.setenv(f"MLKIT_{engine}_PYTHON", "/nowhere")
    spoken = call("doctor")
    assert spoken.code == 0
    assert list(tmp_path.iterdir()) == []
    assert "there is no pipeline.yaml" in spoken.out
    assert "make " not in spoken.out


def test_doctor_makes_no_runs_folder(call: Call, words: Path, tmp_path: Path) -> None:
    """It looks whether one could be made."""
    spoken = call("doctor", words, "--runs-dir", tmp_path / "deep" / "runs", "--json")
    states = {check["title"]: check["state"] for check in spoken.json()["checks"]}
    assert states["runs folder"] == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    spoken = call("doctor", words, "--runs-dir", tmp_path / "file" / "runs", "--json")
    states = {check["title"]: check["state"] for check in spoken.json()["checks"]}
    assert states["runs folder"] == "broken"
    assert spoken.code == 1
