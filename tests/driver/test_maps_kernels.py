"""Chained maps with real kernels: a month more is one notebook more of each stage, and the join."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from mlkit import RunOptions, plan, run
from mlkit.core.record import RunRecord
from mlkit.load.parameters import Layers
from mlkit.testing import Sketch, write_pipeline

pytestmark = pytest.mark.kernel

MONTHS = list(range(1, 13))
COLLECT = """import json
from pathlib import Path
Path(out).write_text(json.dumps([month * day for day in range(1, 4)]))"""
NEXT = """import json
from pathlib import Path
Path(out).write_text(json.dumps([number + 1 for number in json.loads(Path(raw).read_text())]))"""
JOIN = """import json
from pathlib import Path
Path(out).write_text(json.dumps(sum(sum(json.loads(Path(p).read_text())) for p in parts)))"""


def write(folder: Path) -> Path:
    """`collect[M] → clean[M] → features[M] → score[M]`, and `join` of all."""
    over = {"month": "parameters.months"}
    names = ("collect", "clean", "features", "score")
    return write_pipeline(
        folder,
        Sketch(name="collect", body=COLLECT, declares="month: int = 1", keys={"foreach": over}),
        *(
            Sketch(
                name=name,
                body=NEXT,
                declares="raw: str = ''",  # which month it is, they need not know
                keys={"foreach": over, "inputs": {"raw": f"{before}[month].out"}},
            )
            for before, name in itertools.pairwise(names)
        ),
        Sketch(
            name="join",
            body=JOIN,
            declares="parts: list[str] = []",
            keys={"inputs": {"parts": "score.out"}},
        ),
        parameters={"months": MONTHS},
    )


def go(file: Path, months: list[int]) -> RunRecord:
    """Run it for some months."""
    return run(file, layers=Layers(), parameters={"months": months}, options=RunOptions(workers=2))


def total(months: list[int]) -> int:
    """What the join should say."""
    return sum(month * day + 3 for month in months for day in range(1, 4))


def test_a_month_more_runs_four_instances_and_the_join(tmp_path: Path) -> None:
    """Eleven months are there; the twelfth goes through its own chain, as the plan has said."""
    file = write(tmp_path)
    first = go(file, MONTHS[:11])
    assert first.ok
    assert len(first.stages) == 45
    told = [key for key, item in plan(file).items() if item.action == "run"]
    record = go(file, MONTHS)
    ran = [key for key, item in record.stages.items() if item.status != "cached"]
    assert ran == ["collect[12]", "clean[12]", "features[12]", "score[12]", "join"]
    assert told == ran
    assert json.loads(Path(record.stages["join"].outputs["out"]).read_text()) == total(MONTHS)
    events = [json.loads(line) for line in _events(record)]
    started = [e["stage"] for e in events if e["event"] == "attempt_started"]
    assert started == ran


def test_a_slow_month_holds_up_nobody_else(tmp_path: Path) -> None:
    """The last stage of one month has ended before the first stage of another."""
    file = write(tmp_path)
    slow = tmp_path / "collect.ipynb"
    text = slow.read_text().replace(
        "import json\\nfrom", "import time\\ntime.sleep(4 * (month == 1))\\nimport json\\nfrom"
    )
    slow.write_text(text)
    record = go(file, [1, 2])
    assert record.ok
    ended = {key: item.ended for key, item in record.stages.items()}
    last, first = ended["score[2]"], ended["collect[1]"]
    assert last is not None
    assert first is not None
    assert last < first


def _events(record: RunRecord) -> list[str]:
    path = Path(record.runs_dir) / record.run_id / "events.jsonl"
    return path.read_text(encoding="utf-8").splitlines()
