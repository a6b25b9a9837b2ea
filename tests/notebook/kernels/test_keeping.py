"""How much memory kept kernels hold, in a container, and that no other user gets at them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlkit.testing import Sketch, write_pipeline
from tests.other_user import ANN, BEN, mlkit_as, needs_other_users, place_for_everybody

pytestmark = pytest.mark.kernel

CONTAINER = """
mount -t tmpfs none /sys/fs/cgroup
echo "$1" >/sys/fs/cgroup/memory.max
shift
exec "$@"
"""
"""In a mount namespace: a container's limit, read where it is read on every machine."""
HOLDS = "held = b'x' * (megabytes * 1_000_000)\nraise OSError(out)"


def _stage(name: str, megabytes: int) -> Sketch:
    return Sketch(name=name, body=HOLDS, declares=f"megabytes: int = {megabytes}")


def _json(text: str) -> Any:
    return json.loads(text)


@pytest.mark.timeout(240)
def test_a_quarter_of_a_containers_memory_is_kept(tmp_path: Path) -> None:
    """The oldest makes room; one that is too large by itself is not kept, and the run says so."""
    needs_other_users()
    stages = (_stage("a", 250), _stage("b", 250), _stage("c", 600))
    file = write_pipeline(tmp_path / "large", *stages)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MLKIT_")}
    environment = {**kept, "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    mlkit = [sys.executable, "-m", "mlkit"]

    def call(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=200, check=False
        )

    inside = ["unshare", "--mount", "sh", "-c", CONTAINER, "sh", "1600000000", *mlkit]
    ran = call(*inside, "run", str(file), "--workers", "1", "--keep-failed", "5m")
    try:
        assert ran.returncode == 1, ran.stderr
        listed = _json(call(*mlkit, "kernels", "--json").stdout)["kept"]
        assert [(each["stage"], each["attempt"]) for each in listed] == [("b", 1)], ran.stderr
        said = " ".join(ran.stderr.split())
        assert "kept kernels may hold 0.4 GB, a quarter of the memory" in said
        assert "0.6 GB" in said
    finally:
        ended = call(*mlkit, "kernels", "stop")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.timeout(240)
def test_no_other_user_gets_at_a_kept_kernel() -> None:
    """He sees the run, for the folder is a group's; neither list, address nor kernel is his."""
    with place_for_everybody() as place:
        folder = place / "shared"
        file = write_pipeline(folder, Sketch(name="work", body="secret = 42\nraise OSError(out)"))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        ran = mlkit_as(ANN, "run", str(file), "--keep-failed", "5m", "--json", cwd=folder)
        try:
            assert ran.returncode == 1, ran.stderr
            run_id = _json(ran.stdout)["run_id"]
            hers = _json(mlkit_as(ANN, "kernels", "--json", cwd=folder).stdout)["kept"]
            assert [each["run_id"] for each in hers] == [run_id]
            seen = mlkit_as(BEN, "show", run_id, str(file), "--json", cwd=folder)
            assert _json(seen.stdout)["status"] == "failed", seen.stderr
            assert _json(mlkit_as(BEN, "kernels", "--json", cwd=folder).stdout)["kept"] == []
            asked = mlkit_as(BEN, "debug", run_id, "work", str(file), "--live", cwd=folder)
            assert asked.returncode == 2, asked.stdout
            assert "no kernel of stage 'work'" in asked.stderr
            assert mlkit_as(BEN, "kernels", "stop", hers[0]["id"], cwd=folder).returncode != 0
            _nobody_may_enter(Path("/tmp") / f"mlkit-home-{ANN}", hers[0]["id"])
            still = _json(mlkit_as(ANN, "kernels", "--json", cwd=folder).stdout)["kept"]
            assert [each["id"] for each in still] == [hers[0]["id"]]
        finally:
            ended = mlkit_as(ANN, "kernels", "stop", cwd=folder)
        assert ended.returncode == 0, ended.stderr


def _nobody_may_enter(home: Path, kernel: str) -> None:
    """Where the kernel's key and sockets are, only their owner has any right."""
    (entry,) = home.rglob(kernel)
    for path in (entry, *entry.rglob("*")):
        assert path.lstat().st_uid == ANN, path
    assert entry.stat().st_mode & 0o077 == 0
    assert (entry / "connection").stat().st_mode & 0o077 == 0
