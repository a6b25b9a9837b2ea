"""Schedules on engines: at the very same times as here, or refused."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import zoneinfo
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import from_regex

from mlkit.api.exports import export
from mlkit.core.cron import Cron, parse_cron
from mlkit.core.every import Every, parse_when
from mlkit.core.intervals import Schedule, ticks
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.engines.schedules import as_cron, plain_cron
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import chain
from tests.engines.constructs import in_image

CRONS = r"0 0 (\*|\*/[12]|[1-9]/9|3[01]|1-31|5-5,9)( (\*|2|feb)) (\*|\*/[12]|[0-7]|sun-tue|0-6|5-7)"
_DAY = dt.timedelta(days=1)
JUMPS = (dt.datetime(2027, 3, 26, tzinfo=dt.UTC), dt.datetime(2027, 10, 29, tzinfo=dt.UTC))
"""Two days before Berlin's clock jumps."""


def _export(folder: Path, engine: str, *lines: str) -> str:
    file = in_image(chain(folder), engine)
    file.write_text("\n".join([*lines, file.read_text("utf-8")]), encoding="utf-8")
    made = export(file, engine, runs_dir="s3://bucket/runs")
    return "\n".join(made.files.values())


@pytest.mark.parametrize(
    ("text", "zone", "cron"),
    [
        ("every 6h", "UTC", "0 0,6,12,18 * * *"),
        ("every 6h", "Europe/Berlin", "0 5,11,17,23 * * *"),
        ("every 15m", "Asia/Kolkata", "0,15,30,45 * * * *"),
        ("every 1d", "Asia/Kolkata", "30 18 * * *"),
        ("every 7h", "UTC", None),
        ("every 2d", "UTC", None),
        ("every 90m", "UTC", None),
    ],
)
def test_a_span_that_fits_into_a_day_is_cron(text: str, zone: str, cron: str | None) -> None:
    """In UTC, where no clock jumps; at the same times, if there is such an expression."""
    when = parse_when(text)
    assert isinstance(when, Every)
    assert as_cron(when, zone) == cron
    if cron is not None:
        start, stop = JUMPS[0], JUMPS[0] + dt.timedelta(days=5)
        mine = ticks(Schedule(when=when, zone=zoneinfo.ZoneInfo(zone)), start, stop)
        assert list(mine) == list(ticks(Schedule(when=parse_when(cron)), start, stop))


BERLIN = "timezone: Europe/Berlin"


@pytest.mark.parametrize(
    ("engine", "lines", "said"),
    [
        ("airflow", ('schedule: "0 6 * * *"', BERLIN), 'timezone="Europe/Berlin"'),
        ("airflow", ("schedule: every 6h",), "0 0,6,12,18 * * *"),
        ("airflow", ('schedule: "@daily"', "overlap: true"), "max_active_runs=16"),
        ("prefect", ('schedule: "0 6 * * *"', BERLIN), 'timezone: "Europe/Berlin"'),
        ("prefect", ("schedule: every 6h", BERLIN), "0 5,11,17,23 * * *"),
        ("prefect", ('schedule: "@daily"', "overlap: true"), "overlap=True"),
        ("kubeflow", ("schedule: every 6h", BERLIN), "0 0 5,11,17,23 * * *"),
        ("kubeflow", ('schedule: "@daily"', "overlap: true"), '"max_concurrency": 10'),
        ("argo", ('schedule: "0 6,18 * * *"', BERLIN), 'timezone: "Europe/Berlin"'),
        ("argo", ('schedule: "@daily"', "overlap: true"), "concurrencyPolicy: Allow"),
        ("argo", ('schedule: "0 0 * * 5-7"',), "0 0 * * 0,5,6"),
        ("stepfunctions", ('schedule: "0 0 1-31 * mon"',), "cron(0 0 * * ? *)"),
        ("dagster", ('schedule: "0 * * * *"', BERLIN), "0 * * * *"),
    ],
)
def test_an_engine_carries_what_it_does_alike(
    tmp_path: Path, engine: str, lines: tuple[str, ...], said: str
) -> None:
    """Time zone, spans, and whether runs may overlap."""
    assert said.replace('"', "") in _export(tmp_path, engine, *lines).replace('"', "")


@pytest.mark.parametrize(
    ("engine", "lines", "fact"),
    [
        ("airflow", ("schedule: every 7h",), "does not fit into a day"),
        ("airflow", ('schedule: "30 2 * * *"', BERLIN), "jumps, as on 2026-03-2"),
        ("airflow", ('schedule: "0 6,18 * * *"', BERLIN), "several times a day"),
        ("kubeflow", ('schedule: "0 6 * * *"', BERLIN), "knows that of UTC only"),
        ("argo", ('schedule: "30 2 * * *"', BERLIN), "twice there or not at all"),
        ("dagster", ('schedule: "30 2 * * *"', BERLIN), "at another time"),
        ("dagster", ('schedule: "0 */2 * * *"', BERLIN), "at another time"),
        ("dagster", ('schedule: "@hourly"', "timezone: Australia/Lord_Howe"), "at another time"),
        ("stepfunctions", ('schedule: "30 2 * * *"', BERLIN), "at another time"),
        ("stepfunctions", ('schedule: "@hourly"', BERLIN), "at another time"),
        ("airflow", ('schedule: "0 0 */2 * mon"',), "given days of the week as well"),
        ("prefect", ('schedule: "0 0 13 * */2"',), "given days of the week as well"),
    ],
)
def test_what_an_engine_would_keep_otherwise_is_refused(
    tmp_path: Path, engine: str, lines: tuple[str, ...], fact: str
) -> None:
    """At export, with what to do."""
    with pytest.raises(UnsupportedByEngineError, match=fact) as caught:
        _export(tmp_path, engine, *lines)
    assert "mlkit serve" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("cron", "plain"),
    [
        ("*/15 9-17 * jan-MAR mon-Fri", "*/15 9-17 * jan-mar mon-fri"),
        ("@weekly", "@weekly"),
        ("5 0 13-13 * *", "5 0 13 * *"),
        ("0 */40 1/10 * *", "0 0 1,11,21,31 * *"),
        ("0 0 1-31 * mon", "0 0 * * *"),
        ("0 0 */1 * mon", "0 0 * * mon"),
        ("0 0 31 2 mon", "0 0 * 2 mon"),
        ("0 0 13 * fri,7", "0 0 13 * 0,5"),
        ("0 0 */2 * mon", None),
    ],
)
def test_cron_is_written_as_every_tool_reads_it(cron: str, plain: str | None) -> None:
    """Dialects differ in steps of days, Sunday's 7, ranges of one and days that never come."""
    when = parse_when(cron)
    assert isinstance(when, Cron)
    assert plain_cron(when) == plain


@given(text=from_regex(CRONS, fullmatch=True))
def test_plain_cron_comes_at_the_same_times(text: str) -> None:
    """What is rewritten is read again as the schedule that it was."""
    try:
        when = parse_cron(text)
    except ValueError:
        return
    plain, start = plain_cron(when), dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    if plain is not None:
        both = [Schedule(when=cron) for cron in (when, parse_cron(plain))]
        mine, its = (list(ticks(one, start, start + 60 * _DAY)) for one in both)
        assert its == mine


_AIRFLOW = """
import json, sys
from datetime import datetime, timedelta
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
import pendulum
cron, zone, *starts = sys.argv[1:]
found = []
for start in map(pendulum.parse, starts):
    table = CronTriggerTimetable(cron, timezone=zone)
    limit = TimeRestriction(earliest=start, latest=start.add(days=5), catchup=True)
    last = None
    while (info := table.next_dagrun_info(last_automated_data_interval=last, restriction=limit)):
        if info.run_after >= start.add(days=5):
            break
        found.append(info.run_after.timestamp())
        last = info.data_interval
print(json.dumps(found))
"""
_DAGSTER = """
import json, sys
from datetime import datetime, timedelta
from dagster._utils.schedules import cron_string_iterator
cron, zone, *starts = sys.argv[1:]
found = []
for start in map(datetime.fromisoformat, starts):
    for date in cron_string_iterator(start.timestamp(), cron, zone):
        if date >= start + timedelta(days=5):
            break
        found.append(date.timestamp())
print(json.dumps(found))
"""
_PREFECT = """
import asyncio, json, sys
from datetime import datetime, timedelta
from prefect.server.schemas.schedules import CronSchedule
cron, zone, *starts = sys.argv[1:]
found = []
for start in map(datetime.fromisoformat, starts):
    end = start + timedelta(days=5)
    dates = asyncio.run(CronSchedule(cron=cron, timezone=zone).get_dates(1000, start, end))
    found += [date.timestamp() for date in dates if date < end]
print(json.dumps(found))
"""


@pytest.mark.engine
@pytest.mark.parametrize(
    ("engine", "code"), [("airflow", _AIRFLOW), ("prefect", _PREFECT), ("dagster", _DAGSTER)]
)
@pytest.mark.parametrize(
    "cron", ["0 6 * * *", "15 4 * * mon", "0 5 */1 * mon-7/3", "5 6 28-28 * *"]
)
def test_the_engines_own_classes_give_the_same_times(engine: str, code: str, cron: str) -> None:
    """Through both changes of the clock."""
    starts = [start.isoformat() for start in JUMPS]
    words = [str(engine_python(ENGINES[engine], os.environ)), "-W", "ignore", "-c", code]
    written = plain_cron(parse_cron(cron))
    assert written is not None
    done = subprocess.run(
        [*words, written, "Europe/Berlin", *starts],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    mine = Schedule(when=parse_when(cron), zone=zoneinfo.ZoneInfo("Europe/Berlin"))
    expected = [t.timestamp() for s in JUMPS for t in ticks(mine, s, s + dt.timedelta(days=5))]
    assert json.loads(done.stdout.splitlines()[-1]) == expected
    assert expected
