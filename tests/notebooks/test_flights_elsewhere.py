"""The flights pipeline on a Dask cluster, its artifacts shared through a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dask_cluster import cluster
from tests.notebooks.conftest import copy_flights, run
from tests.remote import s3_server

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@pytest.mark.timeout(1200)
def test_a_cluster_and_a_bucket_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every artifact up to the gate is the same as on this machine, and another one reuses all."""
    with s3_server() as s3:
        s3.make_bucket("flights")
        for name, value in s3.environ.items():
            monkeypatch.setenv(name, value)
        where = ("--until", "gate", "--store", "s3://flights/my store")
        with cluster(tmp_path / "cluster") as dask:
            there = run(copy_flights(tmp_path / "a b{c}"), *where, "--executor", dask.executor)
        assert there.exit_code == 0, there.text
        again = run(copy_flights(tmp_path / "other"), *where)
        assert again.exit_code == 0, again.text
        ran = {name for name, stage in again.stages.items() if stage["status"] != "cached"}
        assert ran <= {"champion", "gate"}
    here = run(copy_flights(tmp_path / "here"), "--until", "gate")
    mine, others = here.digests(), there.digests()
    assert {k: v for k, v in others.items() if not k.startswith(("champion", "gate"))} == {
        k: v for k, v in mine.items() if not k.startswith(("champion", "gate"))
    }
    assert len(mine) > 20
