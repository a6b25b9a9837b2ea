"""`mlkit backfill`, as a user calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlkit.testing import Sketch, chain, write_pipeline
from tests.cli.conftest import Call

MAIN = "from mlkit.cli.main import main; main()"
DECLARES = "import datetime\nlogical_date: datetime.date | None = None\nfails: int = 0"
BODY = """import json
if logical_date.month == fails:
    raise ValueError("no flights")
json.dump({"month": logical_date.month}, open(out, "w"))"""
SPAN = ("--from", "2013-01-01", "--to", "2013-03-31")


@pytest.fixture
def monthly(tmp_path: Path) -> Path:
    """A pipeline of one stage, due at the beginning of each month."""
    sketch = Sketch(name="month", body=BODY, declares=DECLARES, file="month.json")
    return write_pipeline(tmp_path, sketch, schedule="0 0 1 * *")


@pytest.mark.kernel
def test_a_backfill_is_idempotent_and_makes_failures_good(call: Call, monthly: Path) -> None:
    """Exit code 1 while one fails and the others are run; then only that one is run again."""
    first = call("backfill", monthly, *SPAN, "-p", "fails=2", "--parallel", "2", "--json")
    assert first.code == 1
    told = [line.partition("; ")[2] for line in first.err.splitlines() if "; " in line]
    assert told == ["1 of 3 runs", "2 of 3 runs", "3 of 3 runs"]
    document = first.json()
    assert list(document) == ["pipeline", "schedule", "timezone", "intervals"]
    assert [item["status"] for item in document["intervals"]] == [
        "succeeded",
        "failed",
        "succeeded",
    ]
    second = call("backfill", monthly, *SPAN, "--metric", "month")
    assert second.code == 0
    assert "3 intervals, 1 to run" in second.err
    lines = second.out.splitlines()
    assert lines[0].split() == ["INTERVAL", "STATE", "RUN", "TOOK", "month"]
    assert [line.split()[-1] for line in lines[1:]] == ["1", "2", "3"]
    assert [" ✓ kept" in line for line in lines[1:]] == [True, False, True]
    listed = call("runs", monthly, "--columns", "run,interval", "--sort", "interval").out
    assert [line.split()[1] for line in listed.splitlines()[1:]] == [
        *("2013-01-01", "2013-02-01", "2013-02-01", "2013-03-01")
    ]
    third = call("backfill", monthly, *SPAN, "--json").json()
    assert {item["status"] for item in third["intervals"]} == {"kept"}


def test_a_dry_run_runs_nothing(call: Call, monthly: Path) -> None:
    """It names each interval, what it would do, and why."""
    spoken = call("backfill", monthly, *SPAN, "--dry-run")
    assert spoken.code == 0
    assert "2013-02-01 → 2013-03-01  run     has no run" in spoken.out
    assert not (monthly.parent / "runs").exists()
    document = call("backfill", monthly, *SPAN, "--dry-run", "--json").json()
    assert document["intervals"][0] == {
        "start": "2013-01-01T00:00:00+00:00",
        "end": "2013-02-01T00:00:00+00:00",
        "action": "run",
        "reason": "has no run",
        "status": None,
        "run_id": None,
        "seconds": None,
    }


def test_another_schedule_and_zone_may_be_given(call: Call, monthly: Path) -> None:
    """Weeks on New York's clock."""
    words = ("--schedule", "0 0 * * 0", "--timezone", "America/New_York", "--dry-run", "--json")
    document = call("backfill", monthly, *SPAN, *words).json()
    starts = [item["start"] for item in document["intervals"]]
    assert len(starts) == 13
    assert (starts[0], starts[-1]) == ("2013-01-06T00:00:00-05:00", "2013-03-31T00:00:00-04:00")


def test_a_pipeline_that_ignores_the_date_is_warned_of(call: Call, tmp_path: Path) -> None:
    """Every interval's run would do the same."""
    file = chain(tmp_path, 1, schedule="0 0 1 * *")
    spoken = call("backfill", file, *SPAN, "--dry-run")
    assert "no notebook declares 'logical_date', so every interval's run does the same" in (
        spoken.err
    )


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("--from", "2013-02-01", "--to", "2013-01-01"), "lies before"),
        (("--from", "x", "--to", "2013-01-01"), "this is no date"),
        ((*SPAN, "--schedule", "* * * *"), "has 4 fields"),
        ((*SPAN, "--timezone", "Mars"), "there is no time zone 'Mars'"),
        ((*SPAN, "--schedule", "* * * * *"), "more than 1,000 intervals"),
        ((*SPAN, "-p", "logical_date=2013-01-01"), "each interval's run receives its own"),
        ((*SPAN, "-p", "rows=1"), "no parameter is called 'rows'"),
        (("--from", "2013-01-01"), "Missing option '--to'"),
    ],
)
def test_a_mistake_is_a_sentence(
    call: Call, monthly: Path, words: tuple[str, ...], fact: str
) -> None:
    """Exit code 2, and nothing was run."""
    spoken = call("backfill", monthly, *words, "--json")
    assert spoken.code == 2
    assert fact in spoken.json()["error"]["message"]
    assert not (monthly.parent / "runs").exists()


@pytest.mark.kernel
def test_an_interrupted_backfill_goes_on_where_it_stopped(call: Call, tmp_path: Path) -> None:
    """130 on Ctrl-C; what was finished is kept."""
    body = "import time\ntime.sleep(120 if logical_date.month == 2 else 0)"
    sketch = Sketch(name="month", body=body, declares=DECLARES, file="")
    file = write_pipeline(tmp_path, sketch, schedule="0 0 1 * *")
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "backfill", str(file), *SPAN, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("MLKIT_")},
    )
    deadline = time.monotonic() + 60
    while _started(tmp_path) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    found = [item["status"] for item in json.loads(out)["intervals"]]
    assert found == ["succeeded", "cancelled", "left_out"]
    plan = call("backfill", file, *SPAN, "--dry-run", "--json").json()["intervals"]
    assert [item["action"] for item in plan] == ["keep", "run", "run"]


def _started(folder: Path) -> int:
    """How many runs have started an attempt."""
    logs = (folder / "runs").glob("2*/events.jsonl")
    return sum("attempt_started" in log.read_text() for log in logs)
