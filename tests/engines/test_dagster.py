"""Dagster keeps the contract of engines, and shows a run in its own states."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.record import RunRecord
from mlkit.engines.dagster.launch import HOME, dagster_settings
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.testing import Sketch, write_pipeline
from mlkit.testing.engines import statuses
from tests.engines.flights import FlightsContract

pytestmark = [pytest.mark.engine, pytest.mark.kernel, pytest.mark.timeout(900)]

STATES = Path(__file__).with_name("dagster_states.py")


def asked(record: RunRecord) -> dict[str, Any]:
    """What Dagster's own storage says of a run."""
    assert record.engine is not None
    home = Path(record.runs_dir) / record.run_id / "engine" / HOME
    done = subprocess.run(
        [engine_python(ENGINES["dagster"], os.environ), STATES, record.engine["run_id"]],
        env={**os.environ, **dagster_settings(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


class TestDagster(FlightsContract):
    """Every pipeline of the contract, and flights, in one process of Dagster's."""

    engine = "dagster"

    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """Ask the storage that Dagster itself wrote; its assets are those of the run."""
        told = asked(record)
        assert told["status"] == ("SUCCESS" if record.ok else "FAILURE")
        assert {key: tags["dagster/data_version"] for key, tags in told["assets"].items()} == {
            "/".join([item.stage, output, *_value(key)]): artifact.digest
            for key, item in record.stages.items()
            for output, artifact in item.artifacts.items()
        }
        names = {item.engine_task: key for key, item in record.stages.items()}
        return {names.get(step) or step: state for step, state in told["steps"].items()}

    def test_what_dagster_would_not_load_or_not_end(self, tmp_path: Path) -> None:
        """A map behind all of another one; behind a skipped stage and one that is held back."""
        file = write_pipeline(
            tmp_path / "pipeline",
            Sketch(name="skipped", body="import mlkit\nmlkit.skip('nothing to do')"),
            Sketch(name="bad", body="1 / 0"),
            Sketch(name="behind", upstream=("bad",)),
            Sketch(name="last", upstream=("skipped", "behind")),
            Sketch(name="first", declares="a: str = ''", keys={"foreach": {"a": ["p", "q"]}}),
            Sketch(
                name="second",
                declares="b: str = ''\nof: list[str] = []",
                body="open(out, 'w').write(f'{b} {len(of)}')",
                keys={"foreach": {"b": ["r"]}, "inputs": {"of": "first.out"}},
            ),
        )
        _, there = self.both(file)
        ended = statuses(there)
        assert (ended["last"], ended["second[r]"]) == ("upstream_failed", "succeeded")

    @pytest.mark.slow
    def test_a_stage_that_others_wait_for_is_a_check(self, tmp_path: Path) -> None:
        """Of the artifacts that it reads: passed when it succeeded, failed when it failed."""
        for place, body in (("good", "open(out, 'w').write('fine')"), ("bad", "1 / 0")):
            file = write_pipeline(
                tmp_path / place,
                Sketch(name="top"),
                Sketch(name="validate", upstream=("top",), body=body),
                Sketch(name="behind", upstream=("top",), keys={"after": ["validate"]}),
            )
            there = self.on_engine(file, tmp_path / f"runs-{place}")
            assert asked(there)["checks"] == [["validate", "top/out", place == "good"]]
            assert there.stages["behind"].status == (
                "succeeded" if place == "good" else "upstream_failed"
            )


def _value(key: str) -> list[str]:
    """What stands in the brackets of an instance's id, as the key of a partition."""
    return [key.partition("[")[2][:-1]] if key.endswith("]") else []
