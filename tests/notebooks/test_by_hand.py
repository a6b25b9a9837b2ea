"""Each notebook runs top to bottom by itself after one pipeline run, with its folder as cwd."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.notebooks.conftest import NOTEBOOKS, Outcome, command, environment

pytestmark = pytest.mark.kernel


def _papermill(folder: Path, name: str, out: Path, *parameters: str) -> str:
    given = [part for p in parameters for part in ("-p", *p.split("=", 1))]
    done = subprocess.run(
        [command("papermill"), "--cwd", str(folder), str(folder / name), str(out), *given],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return "" if done.returncode == 0 else f"{name}: {done.stderr[-2000:]}"


def test_every_notebook_runs_by_hand(first: Outcome, flights: Path, tmp_path: Path) -> None:
    """On its defaults: inputs from `runs/latest`, outputs into `scratch`."""
    assert first.exit_code == 0
    by_hand = tmp_path / "by hand"
    shutil.copytree(flights, by_hand, symlinks=False, ignore=shutil.ignore_patterns("store"))
    names = sorted(file.name for file in by_hand.glob("*.ipynb"))
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_papermill, by_hand, name, tmp_path / name, *_quicker(name))
            for name in names
        ]
        assert [job.result() for job in jobs if job.result()] == []
    assert (by_hand / "scratch" / "summary.md").is_file()


def _quicker(name: str) -> tuple[str, ...]:
    """Parameters that only save time."""
    return {"07-tune.ipynb": ("n_candidates=2",), "01-collect.ipynb": ("rows=1500",)}.get(name, ())


def test_one_model_can_be_trained_by_hand(first: Outcome, flights: Path, tmp_path: Path) -> None:
    """As the documentation says: another model is one parameter away."""
    assert first.exit_code == 0
    out = tmp_path / "out.ipynb"
    assert _papermill(flights, "06-train.ipynb", out, "model=random_forest") == ""
    scores = json.loads((flights / "scratch" / "metrics.json").read_text())
    assert scores == first.read("train[random_forest]", "metrics")
    shutil.rmtree(flights / "scratch")


def test_the_first_notebook_runs(first: Outcome, flights: Path, tmp_path: Path) -> None:
    """With the notebooks' folder as its working directory; here all has been run before."""
    assert first.exit_code == 0
    shutil.copy(NOTEBOOKS / "00-start-here.ipynb", tmp_path)
    given = (f"pipeline_folder={flights}", "rows=1500")
    assert _papermill(tmp_path, "00-start-here.ipynb", tmp_path / "out.ipynb", *given) == ""
    assert "The run in short" in (tmp_path / "out.ipynb").read_text()
