"""`mlkit run --watch`, as a process of its own with real kernels."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mlkit.testing import Sketch, write_pipeline
from mlkit.testing.sketches import write_notebook
from tests.documents import check_document

BODY = """import time
from pathlib import Path
import helper
Path(began).touch()
time.sleep(seconds)
Path(out).write_text(helper.WORD)"""


class Process:
    """A watch, and what it tells."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.told, self.out = folder, folder / "told.txt", folder / "out.txt"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLKIT_")}
        self.temporary = folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        environment["TMPDIR"] = str(self.temporary)
        environment["MLKIT_NO_WARM"] = "1"  # what is left for the next run would be left here
        with self.told.open("w") as told, self.out.open("w") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "mlkit", "run", str(folder), "--watch", *options],
                stdout=out,
                stderr=told,
                env=environment,
            )

    def until(self, words: str, count: int = 1) -> str:
        """Wait until something was told so often."""
        deadline = time.monotonic() + 90
        while (text := self.told.read_text()).count(words) < count:
            assert time.monotonic() < deadline, text
            assert self.popen.poll() is None, text
            time.sleep(0.02)
        return text

    def interrupted(self) -> tuple[int, list[psutil.Process]]:
        """Press Ctrl-C; gives the exit code and the processes that are left."""
        assert self.popen.pid in {process.pid for process in self._started()}
        self.popen.send_signal(signal.SIGINT)
        code = self.popen.wait(60)
        _, alive = psutil.wait_procs(self._started(), timeout=10)
        return code, alive

    def _started(self) -> list[psutil.Process]:
        """The watch, and all that it has started, whosever children they are by now.

        They are told by their environment. Between two rounds there may be no child: kernels that
        were kept are let go where the installed packages change, which other tests may do.
        """
        mark, found = str(self.temporary), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TMPDIR") == mark:
                    found.append(process)
        return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A pipeline of one stage that imports a module; its path is short, for sockets."""
    with tempfile.TemporaryDirectory(prefix="watch-") as name:
        place = Path(name)
        declares = f"began: str = {str(place / 'scratch' / 'began')!r}\nseconds: int = 0"
        (place / "scratch").mkdir()
        (place / "helper.py").write_text("WORD = 'one'")
        write_pipeline(place, Sketch(name="a", body=BODY, declares=declares))
        yield place


@pytest.mark.kernel
@pytest.mark.timeout(300)
def test_it_runs_at_every_save_and_ends_at_ctrl_c(folder: Path) -> None:
    """A module, a broken one, a slow stage: 130 in a round, 0 between two, and nothing is left."""
    watched = Process(folder, "-p", "a.seconds=0", "--json")
    watched.until("waiting for a change")
    (folder / "helper.py").write_text("WORD = 'two'")
    said = watched.until("waiting for a change", 2)
    assert "helper.py changed\n  a: module helper changed (helper.py)\n" in said
    (folder / "helper.py").write_text("WORD = ")
    assert "✗ a raised SyntaxError" in watched.until("waiting for a change", 3)
    (folder / "helper.py").write_text("WORD = 'three'")
    watched.until("waiting for a change", 4)
    assert (folder / "runs" / "latest" / "a" / "a.txt").read_text() == "three"
    assert watched.interrupted() == (0, [])
    document = json.loads(watched.out.read_text())
    check_document("run", document)
    rounds = [(item["reasons"], item["status"]) for item in document["rounds"]]
    assert rounds == [
        ([], "succeeded"),
        (["a: module helper changed (helper.py)"], "succeeded"),
        (["a: module helper changed (helper.py)"], "failed"),
        (["a: module helper changed (helper.py); failed in the last round"], "succeeded"),
    ]
    assert "stopped watching after 4 rounds" in watched.told.read_text()
    assert list(watched.temporary.iterdir()) == []

    (folder / "scratch" / "began").unlink()
    watched = Process(folder, "-p", "a.seconds=300")
    while not (folder / "scratch" / "began").exists():
        assert watched.popen.poll() is None, watched.told.read_text()
        time.sleep(0.05)
    assert watched.interrupted() == (130, [])
    assert "was cancelled" in watched.out.read_text()
    assert "Traceback" not in watched.told.read_text()
    assert list(watched.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["--executor", "dask://host:1"], "--executor does not go with --watch: the kernels"),
        (["--only", "a", "--run-id", "x"], "--run-id does not go with --watch: each round is"),
        (["--on", "airflow"], "--watch runs here, and --on on an engine"),
        (["--until", "b"], "there is no stage 'b'"),
        (["-p", "nothing=1"], "nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], fact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything runs, with a sentence and exit code 2."""
    from mlkit.cli.main import main

    write_pipeline(tmp_path, Sketch(name="a"))
    write_notebook(tmp_path / "other.ipynb", "1")
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path), "--watch", *words])
    assert ended.value.code == 2
    assert fact in capsys.readouterr().err
    assert not (tmp_path / "runs" / "latest").exists()
