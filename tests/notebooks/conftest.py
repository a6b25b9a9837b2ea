"""A copy of the pipeline's folder, run by the real driver on a small sample."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SMALL = ("rows=1500", "tune.n_candidates=3")
_TIMEOUT_S = 280


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended, as `mlkit run --json` tells it."""

    exit_code: int
    stages: dict[str, dict[str, Any]]
    text: str

    def statuses(self, *names: str) -> list[str]:
        """The statuses of some stages."""
        return [str(self.stages[name]["status"]) for name in names]

    def read(self, stage: str, output: str) -> Any:
        """A JSON artifact."""
        return json.loads(Path(self.stages[stage]["outputs"][output]).read_text(encoding="utf-8"))

    def digests(self) -> dict[str, str]:
        """`STAGE.OUTPUT` to the sha256 digest of the artifact's bytes."""
        return {
            f"{stage}.{output}": hashlib.sha256(Path(path).read_bytes()).hexdigest()
            for stage, record in self.stages.items()
            for output, path in record["outputs"].items()
        }


def environment() -> dict[str, str]:
    """The environment of this process without anything that steers mlkit."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MLKIT_")}


def command(program: str) -> str:
    """A program of this interpreter's environment."""
    return str(Path(sys.executable).parent / program)


def run(folder: Path, *arguments: str) -> Outcome:
    """Run the pipeline of a folder on the small sample.

    Parameters
    ----------
    folder : Path
        The pipeline's folder.
    *arguments : str
        Options, and parameters as NAME=VALUE.
    """
    parameters = [*SMALL, *(a for a in arguments if "=" in a and not a.startswith("-"))]
    options = [a for a in arguments if "=" not in a or a.startswith("-")]
    given = [part for parameter in parameters for part in ("-p", parameter)]
    done = subprocess.run(
        [command("mlkit"), "run", str(folder), "--json", *given, *options],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.stdout, done.stderr
    assert "kernels are not forked" not in done.stderr, done.stderr
    return Outcome(
        exit_code=done.returncode,
        stages=json.loads(done.stdout).get("stages", {}),
        text=done.stderr,
    )


def copy_flights(target: Path) -> Path:
    """Copy the sources of the flights pipeline, without its runs.

    Parameters
    ----------
    target : Path
        The folder to make.
    """
    target.mkdir(parents=True)
    for source in (*(NOTEBOOKS / "flights").glob("*.ipynb"), NOTEBOOKS / "flights/pipeline.yaml"):
        shutil.copy(source, target)
    return target


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder whose path has a space and braces."""
    return copy_flights(tmp_path_factory.mktemp("kit") / "my {flights}")


@pytest.fixture(scope="session")
def first(flights: Path) -> Outcome:
    """The first run in that folder."""
    return run(flights)
