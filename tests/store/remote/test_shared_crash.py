"""A driver that is killed while it sends leaves nothing behind the URL that is ever misused."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlkit import list_runs
from mlkit.store.remote.files import Remote
from mlkit.testing import FakeRunner, Sketch, run_fake, write_pipeline
from tests.store.remote.conftest import Machine

DRIVER = Path(__file__).with_name("shared_driver.py")
WHOLE = 300_000


def _pipeline(folder: Path) -> Path:
    """Artifacts of some size, so that a kill meets one on its way."""
    write = f"open(out, 'w').write({{text}} * {WHOLE})"
    read = f"assert len(open(a).read()) == {WHOLE}\n"
    return write_pipeline(
        folder,
        Sketch(name="a", body=write.format(text="'a'")),
        Sketch(name="b", upstream=("a",), body=read + write.format(text="'b'")),
        Sketch(name="c", upstream=("a",), body=read + write.format(text="'c'")),
    )


def _killed(file: Path, url: str, delay_s: float) -> bool:
    """Start a driver and kill it after a while; whether it had ended already."""
    process = subprocess.Popen(
        [sys.executable, str(DRIVER), str(file), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    time.sleep(delay_s)
    ended = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    return ended


def _check(url: str) -> None:
    """Whatever a record behind the URL names stands there, whole."""
    remote = Remote(url)
    for entry in remote.entries("store/results"):
        text = remote.read(entry.name)
        assert text is not None
        for digest in json.loads(text)["outputs"].values():
            data = remote.read(f"store/{digest[:2]}/{digest[2:]}")
            assert data is not None
            assert hashlib.sha256(data).hexdigest() == digest
    for entry in remote.entries(".runs"):
        run_id = entry.name.partition("/")[2]
        record = json.loads(remote.read(f"{run_id}/run.json") or b"")
        for stage in record["stages"].values():
            for artifact in stage["artifacts"].values():
                digest = artifact["digest"]
                assert remote.size(f"store/{digest[:2]}/{digest[2:]}") == artifact["size_bytes"]


def _change(file: Path, number: int) -> None:
    """Have the next run do everything again."""
    for notebook in file.parent.glob("*.ipynb"):
        head, _, rest = notebook.read_text().partition('"source": "')
        notebook.write_text(f'{head}"source": "# change {number}\\n{rest}')


def _kill(url: str, on: Machine, folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    file = _pipeline(folder)
    span_s = 1.5
    for number in range(kills):
        on(f"machine {number % 2}")
        if _killed(file, url, chance.uniform(0.05, span_s)):
            _change(file, number)
            span_s = max(0.3, span_s * 0.8)
        _check(url)
    on("last")
    runner = FakeRunner()
    record = run_fake(file, runs_dir=url, runner=runner)
    assert record.status == "succeeded"
    for name in "abc":
        assert Path(record.stages[name].outputs["out"]).read_text() == name * WHOLE
    _check(url)
    on("newcomer")
    assert list_runs(url)[-1].run_id == record.run_id
    after = FakeRunner()
    assert run_fake(file, runs_dir=url, runner=after).status == "succeeded"
    assert after.stages == []


def test_a_few_kills_while_sending(bucket: str, on: Machine, tmp_path: Path) -> None:
    """On two machines in turn; each goes on with what the other has left."""
    _kill(bucket, on, tmp_path / "p", 3, seed=int.from_bytes(os.urandom(4), "big"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_many_kills_while_sending(url: str, on: Machine, tmp_path: Path, seed: int) -> None:
    """25 for each of 4 seeds, on a disk and in a bucket."""
    _kill(url, on, tmp_path / "p", 25, seed=seed)
