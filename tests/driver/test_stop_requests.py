"""A run is asked to end from another process, by its user alone."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from mlkit import RunOptions, run
from mlkit.api.cancelling import cancel_run
from mlkit.core.record import RunRecord
from mlkit.driver.services import Services
from mlkit.driver.stop_requests import heeding_requests
from mlkit.errors import UsageError
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.store.folder import RunFolder, RunsFolder
from mlkit.testing import chain
from tests.driver.test_interrupts import Hanging


def _going(tmp_path: Path) -> tuple[threading.Thread, list[RunRecord], RunFolder]:
    """A run in a thread, as of a schedule; its second stage hangs until it is cancelled."""
    file, runner, records = chain(tmp_path), Hanging(), []
    services = Services(runner=runner)

    def work() -> None:
        records.append(run(file, options=RunOptions(), layers=Layers(), services=services))

    thread = threading.Thread(target=work)
    thread.start()
    assert runner.started.wait(60)
    runs = RunsFolder(tmp_path / "runs")
    (run_id,) = runs.run_ids()
    return thread, records, runs.run(run_id)


def test_a_run_that_goes_on_elsewhere_is_cancelled_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    """What has finished is kept; asked once more, it does not go on."""
    thread, records, folder = _going(tmp_path)
    cancel_run(folder.path.name[:-2], tmp_path / "runs")
    thread.join(60)
    assert [record.status for record in records] == ["cancelled"]
    states = [item.status.value for item in records[0].stages.values()]
    assert states == ["succeeded", "cancelled", "cancelled"]
    assert not folder.driver.exists()
    assert not folder.stop_request.exists()
    with pytest.raises(UsageError, match="does not go on any more"):
        cancel_run(folder.path.name, tmp_path / "runs")


def test_another_machines_run_is_left_alone(tmp_path: Path) -> None:
    """A folder that machines share: the message says where it goes on."""
    thread, records, folder = _going(tmp_path)
    own = folder.driver.read_text()
    folder.driver.write_text(json.dumps({**json.loads(own), "host": "faraway"}))
    with pytest.raises(UsageError, match=r"another machine \(faraway\)"):
        cancel_run(folder.path.name, tmp_path / "runs")
    assert not folder.stop_request.exists()
    folder.driver.write_text(own)
    cancel_run(folder.path.name, tmp_path / "runs")
    thread.join(60)
    assert records[0].status == "cancelled"


def test_another_users_run_is_left_alone_and_another_user_is_not_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a group shares the runs folder, each stops the own ones."""
    thread, records, folder = _going(tmp_path)
    other = os.geteuid() + 1
    with monkeypatch.context() as changed:
        changed.setattr(os, "geteuid", lambda: other)
        with pytest.raises(UsageError, match="is another user's"):
            cancel_run(folder.path.name, tmp_path / "runs")
        assert not folder.stop_request.exists()
        folder.stop_request.touch()
        time.sleep(0.7)  # it has looked three times by then
        assert thread.is_alive()
    thread.join(60)
    assert records[0].status == "cancelled"


def test_an_engines_tasks_are_no_one_process(tmp_path: Path) -> None:
    """A run that is joined is told from one that has ended."""
    folder = RunsFolder(tmp_path).make_run("of-an-engine", now=0.0)
    folder.record.write_text("{}")
    with folder.lock(shared=True), pytest.raises(UsageError, match="tasks of an engine share it"):
        cancel_run("of-an-engine", tmp_path)


def test_what_a_killed_run_was_asked_does_not_end_the_next(tmp_path: Path) -> None:
    """A process that goes on with it begins without the request."""
    folder = RunsFolder(tmp_path).make_run("once", now=0.0)
    folder.stop_request.touch()
    cancellation = Cancellation()
    with folder.lock(shared=False), heeding_requests(folder, cancellation):
        assert not folder.stop_request.exists()
    assert not cancellation.requested
