"""A pipeline on its schedule, with the clock in the test's hand."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlkit.api.cancelling import cancel_run
from mlkit.api.filling import scheduled_runs
from mlkit.api.schedule_server import ScheduleServer, Settings
from mlkit.core.intervals import next_tick
from mlkit.core.states import Status
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import MlkitError, UsageError
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from mlkit.notebook.notebook_runner import (
    Cancellation,
    ExecutionRequest,
    ExecutionResult,
    OnCell,
)
from mlkit.store.folder import RunsFolder
from mlkit.testing import FakeRunner, Sketch, chain, write_pipeline
from mlkit.testing.running import fake_services

MINUTE = dt.timedelta(minutes=1)
DECLARES = "import datetime\nlogical_date: datetime.date | None = None"
WRITES = "from pathlib import Path\nPath(out).write_text(str(logical_date))"


def _at(day: int, hour: int = 2, minute: int = 0) -> dt.datetime:
    return dt.datetime(2013, 1, day, hour, minute, 1, tzinfo=dt.UTC)


def _write(folder: Path, body: str = WRITES, schedule: str = "0 2 * * *") -> Path:
    sketch = Sketch(name="night", body=body, declares=DECLARES)
    return write_pipeline(folder, sketch, schedule=schedule)


@contextlib.contextmanager
def _services() -> Iterator[Services]:
    yield fake_services()


def _server(file: Path, told: list[str], *, catch_up: bool = False) -> ScheduleServer:
    settings = Settings(path=file, layers=Layers(), options=RunOptions(), catch_up=catch_up)
    return ScheduleServer(settings, told.append, _services)


def _fire(server: ScheduleServer, now: dt.datetime) -> list[str]:
    return [f"{done.planned.interval}: {done.status}" for done in server.fire(now)]


def test_the_interval_that_has_just_ended_is_run(tmp_path: Path) -> None:
    """At two in the night of the fifth: from the fourth to the fifth."""
    told: list[str] = []
    server = _server(_write(tmp_path), told)
    assert _fire(server, _at(5)) == ["2013-01-04 02:00 → 2013-01-05 02:00: succeeded"]
    (run,) = scheduled_runs(server.filling.pipeline, tmp_path / "runs")
    assert run.parameters["logical_date"] == "2013-01-04T02:00:00+00:00"
    assert told[-1].endswith(f"succeeded (run {run.run_id})")


def test_an_interval_is_not_run_twice(tmp_path: Path) -> None:
    """Neither by a server that is started again."""
    file = _write(tmp_path)
    _fire(_server(file, []), _at(5))
    assert _fire(_server(file, []), _at(5, minute=30)) == []


def test_missed_intervals_are_left_out_and_told(tmp_path: Path) -> None:
    """With the command that makes them up."""
    told: list[str] = []
    server = _server(_write(tmp_path), told)
    _fire(server, _at(5))
    assert len(_fire(server, _at(8))) == 1
    assert told[-3].startswith("2 earlier intervals have no run; make up for it with --catch-up")
    assert told[-3].endswith("--from 2013-01-05 --to 2013-01-06'")


def test_catch_up_runs_what_was_missed(tmp_path: Path) -> None:
    """Oldest first, each once."""
    server = _server(_write(tmp_path), [], catch_up=True)
    _fire(server, _at(5))
    assert _fire(server, _at(8)) == [
        f"2013-01-0{day} 02:00 → 2013-01-0{day + 1} 02:00: succeeded" for day in (5, 6, 7)
    ]


def test_catch_up_without_a_beginning_is_told(tmp_path: Path) -> None:
    """Nobody says where it would begin, so the newest interval alone is run."""
    told: list[str] = []
    assert len(_fire(_server(_write(tmp_path), told, catch_up=True), _at(5))) == 1
    assert told[0] == "nothing to catch up: no run of this schedule is recorded yet"


def test_a_failing_run_is_survived(tmp_path: Path) -> None:
    """The next night is run as well."""
    server = _server(_write(tmp_path, "raise ValueError('no')"), [])
    assert [_fire(server, _at(day))[0][-6:] for day in (5, 6)] == ["failed", "failed"]


def test_an_edit_counts_from_the_next_run_on(tmp_path: Path) -> None:
    """A broken one is a sentence; mended, the schedule goes on."""
    file = _write(tmp_path)
    server = _server(file, [])
    good = file.read_text()
    file.write_text(good + "  broken: [")
    with pytest.raises(MlkitError, match="not valid YAML"):
        server.fire(_at(5))
    file.write_text(good.replace("0 2 * * *", "0 3 * * *"))
    assert _fire(server, _at(6, 3)) == ["2013-01-05 03:00 → 2013-01-06 03:00: succeeded"]


def test_a_pipeline_is_served_once(tmp_path: Path) -> None:
    """A second server of the same pipeline on the same runs folder is refused."""
    server = _server(_write(tmp_path), [])
    with (
        RunsFolder(tmp_path / "runs").claim("serve sketched"),
        pytest.raises(UsageError, match="'sketched' is served already"),
    ):
        server.serve()


def test_a_pipeline_without_a_schedule_is_refused(tmp_path: Path) -> None:
    """Before anything is run."""
    with pytest.raises(UsageError, match="the pipeline has no schedule"):
        _server(chain(tmp_path, 1), [])


def test_the_clock_of_a_zone_is_followed(tmp_path: Path) -> None:
    """Two in the night in New York is seven in UTC; the date is New York's."""
    file = _write(tmp_path, schedule="0 21 * * *")
    settings = Settings(
        path=file, layers=Layers(), options=RunOptions(), timezone="America/New_York"
    )
    server = ScheduleServer(settings, lambda text: None, _services)
    server.fire(_at(6, 3))
    (run,) = scheduled_runs(load_pipeline(file), tmp_path / "runs")
    assert run.parameters["logical_date"] == "2013-01-04T21:00:00-05:00"


def test_the_schedules_next_time_is_what_is_waited_for(tmp_path: Path) -> None:
    """By APScheduler, which is not started here: nobody waits for a full minute."""
    server = _server(_write(tmp_path, schedule="*/5 * * * *"), [])
    before = dt.datetime.now(dt.UTC)
    scheduler = server._scheduler()
    scheduler.start(paused=True)
    try:
        due = scheduler.get_job("run").next_run_time
    finally:
        scheduler.shutdown()
    assert due in (next_tick(server.schedule, before), next_tick(server.schedule, due - MINUTE))
    assert before < due <= dt.datetime.now(dt.UTC) + 5 * MINUTE


def test_the_files_own_clock_is_followed_through_both_of_its_changes(tmp_path: Path) -> None:
    """`timezone:`; a named hour comes once a day, also where it comes twice or never."""
    file = _write(tmp_path, schedule="30 2 * * *")
    file.write_text(f"timezone: Europe/Berlin\n{file.read_text()}")
    server = _server(file, [])
    found = []
    for day in (dt.date(2013, 3, 31), dt.date(2013, 4, 1), dt.date(2013, 10, 27)):
        now = dt.datetime.combine(day, dt.time(6), dt.UTC)
        found += _fire(server, now)
    assert found == [
        "2013-03-30 02:30 → 2013-03-31 03:30: succeeded",
        "2013-03-31 03:30 → 2013-04-01 02:30: succeeded",
        "2013-10-26 02:30 → 2013-10-27 02:30: succeeded",
    ]
    made = scheduled_runs(server.filling.pipeline, tmp_path / "runs")
    assert [run.parameters["logical_date"] for run in made] == [
        "2013-03-30T02:30:00+01:00",
        "2013-03-31T03:30:00+02:00",
        "2013-10-26T02:30:00+02:00",
    ]


def test_a_span_of_real_time_is_served(tmp_path: Path) -> None:
    """`every 6h`, on the clock of the file's zone; a jump of it moves the hour, not the span."""
    file = _write(tmp_path, schedule="every 6h")
    file.write_text(f"timezone: Europe/Berlin\n{file.read_text()}")
    server = _server(file, [])
    now = dt.datetime(2013, 3, 31, 5, 30, tzinfo=dt.UTC)
    assert _fire(server, now) == ["2013-03-31 → 2013-03-31 07:00: succeeded"]


class _Waiting(FakeRunner):
    """Holds its first notebook until a second one has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.second = threading.Event()
        self.begun = threading.Event()

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Wait in the first, and let it go in the second."""
        if self.begun.is_set():
            self.second.set()
        else:
            self.begun.set()
            assert self.second.wait(timeout=60)
        return super().execute(request, on_cell, cancellation)


def test_runs_overlap_where_the_file_says_so(tmp_path: Path) -> None:
    """The run of the sixth begins and ends while that of the fifth goes on."""
    file = _write(tmp_path)
    file.write_text(f"overlap: true\n{file.read_text()}")
    runner, told = _Waiting(), list[str]()
    server = ScheduleServer(
        Settings(path=file, layers=Layers(), options=RunOptions()),
        told.append,
        _services,
        quiet_services=lambda: fake_services(runner=runner),
    )
    first = threading.Thread(target=server.fire, args=[_at(5)])
    first.start()
    assert runner.begun.wait(timeout=60)
    server.fire(_at(6))
    first.join(timeout=60)
    assert [done.status for done in server.filled] == ["succeeded"] * 2


def test_no_more_runs_are_begun_than_were_asked_for(tmp_path: Path) -> None:
    """A run that still goes on is one of them, where runs overlap."""
    file = _write(tmp_path)
    file.write_text(f"overlap: true\n{file.read_text()}")
    runner = _Waiting()
    server = ScheduleServer(
        Settings(path=file, layers=Layers(), options=RunOptions(), stop_after=1),
        lambda _: None,
        _services,
        quiet_services=lambda: fake_services(runner=runner),
    )
    first = threading.Thread(target=server.fire, args=[_at(5)])
    first.start()
    assert runner.begun.wait(timeout=60)
    assert server.fire(_at(6)) == []
    runner.second.set()
    first.join(timeout=60)
    assert [done.status for done in server.filled] == ["succeeded"]


class _Stuck(FakeRunner):
    """A runner whose first stage waits until it is cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Hang once."""
        if self.begun.is_set():
            return super().execute(request, on_cell, cancellation)
        stopped = threading.Event()
        cancellation.subscribe(stopped.set)
        self.begun.set()
        assert stopped.wait(timeout=60)
        return ExecutionResult(status=Status.CANCELLED)


def test_one_run_is_cancelled_from_outside_and_the_schedule_goes_on(tmp_path: Path) -> None:
    """Ctrl-C would end both."""
    runner, told = _Stuck(), list[str]()
    settings = Settings(path=_write(tmp_path), layers=Layers(), options=RunOptions())
    server = ScheduleServer(
        settings, told.append, lambda: contextlib.nullcontext(fake_services(runner=runner))
    )
    first = threading.Thread(target=server.fire, args=[_at(5)])
    first.start()
    assert runner.begun.wait(timeout=60)
    (run_id,) = RunsFolder(tmp_path / "runs").run_ids()
    cancel_run(run_id, tmp_path / "runs")
    first.join(timeout=60)
    assert [done.status for done in server.filled] == ["cancelled"]
    assert _fire(server, _at(6)) == ["2013-01-05 02:00 → 2013-01-06 02:00: succeeded"]
