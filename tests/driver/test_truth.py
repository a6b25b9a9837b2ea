"""What is said of a run is true: its events, its state, its place among others."""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlkit
from mlkit.api import clean, find_run, list_runs
from mlkit.core.events import EventKind
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus, Status
from mlkit.driver.event_log import append_line, has_finished, open_log, read_events
from mlkit.errors import UsageError
from mlkit.notebook.notebook_runner import ExecutionRequest
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Raises,
    RecordingObserver,
    Sketch,
    chain,
    diamond,
    dynamic_map,
    run_fake,
    write_pipeline,
)
from mlkit.testing.running import fake_services

DAY_S = 86_400.0


def _events(tmp_path: Path, run_id: str) -> list[dict[str, Any]]:
    text = (tmp_path / "runs" / run_id / "events.jsonl").read_text("utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def _ends(tmp_path: Path, run_id: str) -> list[str]:
    return [e["status"] for e in _events(tmp_path, run_id) if e["event"] == "run_finished"]


class _Task:
    """A process of an orchestrator, in a thread: it enters its stage, and leaves it when told."""

    def __init__(self, file: Path, stage: str) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        self.seen = RecordingObserver()

        def wait(request: ExecutionRequest) -> None:
            self.entered.set()
            assert self.leave.wait(30)

        runner = FakeRunner({stage: [wait]})
        self.thread = threading.Thread(
            target=lambda: run_fake(
                file, only=stage, run_id="joined", runner=runner, observers=[self.seen]
            )
        )

    def start(self) -> None:
        self.thread.start()
        assert self.entered.wait(30)

    def end(self) -> None:
        self.leave.set()
        self.thread.join(30)


@pytest.mark.parametrize("order", sorted(set(itertools.permutations("aabb"))))
def test_a_run_of_many_processes_ends_once(tmp_path: Path, order: tuple[str, ...]) -> None:
    """However they overlap; each process's own observers are told of its end."""
    file = write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b"))
    tasks = {name: _Task(file, name) for name in "ab"}
    steps = {name: iter((task.start, task.end)) for name, task in tasks.items()}
    for name in order:
        next(steps[name])()
    assert _ends(tmp_path, "joined") == ["succeeded"]
    assert _events(tmp_path, "joined")[-1]["event"] == "run_finished"
    assert find_run("joined", tmp_path / "runs").status is RunStatus.SUCCEEDED
    for task in tasks.values():
        assert [e.kind for e in task.seen.events].count(EventKind.RUN_FINISHED) == 1


def test_a_joined_run_ends_when_nothing_is_to_come(tmp_path: Path) -> None:
    """A failure alone does not end it; a task that is tried again reopens it."""
    file = write_pipeline(
        tmp_path, Sketch(name="a"), Sketch(name="b"), Sketch(name="c", upstream=("a",))
    )
    run_fake(file, only="a", run_id="joined", runner=FakeRunner({"a": [Raises()]}))
    assert _ends(tmp_path, "joined") == []
    record = find_run("joined", tmp_path / "runs")
    assert (record.status, record.ended) == (RunStatus.FAILED, None)
    run_fake(file, only="b", run_id="joined")
    assert _ends(tmp_path, "joined") == ["failed"]
    run_fake(file, only="a", run_id="joined")
    run_fake(file, only="c", run_id="joined")
    assert _ends(tmp_path, "joined") == ["failed", "succeeded"]


@pytest.mark.parametrize("filler", [b"", b"\0" * 50])
def test_a_torn_last_line_is_no_line(tmp_path: Path, filler: bytes) -> None:
    """At every byte: the events before it stay, each on a line, and the next one is not glued."""
    path = tmp_path / "events.jsonl"
    first = b'{"event": "run_started", "time": 1.0, "run_id": "r", "pipeline": "p\xc3\xa4"}\n'
    last = b'{"event": "warning", "time": 2.0, "run_id": "r", "message": "{}\\n\xc3\xa4"}\n'
    added = b'{"event": "run_resumed", "time": 3.0, "run_id": "r"}\n'
    for cut in range(len(last) + 1):
        path.write_bytes(first + last[:cut] + (filler if cut < len(last) - 1 else b""))
        descriptor = open_log(path)
        append_line(descriptor, added)
        append_line(descriptor, added)
        os.close(descriptor)
        whole = cut >= len(last) - 1
        assert path.read_bytes() == first + (last if whole else b"") + added + added
        assert len(read_events(path, 0)[0]) == (4 if whole else 3)


@given(st.binary(max_size=300), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_whatever_stands_at_the_end_the_next_event_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, rest: bytes, before: int
) -> None:
    """Complete lines stay as they are, and reading passes over what is no event."""
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    event = b'{"event": "warning", "time": 2.0, "run_id": "r", "message": "m"}\n'
    path.write_bytes(event * before + rest)
    descriptor = open_log(path)
    append_line(descriptor, event)
    os.close(descriptor)
    content = path.read_bytes()
    assert content.endswith(b"\n" + event) or content == event
    assert content.startswith(event * before)
    assert len(read_events(path, 0)[0]) >= before + 1


def test_a_resumed_run_goes_on_behind_a_torn_line(tmp_path: Path) -> None:
    """The whole log can be read."""
    file = chain(tmp_path, 2)
    failed = run_fake(file, runner=FakeRunner({"s2": [Raises()]}))
    log = tmp_path / "runs" / failed.run_id / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    assert not has_finished(log)
    mlkit.resume(failed.run_id, file, services=fake_services())
    assert _ends(tmp_path, failed.run_id) == ["succeeded"]
    assert has_finished(log)


def _die_in(file: str, options: dict[str, Any]) -> None:
    def die(request: ExecutionRequest) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    run_fake(Path(file), runner=FakeRunner({"s2": [die]}), **options)


def _killed(file: Path, **options: Any) -> RunRecord:
    process = multiprocessing.get_context("fork").Process(target=_die_in, args=(str(file), options))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    return list_runs(file)[-1]


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    """Not "running", and neither are its stages; what had ended stays as it was."""
    record = _killed(chain(tmp_path, 3))
    assert record.status is RunStatus.KILLED
    assert [s.status for s in record.stages.values()] == [*(Status.SUCCEEDED, Status.CANCELLED)]
    assert find_run(record.run_id, tmp_path / "runs") == record
    assert "running" not in json.dumps(record.to_full_json())
    again = mlkit.resume(record.run_id, tmp_path, services=fake_services())
    assert again.status is RunStatus.SUCCEEDED


def test_a_run_whose_process_is_there_is_running(tmp_path: Path) -> None:
    """Its lock tells, and asking takes it from nobody."""
    record = _killed(chain(tmp_path, 3))
    folder = RunsFolder(tmp_path / "runs").run(record.run_id)
    for shared in (True, False):
        with folder.lock(shared=shared) as mine:
            assert mine
            assert find_run(record.run_id, tmp_path / "runs").status is RunStatus.RUNNING
    (folder.path / ".lock").unlink()
    assert find_run(record.run_id, tmp_path / "runs").status is RunStatus.KILLED


def test_an_orchestrators_run_goes_on_between_its_tasks(tmp_path: Path) -> None:
    """Until nothing has happened for some days; a stage whose process died is not running."""
    file = chain(tmp_path, 3)
    run_fake(file, only="s1", run_id="R1")
    assert find_run("R1", tmp_path / "runs").status is RunStatus.RUNNING
    _killed(file, only="s2", run_id="R1")
    record = find_run("R1", tmp_path / "runs")
    assert record.status is RunStatus.RUNNING
    assert record.stages["s2"].status is Status.CANCELLED
    run_fake(file, only="s2", run_id="R1")
    run_fake(file, only="s3", run_id="R1")
    assert find_run("R1", tmp_path / "runs").status is RunStatus.SUCCEEDED
    long_ago = FakeClock(time.time() - 8 * DAY_S)
    run_fake(file, only="s1", run_id="R2", clock=long_ago)
    assert find_run("R2", tmp_path / "runs").status is RunStatus.KILLED


def test_cleaning_leaves_an_orchestrators_unfinished_run(tmp_path: Path) -> None:
    """The next task finds it; one that has ended, or is too old, goes."""
    file, runs = diamond(tmp_path), tmp_path / "runs"
    run_fake(file)
    run_fake(file, only="top", run_id="R1")
    run_fake(file, only="top", run_id="R2", clock=FakeClock(time.time() - 8 * DAY_S))
    run_fake(file, only="top", run_id="R3", clock=FakeClock(time.time() + 400 * DAY_S))
    assert set(clean(runs, keep=0, dry_run=False).runs) == {"R2", "R3"}
    for stage in ("left", "right", "bottom"):
        run_fake(file, only=stage, run_id="R1")
    assert find_run("R1", runs).status is RunStatus.SUCCEEDED
    newest = run_fake(file)
    assert "R1" in clean(runs, keep=0, dry_run=False).runs
    run_fake(file, only="top", run_id="R4")
    assert clean(runs, keep=0, unfinished_for_s=0.0).runs == ("R4",)
    assert newest.run_id == (runs / "latest").resolve().name


@given(st.lists(st.tuples(st.floats(-500, 500), st.booleans()), min_size=2, max_size=6))
@settings(max_examples=12, deadline=None)
def test_order_does_not_go_by_the_clock(
    tmp_path_factory: pytest.TempPathFactory, jumps: list[tuple[float, bool]]
) -> None:
    """Whichever way it jumps, `latest`, the history and what is kept follow the true order."""
    folder = tmp_path_factory.mktemp("p")
    file = chain(folder, 1)
    made, good = [], None
    for days, ok in jumps:
        runner = FakeRunner({} if ok else {"s1": [Raises()]})
        clock = FakeClock(1_700_000_000 + days * DAY_S)
        record = run_fake(file, runner=runner, clock=clock, force=True)
        made.append(record.run_id)
        good = record.run_id if ok else good
    assert [record.run_id for record in list_runs(file)] == made
    latest = folder / "runs" / "latest"
    assert (latest.resolve().name if latest.exists() else None) == good
    gone = clean(folder / "runs", keep=1).runs
    assert list(gone) == [run_id for run_id in made[:-1] if run_id != good]


def test_runs_of_an_older_mlkit_come_first(tmp_path: Path) -> None:
    """They have no turn; an old database needs no change, and an old run that goes on stays old."""
    file = chain(tmp_path, 1)
    old = [run_fake(file, force=True) for _ in range(2)]
    database = Database(tmp_path / "runs" / "mlkit.db")
    with database._transaction():
        database._connection.execute(
            "UPDATE runs SET document = json_remove(document, '$.turn', '$.format')"
        )
    new = run_fake(file, force=True)
    assert [r.run_id for r in database.load_runs()] == [*(r.run_id for r in old), new.run_id]
    database.save_run(old[0])
    assert database.is_later(new.run_id, old[0].run_id)
    assert not database.is_later(old[0].run_id, new.run_id)
    database.close()


def test_a_run_of_another_machine_takes_its_place_by_its_clock(tmp_path: Path) -> None:
    """It may arrive after later ones; what begins here afterwards comes after it all the same."""
    file = chain(tmp_path, 1)
    first = run_fake(file, clock=FakeClock(1_700_000_000))
    third = run_fake(file, clock=FakeClock(1_700_000_200))
    second = replace(first, run_id="20991231-second", started=1_700_000_100.0)
    ahead = replace(first, run_id="20991231-wrong", started=1_900_000_000.0)
    with contextlib.closing(Database(tmp_path / "runs" / "mlkit.db")) as database:
        database.save_run(ahead, arrived=True)
        database.save_run(second, arrived=True)
        fourth = run_fake(file, clock=FakeClock(1_700_000_300))
        order = [record.run_id for record in database.load_runs()]
    ids = [run.run_id for run in (first, second, third, ahead, fourth)]
    assert order == ids


def test_a_run_is_named_by_the_clock_that_dates_it(tmp_path: Path) -> None:
    """Its id and the start in its record tell the same moment."""
    record = run_fake(chain(tmp_path, 1), clock=FakeClock(1_700_000_000.25))
    assert record.started == 1_700_000_000.25
    assert record.run_id.startswith("20231114-221320-250-")


def test_a_terminal_that_is_gone_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An observer that cannot write, and nobody to say it to."""

    class Gone:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        flush = None

    def observer(event: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Gone())
    assert run_fake(chain(tmp_path, 1), observers=[observer]).ok


@pytest.mark.parametrize(
    "name", [".work-1/out.txt", ".work-2", ".work-1/out/a", "parts/.x.part", ".notebook.ipynb.part"]
)
def test_an_output_in_mlkits_own_folders_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything runs, with the line."""
    file = write_pipeline(tmp_path, Sketch(name="a", file=name))
    with pytest.raises(mlkit.MlkitError) as caught:
        run_fake(file)
    assert "would lie where mlkit works itself" in str(caught.value)
    assert caught.value.line is not None


@pytest.mark.parametrize("name", [".hidden", ".works/x.txt", "a.part", ".config/x"])
def test_other_hidden_outputs_are_fine(tmp_path: Path, name: str) -> None:
    """They are the stage's own."""
    record = run_fake(write_pipeline(tmp_path, Sketch(name="a", file=name)))
    assert Path(record.stages["a"].outputs["out"]).is_file()


@pytest.mark.parametrize(
    ("values", "fact"),
    [
        ([1, 1.0, 2], "holds 1 and 1.0, which are one value for 'value: float'"),
        ([0.5, 2.0, 2], "holds 2.0 and 2, which are one value"),
        ([0.0, -0.0], "holds 0.0 and -0.0, which are one value"),
    ],
)
def test_equal_values_of_a_map_are_refused(tmp_path: Path, values: list[float], fact: str) -> None:
    """Equal for what the notebook declares, however they are written."""
    file = dynamic_map(tmp_path, values)
    path = tmp_path / "each.ipynb"
    path.write_text(path.read_text().replace("value: int = 1", "value: float = 1.0"))
    record = run_fake(file)
    assert record.status is RunStatus.FAILED
    error = next(s.error for s in record.stages.values() if s.stage == "each")
    assert error is not None
    assert fact in error.message


def test_a_list_that_got_shorter_leaves_no_folder(tmp_path: Path) -> None:
    """A resumed run holds what its record says."""
    file = dynamic_map(tmp_path, ["a", "b", "c"])
    failed = run_fake(file, runner=FakeRunner({"all": [Raises()]}))
    folder = tmp_path / "runs" / failed.run_id
    assert (folder / "each[b]").is_dir()
    path = tmp_path / "choose.ipynb"
    path.write_text(path.read_text().replace("['a', 'b', 'c']", "['a', 'c']"))
    again = mlkit.resume(failed.run_id, file, services=fake_services())
    assert list(again.stages) == ["choose", "each[a]", "each[c]", "all"]
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith("each")) == [
        *("each[a]", "each[c]")
    ]


def test_as_many_workers_as_cores() -> None:
    """Also where other options are given."""
    assert mlkit.RunOptions(verify=True).workers == len(os.sched_getaffinity(0))


def test_list_runs_takes_a_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder, its file, itself; also the runs folder, and one that lies elsewhere."""
    file = chain(tmp_path, 1)
    record = run_fake(file)
    monkeypatch.chdir(tmp_path)
    places: list[Any] = [".", tmp_path, file, str(file), mlkit.load_pipeline(file), "runs"]
    for place in places:
        assert [r.run_id for r in list_runs(place)] == [record.run_id]
    assert [r.run_id for r in list_runs()] == [record.run_id]
    other = run_fake(file, runs_dir=tmp_path / "elsewhere")
    assert [r.run_id for r in list_runs(file, runs_dir=tmp_path / "elsewhere")] == [other.run_id]
    assert list_runs(tmp_path / "nowhere") == []


def test_a_joined_run_that_is_cleaned_is_named(tmp_path: Path) -> None:
    """A task that comes after the stated time is told what is missing."""
    file = chain(tmp_path, 2)
    run_fake(file, only="s1", run_id="R1")
    clean(tmp_path / "runs", keep=0, dry_run=False, unfinished_for_s=0.0)
    with pytest.raises(UsageError):
        run_fake(file, only="s2", run_id="R1")


def test_nan_and_dates_come_back_and_are_printed_plainly(tmp_path: Path) -> None:
    """In run.json they are exact, in what commands print they are plain."""
    declares = "x: float = 0.0\ny: dict = {}\nday: str = ''"
    sketch = Sketch(name="a", declares=declares)
    given_values = {"x": float("nan"), "y": {"a": [float("inf"), float("-inf")]}}
    file = write_pipeline(tmp_path, sketch, parameters={"x": 1.0, "y": {}, "day": "2013-01-01"})
    failed = run_fake(file, parameters=given_values, runner=FakeRunner({"a": [Raises()]}))
    plain = {"x": "nan", "y": {"a": ["inf", "-inf"]}, "day": "2013-01-01"}
    kept = find_run(failed.run_id, tmp_path / "runs")
    assert kept.to_json()["parameters"] == plain
    full = kept.to_full_json(exact=False)
    assert (full["parameters"], full["stages"]["a"]["parameters"]) == (plain, plain)
    again = mlkit.resume(failed.run_id, file, services=fake_services())
    assert again.to_json()["parameters"] == plain
    assert replace(again, parameters={}).ok
