"""`mlkit resume` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlkit.cli.main import main
from mlkit.store.folder import RunsFolder
from mlkit.testing import chain, run_fake


def test_a_run_that_is_alive_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and what to do."""
    file = chain(tmp_path, 1)
    record = run_fake(file)
    folder = RunsFolder(tmp_path / "runs").run(record.run_id)
    with folder.lock(shared=False), pytest.raises(SystemExit) as ended:
        main(["resume", record.run_id, str(file)])
    assert ended.value.code == 2
    assert "is alive" in capsys.readouterr().err


def test_a_finished_run_resumes_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the beginning of its id; the document is that of run."""
    file = chain(tmp_path, 2)
    record = run_fake(file)
    with pytest.raises(SystemExit) as ended:
        main(["resume", record.run_id[:-2], str(file), "--json"])
    assert not ended.value.code
    document = json.loads(capsys.readouterr().out)
    assert document["run_id"] == record.run_id
    assert document["stages"] == record.to_json()["stages"]
    with pytest.raises(SystemExit) as ended:
        main(["resume", record.run_id, str(file), "--parallel", "2"])
    assert ended.value.code == 2
    assert f"'{record.run_id}' is no sweep" in capsys.readouterr().err


def test_who_would_resume_a_run_on_an_engine_is_told_what_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the command that makes another run there."""
    with pytest.raises(SystemExit) as ended:
        main(["resume", "2026", str(chain(tmp_path, 1)), "--on", "dagster"])
    assert ended.value.code == 2
    assert "'mlkit run --on dagster' makes another run there" in capsys.readouterr().err
