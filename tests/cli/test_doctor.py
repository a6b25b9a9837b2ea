"""`mlkit doctor`: this installation, and what is wrong with one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mlkit.doctor import checks
from mlkit.engines.registry import ENGINES
from tests.cli.conftest import Call

pytestmark = pytest.mark.kernel


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
    assert f"mv '{tmp_path / 'mlkit.db'}'" in " ".join(spoken.out.split())


@pytest.mark.parametrize("refused", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY])
def test_a_database_that_cannot_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    """To move the runs away would be the wrong remedy on a full disk."""
    sqlite3.connect(tmp_path / "mlkit.db").execute("CREATE TABLE t (a)").connection.close()
    assert checks.check_runs_folder(tmp_path).state == "ok"

    def refuse(file: Path) -> sqlite3.Connection:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = refused
        raise error

    monkeypatch.setattr(checks, "open_to_read", refuse)
    found = checks.check_runs_folder(tmp_path)
    assert found.state == "broken"
    assert "damaged" not in found.detail
    assert found.remedy
    assert not found.remedy.startswith("Move")


def test_doctor_leaves_an_empty_folder_empty(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that there is no pipeline, and speaks of no make where there is no Makefile."""
    monkeypatch.chdir(tmp_path)
    for engine in ENGINES.values():
        monkeypatch.setenv(engine.python_variable, "/nowhere")
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
