"""Several processes at once in one runs folder: whatever they do, every record is true."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mlkit import RunRecord, find_run, list_runs, plan, resume, run
from mlkit.core.states import SUCCESSFUL, RunStatus
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, write_pipeline
from tests.other_user import ANN, BEN, GROUP, call_as, place_for_everybody

from .crowd_driver import services

ROOT = Path(__file__).parents[2]
SEED = "MLKIT_CROWD_SEED"
BEGINNINGS = ("run_started", "run_resumed")


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that everybody may enter."""
    with place_for_everybody() as place:
        yield place


def _pipeline(folder: Path) -> Path:
    """A chain, a map, a stage that may fail: what each writes says of which value it is."""
    write = "\nimport time\ntime.sleep(0.005)\nopen(out, 'w').write(f'{n}' * 9000)"
    read = "assert open({}).read() == f'{{n}}' * 9000"
    return write_pipeline(
        folder,
        Sketch(name="a", declares="n: int = 0", body=write),
        Sketch(
            name="b",
            upstream=("a",),
            declares="n: int = 0\nbroken: bool = False",
            body=read.format("a") + "\nif broken: raise ValueError('as it was told')" + write,
        ),
        Sketch(
            name="each",
            upstream=("a",),
            declares='n: int = 0\nvalue: str = "x"',
            body=read.format("a") + write,
            keys={"foreach": {"value": ["x", "y"]}},
        ),
        Sketch(
            name="last",
            upstream=("b",),
            declares="n: int = 0\nparts: list[str] = []",
            body=f"for path in [b, *parts]:\n    {read.format('path')}" + write,
            keys={"inputs": {"parts": "each.out"}},
        ),
        parameters={"n": 0, "broken": False},
    )


def _start(file: Path, seed: int, steps: int, user: int | None) -> subprocess.Popen[str]:
    words = ("tests.driver.crowd_driver", str(file), str(seed), str(steps))
    command, env = [sys.executable, "-m", *words], dict(os.environ)
    if user is not None:
        command, env = call_as(user, *words)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == '"ready"\n'
    return process


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _crowd(
    file: Path, seed: int, *, users: Sequence[int | None], rounds: int, steps: int
) -> list[str]:
    """Let some at it at once, time and again, of whom one is killed; what they have told."""
    chance = random.Random(seed)
    told: list[str] = []
    for _ in range(rounds):
        crowd = [_start(file, chance.randrange(2**32), steps, user) for user in users]
        for each in crowd:
            _go(each)
        time.sleep(chance.uniform(0.1, 1.5))
        crowd[0].send_signal(signal.SIGKILL)
        for each in crowd:
            out, err = each.communicate(timeout=300)
            assert not err, err
            assert each is crowd[0] or each.returncode == 0
            told += [json.loads(line) for line in out.splitlines() if line.endswith('"')]
        _check(file)
    return told


def _check(file: Path) -> None:
    """Nobody is at work: what has been left is whole, and says so."""
    runs = file.parent / "runs"
    connection = sqlite3.connect(runs / "mlkit.db")
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()
    for master in (runs / "store").glob("??/*"):
        assert _digest(master) == master.parent.name + master.name
    records = list_runs(runs)
    assert {path.parent.resolve().name for path in runs.glob("*/run.json")} <= {
        record.run_id for record in records
    }
    for record in records:
        assert record.status is not RunStatus.RUNNING
        assert find_run(record.run_id, runs) == record
        _check_record(runs / record.run_id, record)
    latest = runs / "latest"
    if latest.is_symlink():
        record = find_run("latest", runs)
        assert record.run_id == str(latest.readlink())
        assert record.status is RunStatus.SUCCEEDED
        assert len(record.stages) == 5


def _check_record(folder: Path, record: RunRecord) -> None:
    """Its files, its events and run.json say the same; what has ended well holds what it should."""
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    went_on = True
    for event in events:
        went_on = went_on or event["event"] in BEGINNINGS
        if event["event"] == "run_finished":
            assert went_on, record.run_id
            went_on = False
    last = {e["stage"]: e["status"] for e in events if e["event"] == "stage_finished"}
    for name, stage in record.stages.items():
        if stage.status not in SUCCESSFUL:
            continue
        assert last.get(name) in ("succeeded", "cached"), (record.run_id, name)
        for artifact in stage.artifacts.values():
            path = Path(artifact.path)
            assert path.read_text() == str(record.parameters["n"]) * 9000, path
            assert _digest(path) == artifact.digest
    if not went_on and record.ended is not None:
        assert json.loads((folder / "run.json").read_text()) == record.to_full_json()
        left = [path.name for path in (folder / ".staging").iterdir()]
        assert [name for name in left if not name.startswith(".")] == [], record.run_id


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_ends_right(file: Path) -> None:
    """What was killed is resumed; a run of the whole is complete, and then all is reused."""
    for record in list_runs(file.parent / "runs"):
        if record.status is RunStatus.KILLED:
            again = resume(record.run_id, file, services=services())
            assert again.ok or record.parameters["broken"]
    assert run(file, layers=Layers(), services=services()).ok
    assert {each.action for each in plan(file, layers=Layers()).values()} == {"reuse"}
    assert find_run("latest", file.parent / "runs").parameters["n"] == 0
    _check(file)


def _drawn() -> int:
    return int(os.environ.get(SEED) or int.from_bytes(os.urandom(4), "big"))


def test_a_crowd_leaves_true_records(tmp_path: Path) -> None:
    """Three processes, of which one is killed, draw what they do from a seed."""
    file, seed = _pipeline(tmp_path / "p"), _drawn()
    told = _crowd(file, seed, users=(None,) * 3, rounds=1, steps=12)
    assert told == [], f"{SEED}={seed}"
    _check_ends_right(file)


def test_a_crowd_of_two_users_leaves_true_records(open_place: Path) -> None:
    """Two of one group, whose folder it is; neither meets what only the other may touch."""
    file, seed = _pipeline(open_place / "p"), _drawn()
    for path in (file.parent, *file.parent.iterdir()):
        os.chown(path, ANN, GROUP)
        path.chmod(0o2775 if path.is_dir() else 0o664)
    told = _crowd(file, seed, users=(ANN, BEN, ANN), rounds=1, steps=12)
    assert told == [], f"{SEED}={seed}"
    _check_ends_right(file)


@pytest.mark.long
def test_a_crowd_leaves_true_records_for_long(tmp_path: Path) -> None:
    """The same, time and again on what is there."""
    file, seed = _pipeline(tmp_path / "p"), _drawn()
    told = _crowd(file, seed, users=(None,) * 4, rounds=8, steps=30)
    assert told == [], f"{SEED}={seed}"
    _check_ends_right(file)
