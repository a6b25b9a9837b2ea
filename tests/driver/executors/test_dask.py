"""Attempts on a Dask cluster of real processes: a scheduler and two workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mlkit import RunOptions, resume, run
from mlkit.core.events import Event, EventKind
from mlkit.core.record import RunRecord
from mlkit.driver.executors import dask_cluster
from mlkit.driver.services import Services
from mlkit.errors import ExecutionError, UsageError
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.testing import RecordingObserver, Sketch, chained_map, diamond, write_pipeline
from tests.certificates import certificate
from tests.dask_cluster import Cluster, cluster
from tests.remote import S3

pytestmark = pytest.mark.kernel

MAIN = "from mlkit.cli.main import main; main()"
SAY_PID = "import os, time\nopen({pid!r}, 'w').write(str(os.getpid()))\n"


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose workers see the same disk."""
    with cluster(tmp_path_factory.mktemp("dask")) as made:
        yield made


def _run(file: Path, executor: str, services: Services | None = None, **more: Any) -> RunRecord:
    options = RunOptions(executor=executor, **more)
    return run(file, layers=Layers(), options=options, services=services)


def _digests(record: RunRecord) -> dict[str, str]:
    return {
        f"{stage.id}.{name}": artifact.digest
        for stage in record.stages.values()
        for name, artifact in stage.artifacts.items()
    }


def _wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def _told(pid: Path) -> int | None:
    """The process that a stage has named in a file."""
    text = pid.read_text() if pid.is_file() else ""
    return int(text) if text else None


def test_the_same_artifacts_events_and_records_as_here(dask: Cluster, tmp_path: Path) -> None:
    """Digests are equal, cells are told as they start, a deadline and a failure are named."""
    (tmp_path / "a b{c}").mkdir()
    extra = [
        Sketch(name="late", body="import time\ntime.sleep(60)", keys={"timeout": "2s"}),
        Sketch(name="bad", body="class Mine(ConnectionError): pass\nraise Mine('no')"),
        Sketch(
            name="who",
            body="import os, mlkit\nmlkit.log_metric('said', 2.5)\n"
            "open(out, 'w').write(os.environ['MLKIT_STAGE'])",
        ),
        Sketch(name="reads", upstream=("who",)),
    ]
    file = write_pipeline(tmp_path / "a b{c}", *extra)
    observer = RecordingObserver()
    there = _run(file, dask.executor, Services(observers=[observer]))
    shutil.move(file.parent / "runs", tmp_path / "aside")
    here = _run(file, "threads")
    assert _digests(there) == _digests(here) != {}
    assert there.stages["who"].metrics == here.stages["who"].metrics == {"said": 2.5}
    assert [(s.id, s.status) for s in there.stages.values()] == [
        (s.id, s.status) for s in here.stages.values()
    ]
    errors = {name: stage.error for name, stage in there.stages.items() if stage.error}
    assert {name: error.type for name, error in errors.items()} == {
        "late": "StageTimeout",
        "bad": "Mine",
    }
    told = [e for e in observer.events if e.kind is EventKind.CELL_STARTED and e.stage == "reads"]
    assert len(told) >= 2
    assert all(stage.history[0].cpu_s for stage in there.stages.values() if stage.id == "who")


def test_a_second_run_reuses_results_of_any_executor(dask: Cluster, tmp_path: Path) -> None:
    """Results are the same results."""
    file = diamond(tmp_path)
    assert _run(file, dask.executor).status == "succeeded"
    assert {s.status for s in _run(file, "threads").stages.values()} == {"cached"}


@pytest.mark.long
def test_chained_maps_on_workers(dask: Cluster, tmp_path: Path) -> None:
    """Each instance is handed its own, and what they make is what they make here."""
    file = chained_map(tmp_path / "p", ("a", "b,c"))
    there = _run(file, dask.executor, workers=2)
    assert there.status == "succeeded"
    assert Path(there.stages["all"].outputs["out"]).read_text() == "a+,b,c+"
    shutil.move(file.parent / "runs", tmp_path / "aside")
    assert _digests(there) == _digests(_run(file, "threads"))


def _worker_of(dask: Cluster, kernel: int) -> int:
    ancestors = {process.pid for process in psutil.Process(kernel).parents()}
    return next(i for i, worker in enumerate(dask.workers) if worker.pid in ancestors)


@pytest.mark.long
def test_an_attempt_is_lost_with_its_worker_and_made_again(dask: Cluster, tmp_path: Path) -> None:
    """The kernel dies with its worker; another one makes the attempt, without any `retry`."""
    pid = tmp_path / "pid"
    body = SAY_PID.format(pid=str(pid)) + "time.sleep(6)\nopen(out, 'w').write('x')"
    file = write_pipeline(tmp_path / "p", Sketch(name="slow", body=body))
    kernels: list[int] = []

    def kill() -> None:
        _wait(lambda: _told(pid) is not None)
        kernels.append(int(pid.read_text()))
        dask.kill_worker(_worker_of(dask, kernels[0]))

    killer = threading.Thread(target=kill)
    killer.start()
    record = _run(file, dask.executor)
    killer.join()
    dask.add_worker()
    dask.wait_for_workers(2)
    assert record.status == "succeeded", record.stages["slow"].history
    first, second = record.stages["slow"].history
    assert (first.status, second.status) == ("lost", "succeeded")
    assert first.error is not None
    assert (first.error.type, "worker" in first.error.message) == ("LostProcess", True)
    _wait(lambda: not psutil.pid_exists(kernels[0]))


def test_a_cancelled_run_ends_what_workers_carry_out(dask: Cluster, tmp_path: Path) -> None:
    """And takes back what none has begun; nobody waits for the notebook's end."""
    pids = [tmp_path / f"pid{n}" for n in range(4)]
    file = write_pipeline(
        tmp_path / "p",
        *(
            Sketch(name=f"s{n}", body=SAY_PID.format(pid=str(pid)) + "time.sleep(120)", file="")
            for n, pid in enumerate(pids)
        ),
    )
    cancellation = Cancellation()

    def cancel() -> None:
        _wait(lambda: any(_told(pid) for pid in pids))
        cancellation.request()

    threading.Thread(target=cancel).start()
    began = time.monotonic()
    record = _run(file, dask.executor, Services(cancellation=cancellation), workers=4)
    assert record.status == "cancelled"
    assert {stage.status for stage in record.stages.values()} == {"cancelled"}
    assert time.monotonic() - began < 60
    _wait(lambda: not any(psutil.pid_exists(told) for told in map(_told, pids) if told))


def test_an_attempt_handed_over_while_the_run_is_cancelled_is_taken_back(
    dask: Cluster, tmp_path: Path
) -> None:
    """The executor has been told to cancel before it is given the attempt."""
    file = write_pipeline(
        tmp_path / "p", Sketch(name="late", body="import time\ntime.sleep(20)", file="")
    )
    cancellation = Cancellation()

    def cancel(event: Event) -> None:
        if event.kind is EventKind.ATTEMPT_STARTED:
            cancellation.request()
            time.sleep(1)

    record = _run(file, dask.executor, Services(cancellation=cancellation, observers=[cancel]))
    assert {stage.status for stage in record.stages.values()} == {"cancelled"}


@pytest.mark.long
def test_no_kernel_outlives_a_killed_driver(dask: Cluster, tmp_path: Path) -> None:
    """Its worker notices that nobody waits any longer, and is free for others."""
    pid = tmp_path / "pid"
    body = SAY_PID.format(pid=str(pid)) + "time.sleep(120)"
    file = write_pipeline(tmp_path / "p", Sketch(name="slow", body=body, file=""))
    command = [sys.executable, "-c", MAIN, "run", str(file), "--executor", dask.executor]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait(lambda: _told(pid) is not None)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    _wait(lambda: not psutil.pid_exists(int(pid.read_text())), 30)
    assert [worker.poll() for worker in dask.workers].count(None) == 2


def test_the_command_line_and_resume(dask: Cluster, tmp_path: Path) -> None:
    """`--executor` stands in the record, and a resumed run goes on there."""
    flag = tmp_path / "flag"
    body = f"import os\nassert os.path.exists({str(flag)!r})\nopen(out, 'w').write('x')"
    file = write_pipeline(tmp_path / "p", Sketch(name="a"), Sketch(name="b", body=body))
    command = [sys.executable, "-c", MAIN, "run", str(file), "--executor", dask.executor]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("MLKIT_")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environ
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    flag.touch()
    (run_id,) = [p.parent.name for p in (tmp_path / "p" / "runs").glob("2*/run.json")]
    again = resume(run_id, file)
    assert again.options["executor"] == dask.executor
    assert (again.status, again.stages["a"].attempts) == ("succeeded", 1)


@pytest.mark.parametrize(
    ("lost", "fact"),
    [
        ("scheduler", "has lost an attempt"),
        pytest.param("workers", "has no worker left", marks=pytest.mark.slow),
    ],
)
@pytest.mark.long
def test_a_cluster_that_goes_away_ends_the_run_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, fact: str
) -> None:
    """Exit code 1, with a way on; what had ended is kept, and no kernel stays behind."""
    from mlkit.driver.executors import dask as dask_executor

    monkeypatch.setattr(dask_executor, "ALONE_FOR_S", 2.0)
    pid = tmp_path / "pid"
    body = SAY_PID.format(pid=str(pid)) + "time.sleep(120)"
    file = write_pipeline(
        tmp_path / "p", Sketch(name="a"), Sketch(name="b", upstream=("a",), body=body)
    )
    with cluster(tmp_path / "c", workers=1) as alone:

        def end() -> None:
            _wait(lambda: _told(pid) is not None)
            alone.kill_worker(0) if lost == "workers" else alone.kill_scheduler()

        threading.Thread(target=end).start()
        with pytest.raises(ExecutionError, match=fact) as caught:
            _run(file, alone.executor)
        _wait(lambda: not psutil.pid_exists(int(pid.read_text())))
    assert caught.value.exit_code == 1
    assert "mlkit resume" in str(caught.value.remedy)


def _waits(tmp_path: Path) -> tuple[Path, Path]:
    """A pipeline whose second stage waits, and the file in which it names its process."""
    pid = tmp_path / "pid"
    body = SAY_PID.format(pid=str(pid)) + "time.sleep(120)"
    stages = (Sketch(name="a"), Sketch(name="b", upstream=("a",), body=body))
    return write_pipeline(tmp_path / "p", *stages), pid


def test_a_scheduler_that_stands_still_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections stay open and no question is answered, as behind a broken network."""
    from mlkit.driver.executors import dask as dask_executor

    monkeypatch.setattr(dask_executor, "ALONE_FOR_S", 2.0)
    file, pid = _waits(tmp_path)
    with cluster(tmp_path / "c", workers=1) as alone:
        monkeypatch.setattr(dask_cluster, "ANSWER_WITHIN_S", 2)

        def stop() -> None:
            _wait(lambda: _told(pid) is not None)
            alone.stop_scheduler()

        threading.Thread(target=stop).start()
        with pytest.raises(ExecutionError, match="does not answer any more") as caught:
            _run(file, alone.executor)
        alone.continue_scheduler()
        _wait(lambda: not psutil.pid_exists(int(pid.read_text())))
    assert caught.value.exit_code == 1


@pytest.mark.long
def test_a_run_can_be_cancelled_while_the_scheduler_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody will say that the attempts have ended, so nobody waits for that."""
    file, pid = _waits(tmp_path)
    cancellation = Cancellation()
    with cluster(tmp_path / "c", workers=1) as alone:
        monkeypatch.setattr(dask_cluster, "ANSWER_WITHIN_S", 2)

        def stop() -> None:
            _wait(lambda: _told(pid) is not None)
            alone.stop_scheduler()
            cancellation.request()

        threading.Thread(target=stop).start()
        record = _run(file, alone.executor, Services(cancellation=cancellation))
    assert record.status == "cancelled"
    assert {name: stage.status for name, stage in record.stages.items()} == {
        "a": "succeeded",
        "b": "cancelled",
    }


def _waits_for_another(at: Path) -> str:
    return (
        "import os, time\n"
        f"open({str(at)!r}, 'a').write(f'{{os.getppid()}}\\n')\n"
        f"deadline = time.monotonic() + 120\n"
        f"while len(set(open({str(at)!r}))) < 2:\n"
        "    assert time.monotonic() < deadline\n"
        "    time.sleep(0.05)\n"
        "open(out, 'w').write('x')"
    )


def test_a_worker_that_joins_late_is_used(tmp_path: Path) -> None:
    """Two stages wait for each other; only the second worker lets both go on."""
    at = tmp_path / "at"
    at.touch()
    body = _waits_for_another(at)
    sketches = [Sketch(name=f"s{number}", body=body) for number in range(2)]
    file = write_pipeline(tmp_path / "p", *sketches)
    with cluster(tmp_path / "c", workers=1) as one:

        def join() -> None:
            _wait(lambda: bool(at.read_text()))
            one.add_worker()

        joining = threading.Thread(target=join)
        joining.start()
        record = _run(file, one.executor, workers=2)
        joining.join()
    assert record.status == "succeeded", record.stages
    assert len(set(at.read_text().split())) == 2


@pytest.mark.long
def test_a_worker_that_joins_late_and_cannot_work_is_not_used(tmp_path: Path) -> None:
    """It has no mlkit, which the run says; one that joins after it does its part.

    Two stages wait for each other. The second is ready all the time, so it would be handed to the
    worker without mlkit as soon as that has answered, and fail there.
    """
    at = tmp_path / "at"
    at.touch()
    body = _waits_for_another(at)
    file = write_pipeline(
        tmp_path / "p", *(Sketch(name=f"s{number}", body=body) for number in range(2))
    )
    bare = tmp_path / "bare"
    hidden = "import sys; sys.modules['mlkit'] = None; from distributed.cli.dask_worker import main"
    bare.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -c "{hidden}; main()" "$@"\n')
    bare.chmod(0o755)
    observer = RecordingObserver()
    with cluster(tmp_path / "c", workers=1) as one:

        def join() -> None:
            _wait(lambda: bool(at.read_text()))
            one.add_worker(str(bare))
            _wait(lambda: "No module named 'mlkit" in (one.folder / "2.log").read_text())
            one.add_worker()

        joining = threading.Thread(target=join)
        joining.start()
        record = _run(file, one.executor, Services(observers=[observer]), workers=2)
        joining.join()
    assert record.status == "succeeded", record.stages
    told = [str(event.data["message"]) for event in observer.events if "message" in event.data]
    assert [text for text in told if "joined later and is not used" in text], told
    assert {stage.attempts for stage in record.stages.values()} == {1}, record.stages


@pytest.mark.long
def test_a_worker_that_joins_and_stands_still_holds_nobody_up(tmp_path: Path) -> None:
    """It is asked and never answers; one that joins after it does its part."""
    at = tmp_path / "at"
    at.touch()
    body = _waits_for_another(at)
    file = write_pipeline(
        tmp_path / "p", *(Sketch(name=f"s{number}", body=body) for number in range(2))
    )
    started = tmp_path / "started"
    still = tmp_path / "still"
    stands = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    module = tmp_path / "modules" / "mlkit"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text(f"open({str(started)!r}, 'w').close()\n{stands}\n")
    still.write_text(f'#!/bin/sh\nPYTHONPATH={module.parent} exec {sys.executable} "$@"\n')
    still.chmod(0o755)
    with cluster(tmp_path / "c", workers=1) as one:

        def join() -> None:
            _wait(lambda: bool(at.read_text()))
            one.add_worker(str(still))
            _wait(started.exists)
            one.add_worker()

        joining = threading.Thread(target=join)
        joining.start()
        record = _run(file, one.executor, workers=2)
        joining.join()
    assert record.status == "succeeded", record.stages
    assert {stage.attempts for stage in record.stages.values()} == {1}, record.stages


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An authority, and what it has signed, where Dask looks for it."""
    import dask

    authority, signed = certificate(tmp_path / "ca"), {}
    for role in ("scheduler", "worker", "client"):
        signed[role] = certificate(tmp_path / role, authority)
    prefix = "DASK_DISTRIBUTED__COMM__"
    monkeypatch.setenv(f"{prefix}REQUIRE_ENCRYPTION", "true")
    monkeypatch.setenv(f"{prefix}TLS__CA_FILE", str(authority.file))
    for role, its in signed.items():
        monkeypatch.setenv(f"{prefix}TLS__{role.upper()}__CERT", str(its.file))
        monkeypatch.setenv(f"{prefix}TLS__{role.upper()}__KEY", str(its.key_file))
    dask.config.refresh()
    yield
    monkeypatch.undo()
    dask.config.refresh()


@pytest.mark.usefixtures("certificates")
@pytest.mark.long
def test_links_may_be_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With certificates of one authority; those of another are not let in, nor is plain TCP."""
    import dask

    file = diamond(tmp_path / "p")
    with cluster(tmp_path / "c", workers=1, link="tls") as safe:
        assert _run(file, safe.executor, force=True).status == "succeeded"
        monkeypatch.setattr(dask_cluster, "ANSWER_WITHIN_S", 3)
        with pytest.raises(UsageError, match="no Dask scheduler answers"):
            _run(file, safe.executor.replace("+tls", ""))
        stranger = certificate(tmp_path / "stranger")
        prefix = "DASK_DISTRIBUTED__COMM__TLS__CLIENT__"
        monkeypatch.setenv(f"{prefix}CERT", str(stranger.file))
        monkeypatch.setenv(f"{prefix}KEY", str(stranger.key_file))
        dask.config.refresh()
        with pytest.raises(UsageError, match="no Dask scheduler answers over TLS"):
            _run(file, safe.executor)


@pytest.mark.sandbox
def test_workers_without_the_runs_folder_go_through_the_store(
    s3: S3, bucket: str, tmp_path: Path
) -> None:
    """Inputs and outputs travel by digest; artifacts, notebooks and logs stand here as ever."""
    runs = tmp_path / "hidden" / "runs"
    runs.mkdir(parents=True)
    file = diamond(tmp_path / "p")
    wrapper = tmp_path / "apart"
    wrapper.write_text(
        f'#!/bin/sh\nexec bwrap --dev-bind / / --tmpfs {runs.parent} {sys.executable} "$@"\n'
    )
    wrapper.chmod(0o755)
    with cluster(tmp_path / "c", workers=2, python=str(wrapper)) as apart:
        options = RunOptions(executor=apart.executor, store=bucket)
        record = run(file, layers=Layers(), options=options, runs_dir=runs)
    assert record.status == "succeeded", record.stages
    bottom = Path(record.stages["bottom"].outputs["out"])
    assert bottom.is_relative_to(runs)
    assert bottom.read_text() == "bottom(left(top()),right(top()))"
    assert (bottom.parent / "attempts" / "1" / "notebook.ipynb").is_file()
    here = run(file, layers=Layers(), options=RunOptions(), runs_dir=tmp_path / "here")
    assert _digests(here) == _digests(record)
    assert s3.process.poll() is None
