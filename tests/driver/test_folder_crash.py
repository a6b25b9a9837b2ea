"""A driver that is killed while it works on a folder leaves nothing half-written that is used."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlkit import list_runs
from mlkit.core.states import SUCCESSFUL
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.trees import digest_tree
from mlkit.testing import Sketch, run_fake, write_pipeline

DRIVER = Path(__file__).with_name("crash_driver.py")
FILES = 1500


def _pipeline(folder: Path) -> Path:
    body = (
        "from pathlib import Path\n(Path(parts) / 'deep').mkdir()\n"
        f"for k in range({FILES}): (Path(parts) / 'deep' / str(k)).write_text(str(k) * 100)"
    )
    read = f"import os\nassert len(os.listdir(parts + '/deep')) == {FILES}\nopen(out, 'w').close()"
    return write_pipeline(
        folder,
        Sketch(name="w", file="", body=body, keys={"outputs": {"parts": "parts/"}}),
        Sketch(
            name="r", declares="parts: str = ''", body=read, keys={"inputs": {"parts": "w.parts"}}
        ),
    )


def _check(runs: Path) -> None:
    """What a record calls finished is whole."""
    for record in list_runs(runs):
        for stage in record.stages.values():
            for artifact in stage.artifacts.values() if stage.status in SUCCESSFUL else ():
                if artifact.is_folder:
                    assert digest_tree(Path(artifact.path)) == artifact.digest


def test_kills_at_random_instants_of_a_folder(tmp_path: Path) -> None:
    """Whatever was being written: the next run, or the resumed one, is right."""
    file = _pipeline(tmp_path / "p")
    runs = file.parent / "runs"
    chance = random.Random(7)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, str(DRIVER), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("go\n")
            process.stdin.flush()
            time.sleep(chance.uniform(0.05, 0.8))
            process.send_signal(signal.SIGKILL)
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()
        _check(runs)
    record = run_fake(file)
    assert record.ok
    _check(runs)
    digest = record.stages["w"].artifacts["parts"].digest
    assert ArtifactStore(runs / "store").is_whole(digest, None, deep=True)
