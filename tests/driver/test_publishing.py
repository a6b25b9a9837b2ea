"""What is sent of a run under way grows with its time, not with its time and its size."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlkit.core.record import RunRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.driver import publishing
from mlkit.driver.publishing import Publisher, pause_s
from mlkit.store.folder import RunFolder
from mlkit.testing import FakeClock, mapped, run_fake

RATE = 1_000
STAGES = 60


@dataclass
class Store:
    """Takes files, and counts their bytes."""

    sent: Counter[str] = field(default_factory=Counter)

    def write(self, name: str, data: bytes) -> None:
        """Take a file."""
        self.sent[name.rpartition("/")[2]] += len(data)

    def upload(self, file: Path, name: str) -> None:
        """Take a file of this machine."""
        self.write(name, file.read_bytes())


@dataclass
class Growing:
    """A run of which one stage after the other has ended."""

    record: RunRecord
    ended: int = 0
    joins: bool = False
    scrubber: Scrubber = field(default_factory=Scrubber)

    def snapshot(self) -> RunRecord:
        """The stages that have ended."""
        return replace(self.record, stages=dict([*self.record.stages.items()][: self.ended]))


def _sent(record: RunRecord, rate: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes of run.json that are sent while a run's stages end, one a second."""
    monkeypatch.setattr(publishing, "_RECORD_BYTES_A_S", rate)
    run, clock, store = Growing(record), FakeClock(), Store()
    sharing = SimpleNamespace(runs=store, index=SimpleNamespace(share=lambda result, deep: None))
    folder = RunFolder(Path(record.runs_dir) / record.run_id)
    publisher = Publisher(cast(Any, sharing), folder, clock)
    for stage in record.stages.values():
        run.ended += 1
        publisher.ended(stage, run)
        clock.advance(1)
    publisher.close()
    return store.sent["run.json"]


def test_a_long_run_sends_no_more_than_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the last one; where the rate does not matter, the same run sends far more."""
    record = run_fake(mapped(tmp_path, tuple(map(str, range(STAGES)))))
    last = len(publishing._document(Growing(record), record))
    assert _sent(record, RATE, monkeypatch) <= STAGES * RATE + last
    assert _sent(record, 10**9, monkeypatch) > 4 * (STAGES * RATE + last)


@pytest.mark.parametrize(("size_bytes", "wanted_s"), [(0, 2), (90_000, 2), (10_000_000, 40)])
def test_how_long_a_record_is_not_sent_again(size_bytes: int, wanted_s: float) -> None:
    """A small run's is sent every two seconds, that of ten thousand stages at most once in 40."""
    assert pause_s(size_bytes) == wanted_s
