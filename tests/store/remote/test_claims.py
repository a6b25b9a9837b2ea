"""Claims behind a URL: one claimer among all machines, and nobody who is dead."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from greenlet import getcurrent, greenlet  # type: ignore[import-untyped] # it has no types
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit import load_pipeline
from mlkit.api.filling import Filling, fill, plan_backfill
from mlkit.api.runs_place import runs_folder
from mlkit.api.schedule_server import ScheduleServer, Settings
from mlkit.api.scheduling import read_schedule, read_span
from mlkit.api.sweeping import sweep
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import StoreError, UsageError
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.store.claiming import claimed
from mlkit.store.folder import RunsFolder
from mlkit.store.remote import claims, leases
from mlkit.store.remote.claims import RemoteClaim, forget_dead, held_remotely
from mlkit.store.remote.files import Entry, Remote
from mlkit.testing import FakeRunner, Sketch, write_pipeline
from mlkit.testing.running import fake_services
from tests.store.remote.conftest import Machine

NAME = "flights 1356998400 1359676800 ä/?"
FILLER = Path(__file__).with_name("claiming_backfill.py")


def _never() -> None:
    pytest.fail("the claim was lost")


def test_one_has_it_and_others_are_told_who(url: str) -> None:
    """Other names are free; given back, nothing is left of it."""
    remote = Remote(url)
    with held_remotely(remote, NAME, _never) as mine:
        assert mine == ""
        with held_remotely(Remote(url), NAME, _never) as other:
            assert other == f"a process on {os.uname().nodename}"
        with held_remotely(remote, NAME + "2", _never) as another:
            assert another == ""
    with held_remotely(Remote(url), NAME, _never) as again:
        assert again == ""
    assert remote.entries() == []


def test_who_is_silent_loses_it_and_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one takes the name over; who comes to itself then withdraws, and the other keeps."""
    monkeypatch.setattr(leases, "DEAD_AFTER_S", 3.0)
    remote = Remote(url)
    silent, next_one = RemoteClaim(remote, NAME), RemoteClaim(Remote(url), NAME)
    assert silent.take() == ""
    deadline = time.monotonic() + 60
    while next_one.take():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not silent.renew()
    assert next_one.renew()
    assert len(remote.entries(claims.FOLDER)) == 1


def test_a_silence_that_nobody_used_costs_nothing(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept keeps what nobody has asked for."""
    monkeypatch.setattr(leases, "DEAD_AFTER_S", 0.01)
    claim = RemoteClaim(Remote(place), NAME)
    assert claim.take() == ""
    for _ in range(2):
        time.sleep(0.05)
        assert claim.renew()


def test_it_is_renewed_while_it_is_held(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far longer than one that is silent lives."""
    monkeypatch.setattr(leases, "EVERY_S", 0.1)
    remote = Remote(url)
    with held_remotely(remote, NAME, _never):
        (before,) = remote.entries(claims.FOLDER)
        deadline = time.monotonic() + 60
        while remote.entries(claims.FOLDER)[0].written_s <= before.written_s:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_store_that_creates_twice_is_refused(tmp_path: Path) -> None:
    """One that does not know the condition would let everybody in."""

    class Careless(Remote):
        def create(self, name: str, data: bytes) -> bool:
            self.write(name, data)
            return True

    remote = Careless(f"file://{tmp_path}")
    with pytest.raises(StoreError, match="cannot keep machines apart"):
        RemoteClaim(remote, NAME).take()
    assert remote.entries() == []


def test_a_broken_answer_is_no_other_claimer(place: str) -> None:
    """A client that asks again is told that the file is there: it is its own."""

    class Repeats(Remote):
        def create(self, name: str, data: bytes) -> bool:
            super().create(name, data)
            return super().create(name, data)

    assert RemoteClaim(Repeats(place), NAME).take() == ""


def test_cleaning_removes_what_the_dead_have_left(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that lives, or may come to itself."""
    remote = Remote(place)
    assert RemoteClaim(remote, NAME).take() == ""
    forget_dead(remote)
    monkeypatch.setattr(leases, "DEAD_AFTER_S", 0.0)
    monkeypatch.setattr(claims, "_FORGOTTEN_AFTER", 1)
    assert len(remote.entries()) == 1
    forget_dead(remote)
    assert remote.entries() == []


class Steps:
    """A store in memory with a clock of its own, whose every request waits for its turn."""

    url = "memory://steps"

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, float]] = {}
        self.now_s = 0.0
        self.turn: Callable[[], None] = lambda: None

    def create(self, name: str, data: bytes) -> bool:
        """As S3 does with If-None-Match."""
        self.turn()
        if name in self.files:
            return False
        self.files[name] = (data, self.now_s)
        return True

    def write(self, name: str, data: bytes) -> None:
        """Write a file."""
        self.turn()
        self.files[name] = (data, self.now_s)

    def read(self, name: str) -> bytes | None:
        """Read a file."""
        self.turn()
        return self.files.get(name, (None, 0.0))[0]

    def entries(self, folder: str = "") -> list[Entry]:
        """List files."""
        self.turn()
        return [
            Entry(name=name, size_bytes=len(data), mark="", written_s=at)
            for name, (data, at) in sorted(self.files.items())
            if name.startswith(folder + "/")
        ]

    def remove(self, names: Iterable[str]) -> None:
        """Remove files."""
        for name in names:
            self.turn()
            self.files.pop(name, None)


class Claimers:
    """Claimers that each claim, renew and give back; a schedule says whose request is next."""

    def __init__(self, count: int) -> None:
        self.store = Steps()
        self.store.turn = self._wait_for_turn
        self.holds: dict[int, RemoteClaim] = {}
        self.parts = [greenlet(partial(self._go, number)) for number in range(count)]

    def _wait_for_turn(self) -> None:
        parent = getcurrent().parent
        assert parent is not None
        parent.switch()

    def _go(self, number: int) -> None:
        while True:
            claim = RemoteClaim(self.store, "name", wait=lambda s: self._wait_for_turn())
            if claim.take():
                continue
            self.holds[number] = claim
            has_it = claim.renew() and claim.renew()
            self.holds.pop(number, None)  # from here on it does nothing that needs the name
            if has_it:
                claim.release()

    def step(self, number: int) -> None:
        """Let one claimer make a request."""
        self.parts[number].switch()

    def living(self) -> list[int]:
        """Who believes to hold the name, and has not been silent for too long."""
        silence = leases.DEAD_AFTER_S * claims._EARLIER
        return [
            number
            for number, claim in self.holds.items()
            if self.store.now_s - claim._written_s < silence
        ]


TURNS = st.tuples(st.integers(0, 2), st.sampled_from([1, 1, 2, 3, 4, 5, 6, 8, 12]))
TIME = st.tuples(st.just(-1), st.sampled_from([40.0, 95.0]))
SCHEDULE = st.lists(st.one_of(TURNS, TURNS, TIME), min_size=8, max_size=60)
"""Whose requests come next, and how many; or how much time goes by."""


@given(SCHEDULE)
@settings(max_examples=200, deadline=None)
def test_in_any_order_of_requests_one_has_it(schedule: list[tuple[int, float]]) -> None:
    """However requests of three machines interleave, and whichever stalls or dies.

    A claimer that is never let go on again is dead. In the end the one that lives gets the name.
    """
    claimers = Claimers(3)
    for who, much in schedule:
        if who < 0:
            claimers.store.now_s += much
            continue
        for _ in range(int(much)):
            claimers.step(who)
            assert len(claimers.living()) <= 1, claimers.store.files
    claimers.store.now_s += leases.DEAD_AFTER_S
    claimers.holds.clear()
    for _ in range(40):
        claimers.step(0)
        if 0 in claimers.holds:
            return
    pytest.fail(f"nobody gets the name: {claimers.store.files}")


def _pipeline(folder: Path, log: Path, first: Path | None = None) -> Path:
    """A stage for each month; where a link shall name the first that begins, it never ends."""
    body = (
        "import os, time\n"
        f"log = os.open({str(log)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
        "os.write(log, f'begin {logical_date:%m} {os.getpid()}\\n'.encode())\n"
        "try:\n"
        f"    os.symlink(f'{{logical_date:%m}} {{os.getpid()}}', {str(first or log)!r})\n"
        "    time.sleep(600)\n"
        "except FileExistsError:\n"
        "    time.sleep(0.5)\n"
        "open(out, 'w').write(str(logical_date))\n"
        "os.write(log, f'end {logical_date:%m} {os.getpid()}\\n'.encode())"
    )
    declares = "import datetime\nlogical_date: datetime.date | None = None"
    sketch = Sketch(name="month", body=body, declares=declares)
    return write_pipeline(folder, sketch, schedule="0 0 1 * *")


def _machine(file: Path, url: str, cache: Path) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[3])
    return subprocess.Popen(
        [sys.executable, str(FILLER), str(file), url],
        env={**os.environ, "MLKIT_CACHE_DIR": str(cache), "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(300)
def test_many_machines_run_each_interval_once(url: str, tmp_path: Path) -> None:
    """Backfills of the same months side by side; one is killed, and its month is taken over."""
    log, first = tmp_path / "log", tmp_path / "first"
    file = _pipeline(tmp_path / "p", log, first)
    machines = [_machine(file, url, tmp_path / f"m{n}") for n in range(3)]
    deadline = time.monotonic() + 120
    while not first.is_symlink():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    month, dead = first.readlink().name.split()
    killed = next(machine for machine in machines if machine.pid == int(dead))
    killed.send_signal(signal.SIGKILL)
    told = []
    for machine in machines:
        out, _ = machine.communicate(timeout=240)
        told += [] if machine is killed else [json.loads(out)]
    assert {status for made in told for _, status in made} <= {"succeeded", "kept"}
    lines = [line.split() for line in log.read_text().splitlines()]
    assert sorted(when for word, when, _ in lines if word == "end") == ["01", "02", "03", "04"]
    assert {when for _, when, pid in lines if pid == dead} == {month}
    begun = [when for word, when, pid in lines if word == "begin" and pid != dead]
    assert sorted(begun) == ["01", "02", "03", "04"]
    left = [Remote(url).read(entry.name) or b"" for entry in Remote(url).entries(claims.FOLDER)]
    assert {json.loads(data)["pid"] for data in left} <= {int(dead)}


def test_two_servers_of_one_url_exclude_each_other(place: str, on: Machine, tmp_path: Path) -> None:
    """The second machine is told where the first one is, with exit code 2."""
    file = write_pipeline(tmp_path / "p", Sketch(name="s"), schedule="@daily")
    asked = Settings(path=file, layers=Layers(), options=RunOptions(), runs_dir=place)
    here = RunsFolder(runs_folder(file, place))
    with claimed(here, "serve sketched", _never) as holder:
        assert holder == ""
        on("two")
        with pytest.raises(UsageError, match="is served already, by a process on") as caught:
            ScheduleServer(asked, lambda text: None, lambda: nullcontext(Services())).serve()
    assert caught.value.exit_code == 2


def test_two_sweeps_of_one_name_exclude_each_other(
    place: str, on: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second machine is told where the first one is; who loses the name begins no more runs."""
    file = write_pipeline(
        tmp_path / "p", Sketch(name="s", declares="n: int = 0"), parameters={"n": 0}
    )
    said: list[str] = []
    swept = partial(
        sweep,
        load_pipeline(file),
        [{"n": 1}, {"n": 2}],
        layers=Layers(),
        options=RunOptions(name="g"),
        runs_dir=place,
        observed=lambda: nullcontext(fake_services()),
    )
    with claimed(RunsFolder(runs_folder(file, place)), "sweep g", _never) as holder:
        assert holder == ""
        on("two")
        with pytest.raises(UsageError, match="sweep 'g' is alive: a process on"):
            swept(say=said.append)
    assert said == []
    monkeypatch.setattr(leases, "EVERY_S", 0.05)
    told = threading.Event()
    # As after a long silence, but not before the first run has ended, however slow it is.
    monkeypatch.setattr(RemoteClaim, "renew", lambda claim: not told.is_set())

    def say(words: str) -> None:
        said.append(words)
        if words.startswith("["):
            told.set()
            time.sleep(1)

    _, made = swept(say=say)
    assert [member.record is not None for member in made] == [True, False]
    assert len([words for words in said if words.startswith("[")]) == 1


@pytest.mark.timeout(120)
def test_who_was_silent_ends_its_run(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine has the interval by then; the record says so."""
    monkeypatch.setattr(leases, "EVERY_S", 0.05)
    pipeline = load_pipeline(_pipeline(tmp_path / "p", tmp_path / "log"))
    filling = Filling(
        pipeline=pipeline,
        layers=Layers(),
        options=RunOptions(),
        runs_dir=runs_folder(pipeline, place),
    )
    span = read_span("2013-01-01", "2013-01-31", dt.UTC)
    (planned,), _ = plan_backfill(filling, read_schedule(pipeline), span)
    remote, cancelled = Remote(place), threading.Event()
    cancellation = Cancellation()
    cancellation.subscribe(cancelled.set)

    def be_silent(_: object) -> None:
        """As if the machine had slept, and another one had come meanwhile."""
        (mine,) = remote.entries(claims.FOLDER)
        remote.write(mine.name.rpartition("@")[0] + "@00000002", b"{}")
        monkeypatch.setattr(claims, "_EARLIER", 0.0)
        assert cancelled.wait(60)

    services = fake_services(runner=FakeRunner({"month": [be_silent]}))
    done = fill(filling, planned, replace(services, cancellation=cancellation))
    assert done.status == "cancelled"
    assert cancellation.why == "another machine has taken the interval over"
    assert [entry.name[-9:] for entry in remote.entries(claims.FOLDER)] == ["@00000002"]
