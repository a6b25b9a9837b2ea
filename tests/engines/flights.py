"""What engines do beyond their contract: with a bucket, and with the flights pipeline."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class FlightsHere:
    """What came of flights in this process, and which stages a second run executed."""

    statuses: Mapping[str, str]
    digests: Mapping[str, Mapping[str, str]]
    reran: set[str]


class FlightsContract(BucketContract):
    """What an engine does with the pipeline that everybody starts with."""

    @pytest.mark.long
    def test_flights(self, tmp_path: Path, champion: Path, flights_here: FlightsHere) -> None:
        """Same states and digests as here, from copies of one registry; a rerun is cached."""
        shutil.copytree(champion, tmp_path / "there", symlinks=True)
        there = self.on_engine(FLIGHTS, tmp_path / "there", **SMALL)
        assert there.ok, (statuses(there), there.warnings)
        assert (statuses(there), digests(there)) == (flights_here.statuses, flights_here.digests)
        again = self.on_engine(FLIGHTS, tmp_path / "there", **SMALL)
        assert again.ok
        assert reran(again) == flights_here.reran
        assert reran(again) <= CHANGED


CHANGED = {"champion", "gate", "register", "finish"}
"""What looks at the registry or changes it; the first run has put another champion there."""


def reran(record: RunRecord) -> set[str]:
    """The stages that were executed."""
    return {key for key, item in record.stages.items() if item.status is Status.SUCCEEDED}
