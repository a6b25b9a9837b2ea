"""What engines do beyond their contract: with a bucket, and with the flights pipeline."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.testing.engines import EngineContract, digests, statuses

FLIGHTS = Path(__file__).resolve().parents[2] / "notebooks" / "flights"
SMALL: dict[str, Any] = {"rows": 2000, "tune.n_candidates": 3}


class BucketContract(EngineContract):
    """What an engine does whose machines share nothing but a bucket."""

    @pytest.fixture
    def shared_url(self, bucket: str) -> str:
        """A place in a bucket, with a space and braces in it."""
        return bucket


class FlightsContract(BucketContract):
    """What an engine does with the pipeline that everybody starts with."""

    def test_flights(self, tmp_path: Path, champion: Path) -> None:
        """Same states and digests as here, from copies of one registry; a rerun is cached."""
        for name in ("here", "there"):
            shutil.copytree(champion, tmp_path / name, symlinks=True)
        local = self.here(FLIGHTS, tmp_path / "here", **SMALL)
        there = self.on_engine(FLIGHTS, tmp_path / "there", **SMALL)
        assert there.ok, (statuses(there), there.warnings)
        assert (statuses(there), digests(there)) == (statuses(local), digests(local))
        again = self.on_engine(FLIGHTS, tmp_path / "there", **SMALL)
        assert again.ok
        assert _reran(again) == _reran(self.here(FLIGHTS, tmp_path / "here", **SMALL))
        assert _reran(again) <= CHANGED


CHANGED = {"champion", "gate", "register", "finish"}
"""What looks at the registry or changes it; the first run has put another champion there."""


def _reran(record: RunRecord) -> set[str]:
    """The stages that were executed."""
    return {key for key, item in record.stages.items() if item.status is Status.SUCCEEDED}
