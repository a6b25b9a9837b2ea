"""Commands on a runs folder behind a URL, and what they say where it cannot be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlkit.testing import chain, run_fake
from tests.cli.conftest import Call


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a runs folder with a run in it, which this machine has not seen."""
    url = f"file://{tmp_path}/team {{runs}}"
    monkeypatch.setenv("MLKIT_CACHE_DIR", str(tmp_path / "one"))
    assert run_fake(chain(tmp_path / "p", 2), runs_dir=url).status == "succeeded"
    monkeypatch.setenv("MLKIT_CACHE_DIR", str(tmp_path / "two"))
    return url


def test_every_command_reads_it(call: Call, place: str, tmp_path: Path) -> None:
    """runs, show, plan, report, compare and clean, from an empty machine."""
    where = (tmp_path / "p", "--runs-dir", place)
    (entry,) = call("runs", *where, "--json").json()["runs"]
    shown = call("show", "latest", *where, "--json").json()
    assert shown["run_id"] == entry["run_id"]
    assert shown["runs_dir"].startswith(str(tmp_path / "two"))
    planned = call("plan", *where, "--json").json()["stages"]
    assert {stage["action"] for stage in planned.values()} == {"reuse"}
    page = Path(call("report", "latest", *where, "--json").json()["file"])
    assert "succeeded" in page.read_text()
    sent = Path(place.removeprefix("file://")) / entry["run_id"] / "report.html"
    assert sent.read_text() == page.read_text()
    assert call("compare", "latest", "latest", *where).code == 0
    assert call("clean", *where, "--keep", "0", "--dry-run", "--json").json()["runs"] == []


def test_the_environment_names_it_too(
    call: Call, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLKIT_RUNS_DIR may be a URL, MLKIT_STORE one for artifacts alone."""
    monkeypatch.setenv("MLKIT_RUNS_DIR", place)
    assert len(call("runs", tmp_path / "p", "--json").json()["runs"]) == 1
    monkeypatch.delenv("MLKIT_RUNS_DIR")
    monkeypatch.setenv("MLKIT_STORE", f"{place}/store")
    planned = call("plan", tmp_path / "p", "--json").json()["stages"]
    assert {stage["action"] for stage in planned.values()} == {"reuse"}
    assert not (tmp_path / "p" / "runs").exists()


@pytest.mark.parametrize(
    ("options", "fact", "remedy"),
    [
        (("--runs-dir", "what://ever/x"), "this kind of URL", "s3://, gs:// or file://"),
        (("--store", "s3://"), "is no URL of a folder", "s3://BUCKET/PREFIX"),
        (("--store", "file:///proc/mlkit"), "the store cannot be used", ""),
        (("--executor", "dask://127.0.0.1:1"), "no Dask scheduler answers", "dask scheduler"),
        (("--executor", "ray://x"), "there is no executor 'ray://x'", "threads"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_runs(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    fact: str,
    remedy: str,
) -> None:
    """Exit code 2, one document, no run left behind."""
    monkeypatch.setenv("MLKIT_CACHE_DIR", str(tmp_path / "cache"))
    spoken = call("run", chain(tmp_path, 1), *options, "--json")
    assert spoken.code == 2
    error = spoken.json()["error"]
    assert fact in error["message"]
    assert remedy in error["remedy"]
    assert not list((tmp_path / "runs").glob("*/run.json"))


def test_a_missing_library_names_its_extra(tmp_path: Path) -> None:
    """Without s3fs an s3:// URL is refused with what to install."""
    program = (
        "import sys\nsys.modules['s3fs'] = None\n"
        "from mlkit.cli.main import main\nmain(sys.argv[1:])\n"
    )
    file = chain(tmp_path, 1)
    command = [sys.executable, "-c", program, "plan", str(file), "--store", "s3://bucket/x"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "mlkit-notebooks[remote]" in done.stderr
    assert "Traceback" not in done.stderr
