"""A driver that is killed at any instant leaves nothing half-written that is ever used."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlkit import find_run, list_runs, resume
from mlkit.core.states import SUCCESSFUL, RunStatus, Status
from mlkit.testing import FakeRunner, Sketch, mapped, run_fake, write_pipeline
from mlkit.testing.running import fake_services

DRIVER = Path(__file__).with_name("crash_driver.py")
WHOLE = 40_000


def _pipeline(folder: Path) -> Path:
    """Artifacts of some size, a map, a retry, a skip: every kind of commit."""
    write = "open(out, 'w').write({text} * " + str(WHOLE) + ")"
    read = "text = open({name}).read()\nassert len(text) % " + str(WHOLE) + " == 0, len(text)\n"
    return write_pipeline(
        folder,
        Sketch(name="a", body=write.format(text="'a'")),
        Sketch(name="b", upstream=("a",), body=read.format(name="a") + write.format(text="'b'")),
        Sketch(
            name="each",
            body=write.format(text="value"),
            declares='value: str = "x"',
            file="each.txt",
            keys={"foreach": {"value": ["x", "y"]}, "after": ["a"]},
        ),
        Sketch(name="quiet", file="", body="import mlkit; mlkit.skip('nothing')"),
        Sketch(
            name="last",
            upstream=("b",),
            declares="parts: list[str] = []",
            body=read.format(name="b")
            + "assert [len(open(p).read()) for p in parts] == [" + f"{WHOLE}, {WHOLE}]\n"
            + write.format(text="'l'"),
            keys={"inputs": {"parts": "each.out"}},
        ),
    )  # fmt: skip


def _start(file: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(DRIVER), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _check_store(runs: Path) -> None:
    """Whatever stands under a digest has that digest; the database is whole."""
    for master in (runs / "store").glob("??/*"):
        assert hashlib.sha256(master.read_bytes()).hexdigest() == master.parent.name + master.name
    connection = sqlite3.connect(runs / "mlkit.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    finally:
        connection.close()


def _check_records(runs: Path) -> None:
    """What a record calls finished has its artifacts, whole."""
    for record in list_runs(runs):
        for stage in record.stages.values():
            for artifact in stage.artifacts.values() if stage.status in SUCCESSFUL else ():
                path = Path(artifact.path)
                assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact.digest


def _kill_at_random(tmp_path: Path, kills: int, seed: int) -> None:
    """Kill at random instants; each time look at what is left, and now and then let it end."""
    chance = random.Random(seed)
    file = _pipeline(tmp_path / "p")
    runs = file.parent / "runs"
    span_s = 0.6
    waiting = _start(file)
    for number in range(kills):
        process, waiting = waiting, _start(file)
        began = time.monotonic()
        _go(process)
        time.sleep(chance.uniform(0, span_s))
        ended = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        if ended:
            assert out.strip() == "succeeded", (out, err)
            span_s = max(0.05, (span_s + time.monotonic() - began) / 2)
        _check_store(runs) if (runs / "mlkit.db").exists() else None
        if ended or number % 7 == 6:
            _check_ends_right(file)
            _make_work(file, number)
    waiting.kill()
    waiting.communicate()
    _check_ends_right(file)


def _make_work(file: Path, number: int) -> None:
    """Change the code, so that the next run has everything to do again."""
    for notebook in file.parent.glob("*.ipynb"):
        text = notebook.read_text()
        head, _, rest = text.partition('"source": "')
        notebook.write_text(f'{head}"source": "# change {number}\\n{rest}')


def _check_ends_right(file: Path) -> None:
    """The newest open run is resumed, a further one finds everything done."""
    runs = file.parent / "runs"
    for record in list_runs(runs):
        if record.status is RunStatus.KILLED:
            again = resume(record.run_id, file, services=fake_services())
            assert again.status == "succeeded"
            assert find_run(record.run_id, runs) == again
    runner = FakeRunner()
    record = run_fake(file, runner=runner)
    assert record.status == "succeeded"
    after = FakeRunner()
    assert run_fake(file, runner=after).status == "succeeded"
    assert after.stages == ["quiet"]
    for name in ("a", "b", "each[x]", "each[y]", "last"):
        text = Path(record.stages[name].outputs["out"]).read_text()
        assert text == {"each[x]": "x", "each[y]": "y"}.get(name, name[0]) * WHOLE
    assert record.stages["quiet"].status is Status.SKIPPED
    _check_store(runs)
    _check_records(runs)


@pytest.mark.long
def test_12_kills_at_random_instants(tmp_path: Path) -> None:
    """The next run or resume ends right each time."""
    _kill_at_random(tmp_path, 12, seed=int.from_bytes(os.urandom(4), "big"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(8))
def test_200_kills_at_random_instants(tmp_path: Path, seed: int) -> None:
    """25 for each of 8 seeds."""
    _kill_at_random(tmp_path, 25, seed=seed)


@pytest.mark.parametrize("step", range(0, 60, 4))
def test_a_kill_at_every_step_of_a_commit(tmp_path: Path, step: int) -> None:
    """Die just before the n-th rename, link or commit, without waiting for luck."""
    file = mapped(tmp_path / "p", ["x", "y"])
    program = (
        "import os, sys\n"
        "left = [int(sys.argv[2])]\n"
        "def dying(call):\n"
        "    def wrapped(*a, **k):\n"
        "        left[0] -= 1\n"
        "        if left[0] < 0: os.kill(os.getpid(), 9)\n"
        "        return call(*a, **k)\n"
        "    return wrapped\n"
        "for name in ('replace', 'rename', 'link', 'unlink', 'mkdir', 'chmod', 'utime'):\n"
        "    setattr(os, name, dying(getattr(os, name)))\n"
        "from mlkit.store.database import Database\n"
        "Database._put = dying(Database._put)\n"
        "from mlkit.testing import run_fake\n"
        "run_fake(sys.argv[1])\n"
    )
    command = [sys.executable, "-c", program, str(file), str(step)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode in (0, -9), ended.stderr
    runs = file.parent / "runs"
    for record in list_runs(runs):
        if record.status is RunStatus.KILLED:
            again = resume(record.run_id, file, services=fake_services())
            assert Path(again.stages["all"].outputs["out"]).read_text() == "x,y"
    record = run_fake(file)
    assert Path(record.stages["all"].outputs["out"]).read_text() == "x,y"
    _check_store(runs)
    _check_records(runs)
