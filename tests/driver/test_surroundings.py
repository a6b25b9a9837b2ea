"""The environment in which kernels start: where MLflow keeps what notebooks log."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.driver.surroundings import with_tracking

FACTS = {"MLKIT_RUN_ID": "r", "MLKIT_STAGE": "s"}


def test_an_address_of_the_users_own_stays(tmp_path: Path) -> None:
    """Nothing is added to it."""
    env = {**FACTS, "MLKIT_RUNS_DIR": str(tmp_path), "MLFLOW_TRACKING_URI": "http://x:5000"}
    assert with_tracking(env, "p") == env


def test_an_experiment_of_the_users_own_stays(tmp_path: Path) -> None:
    """In the store of the runs folder."""
    env = {**FACTS, "MLKIT_RUNS_DIR": str(tmp_path), "MLFLOW_EXPERIMENT_NAME": "mine"}
    made = with_tracking(env, "p")
    assert made["MLFLOW_EXPERIMENT_NAME"] == "mine"
    assert made["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("name", ["what?", "100%"])
def test_a_folder_whose_name_no_address_can_hold(tmp_path: Path, name: str) -> None:
    """MLflow would wait for such a store without end: it does what it does without an address."""
    (tmp_path / name).mkdir()
    env = {**FACTS, "MLKIT_RUNS_DIR": str(tmp_path / name)}
    assert with_tracking(env, "p") == env


def test_without_the_runs_folder_there_is_nowhere_to_keep_it(tmp_path: Path) -> None:
    """As on a worker that does not see it."""
    env = {**FACTS, "MLKIT_RUNS_DIR": str(tmp_path / "gone")}
    assert with_tracking(env, "p") == env
