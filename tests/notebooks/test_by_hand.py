"""Each notebook runs top to bottom by itself after one pipeline run, with its folder as cwd."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlkit.load.pipeline_file import load_pipeline
from mlkit.notebook.imports import modules_to_preload
from tests.notebooks.conftest import NOTEBOOKS, Outcome, command, environment

pytestmark = pytest.mark.kernel

QUICKER = {"01-collect.ipynb": {"rows": 1500}, "07-tune.ipynb": {"n_candidates": 2}}
ONE_AFTER_THE_OTHER = """
import json, sys
import papermill
folder, out, quicker = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
for name in sys.argv[4:]:
    papermill.execute_notebook(
        f"{folder}/{name}",
        f"{out}/{name}",
        parameters=quicker.get(name),
        cwd=folder,
        progress_bar=False,
        request_save_on_cell_execute=False,
    )
"""


@pytest.fixture
def by_hand(first: Outcome, flights: Path, tmp_path: Path) -> Path:
    """A copy of the pipeline's folder after a run; Papermill bears no braces in a path."""
    assert first.exit_code == 0, first.text
    ignored = shutil.ignore_patterns("scratch")
    target = tmp_path / "my flights"
    return Path(shutil.copytree(flights, target, symlinks=True, ignore=ignored))


def test_every_notebook_runs_by_hand(by_hand: Path, tmp_path: Path) -> None:
    """On its defaults: inputs from `runs/latest`, outputs into `scratch`.

    The kernels are forked, since most of the time goes into what every notebook imports; the two
    tests below start theirs in Papermill's own way.
    """
    names = sorted(file.name for file in by_hand.glob("*.ipynb"))
    preload = ",".join(modules_to_preload(load_pipeline(by_hand)))
    forked = {"JUPYTER_DEFAULT_PROVISIONER_NAME": "mlkit-fork", "MLKIT_PRELOAD": preload}
    start = [sys.executable, "-c", ONE_AFTER_THE_OTHER, str(by_hand), str(tmp_path)]
    done = subprocess.run(
        [*start, json.dumps(QUICKER), *names],
        env={**environment(), **forked},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(file.name for file in tmp_path.glob("*.ipynb")) == names
    assert (by_hand / "scratch" / "summary.md").is_file()


def _papermill(folder: Path, name: str, out: Path, *parameters: str) -> str:
    """Run a notebook as a person would; what went wrong, or nothing."""
    given = [part for p in parameters for part in ("-p", *p.split("=", 1))]
    done = subprocess.run(
        [command("papermill"), "--cwd", str(folder), str(folder / name), str(out), *given],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr[-2000:]


def test_one_model_can_be_trained_by_hand(first: Outcome, by_hand: Path, tmp_path: Path) -> None:
    """Another model is one parameter away; its scores are those of the pipeline."""
    assert _papermill(by_hand, "06-train.ipynb", tmp_path / "o.ipynb", "model=lightgbm") == ""
    scores = json.loads((by_hand / "scratch" / "metrics.json").read_text())
    assert scores == first.read("train[lightgbm]", "metrics")


@pytest.mark.slow  # the site executes it too, and fails where it does
def test_the_first_notebook_runs(by_hand: Path, tmp_path: Path) -> None:
    """With the notebooks' folder as its working directory; it finds what has been run before.

    The pipeline searches among as few candidates as that run did, so that it finds them, too.
    """
    shutil.copy(NOTEBOOKS / "00-start-here.ipynb", tmp_path)
    file = by_hand / "pipeline.yaml"
    text = file.read_text(encoding="utf-8")
    assert "n_candidates: 12" in text
    file.write_text(text.replace("n_candidates: 12", "n_candidates: 3"), encoding="utf-8")
    given = (f"pipeline_folder={by_hand.name}", "rows=1500")
    assert _papermill(tmp_path, "00-start-here.ipynb", tmp_path / "out.ipynb", *given) == ""
    assert "The run in short" in (tmp_path / "out.ipynb").read_text()
