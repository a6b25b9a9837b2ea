"""Make MLflow's store in the runs folder before notebooks log into it, several at once.

MLflow's own first use makes some forty tables step by step: two notebooks that begin together end
in `table _alembic_tmp_metrics already exists`, and both want to make the same experiment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlkit.notebook.cells import NotebookSource
from mlkit.store.refusals import readable_os_errors
from mlkit.store.tracking import TRACKING_FILE

__all__ = ["prepare_store", "speaks_of_mlflow"]

_MAKE = """
import logging, os
logging.disable(logging.WARNING)
from mlflow import MlflowClient
client = MlflowClient()
name = os.environ["MLFLOW_EXPERIMENT_NAME"]
if client.get_experiment_by_name(name) is None:
    client.create_experiment(name)
"""
_PATIENCE_S = 180.0


def prepare_store(notebook: NotebookSource, env: Mapping[str, str]) -> None:
    """Make the store and the pipeline's experiment, if a notebook speaks of MLflow.

    What prevents it, such as an MLflow that is not installed, the notebook then says itself.

    Parameters
    ----------
    notebook : NotebookSource
        The notebook that is about to run.
    env : mapping of str to str
        Its environment, in which `with_tracking` has named the store.
    """
    if "MLFLOW_RUN_CONTEXT" not in env or not speaks_of_mlflow(notebook):
        return
    if "MLFLOW_RUN_ID" in env:
        return  # a run that it is to log into has been made, and so has its store
    folder = Path(env["MLKIT_RUNS_DIR"])
    if _has_experiment(folder, env["MLFLOW_EXPERIMENT_NAME"]):
        return
    with _alone(folder):
        if not _has_experiment(folder, env["MLFLOW_EXPERIMENT_NAME"]):
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    [sys.executable, "-P", "-c", _MAKE],
                    env=dict(env),
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_PATIENCE_S,
                    check=False,
                )


def speaks_of_mlflow(notebook: NotebookSource) -> bool:
    """Whether a notebook's code names MLflow."""
    return any("mlflow" in cell.source for cell in notebook.code_cells)


def _has_experiment(folder: Path, name: str) -> bool:
    file = folder / TRACKING_FILE
    if not file.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            found = connection.execute("SELECT 1 FROM experiments WHERE name = ?", (name,))
            return found.fetchone() is not None
    except sqlite3.Error:
        return False


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with readable_os_errors(folder):
        lock = os.open(folder / ".lock-mlflow", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
