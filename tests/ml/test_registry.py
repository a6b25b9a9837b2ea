"""The registry: a model is known by its content, and `champion` points to the last one."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlkit.ml import registry, serving
from mlkit.ml.artifacts import file_digest, read_model, write_model
from mlkit.ml.models import build_model, fit_model, probabilities
from mlkit.ml.splitting import Parts
from mlkit.ml.stage_errors import RegistryError, ServingError

METRICS: dict[str, Any] = {
    "chosen_model": "xgboost",
    "roc_auc": 0.7,
    "parts": {"test": {"rows": 3}, "train": {"rows": 9}},
    "candidates": [1, 2],
}


@pytest.fixture(scope="module")
def model_files(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two models that differ."""
    folder = tmp_path_factory.mktemp("models")
    files = (folder / "one.joblib", folder / "two.joblib")
    for file, seed in zip(files, (1, 2), strict=True):
        settings = {"n_estimators": 5}
        model = build_model("xgboost", parts.train, seed, settings)
        write_model(file, fit_model(model, parts.train))
    return files


def test_looking_makes_no_registry(registry_home: Path) -> None:
    """Not even its folder."""
    assert registry.registry_folder() == registry_home
    assert registry.champion("flights", registry_home) is None
    assert not registry_home.exists()


def test_by_hand_the_registry_lies_beside_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In `runs/` below the working directory."""
    monkeypatch.delenv("MLKIT_RUNS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert registry.registry_folder() == tmp_path / "runs"


def test_the_same_model_is_registered_once_and_the_alias_moves(
    made_registry: Path, model_files: tuple[Path, Path], parts: Parts
) -> None:
    """One, one again, two, one again: two versions, and the champion follows."""
    one, two = model_files
    seen = [
        registry.register("flights", file, METRICS, parts.test.head(50))
        for file in (one, one, two, one)
    ]
    assert [(version.version, version.is_new) for version in seen] == [
        (1, True),
        (1, False),
        (2, True),
        (1, False),
    ]
    champion = registry.champion("flights", made_registry)
    assert champion is not None
    assert champion["version"] == 1
    assert champion["digest"] == file_digest(one)
    assert champion["model"] == "xgboost"
    assert champion["metrics"] == {
        "chosen_model": "xgboost",
        "roc_auc": 0.7,
        "parts": {"test": {"rows": 3}},
    }
    assert registry.champion("trains", made_registry) is None
    told = registry.champion_scores(champion, parts.test, made_registry)
    assert told["probability"].tolist() == probabilities(read_model(one), parts.test).tolist()
    assert told[["day", "late"]].equals(parts.test[["day", "late"]])
    lacking = parts.test.drop(columns="carrier")
    gone = champion | {"digest": "0" * 64}
    for who, flights in (
        (None, parts.test),
        (champion, None),
        (champion, lacking),
        (gone, lacking),
    ):
        assert registry.champion_scores(who, flights, made_registry).empty
    folders = sorted(path.name for path in (made_registry / "mlartifacts" / "flights").iterdir())
    assert folders == sorted(map(file_digest, model_files))


def test_a_damaged_database_is_named(registry_home: Path) -> None:
    """With what to do about it."""
    registry_home.mkdir()
    (registry_home / "mlflow.db").write_bytes(b"this is no database, and long enough to tell")
    with pytest.raises(RegistryError, match=r"'mlflow\.db' cannot be used: .*move it away"):
        registry.champion("flights", registry_home)


def test_a_registry_in_use_is_waited_for_and_then_named(registry_home: Path) -> None:
    """Here for a tenth of a second."""
    registry_home.mkdir()
    (registry_home / "mlflow.db").touch()
    holder = sqlite3.connect(registry_home / "mlflow.lock", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RegistryError, match=r"the registry is in use: .*try again later"):
        registry.champion("flights", registry_home, lock_wait_s=0.1)
    holder.close()


REGISTER = """
import sys
from mlkit.ml import artifacts, registry
rows = artifacts.read_table(sys.argv[2]).head(50)
version = registry.register("flights", sys.argv[1], {"chosen_model": "xgboost"}, rows)
print(version.version)
"""


def test_two_processes_at_once_register_one_model_once(
    registry_home: Path, model_files: tuple[Path, Path], parts: Parts, tmp_path: Path
) -> None:
    """The registry is new, so both also want to make its tables."""
    parts.test.to_parquet(tmp_path / "test.parquet")
    command = [sys.executable, "-c", REGISTER, str(model_files[0]), str(tmp_path / "test.parquet")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0].strip() for process in both] == ["1", "1"]
    champion = registry.champion("flights", registry_home)
    assert champion is not None
    assert champion["version"] == 1


def test_a_registered_version_is_served_and_answers_as_the_model(
    made_registry: Path, model_files: tuple[Path, Path], parts: Parts
) -> None:
    """The server is MLflow's own; rows of another shape get a 400; nothing is left running."""
    rows = parts.test.head(25)
    assert rows.isna().any(axis=None)
    version = registry.register("flights", model_files[0], METRICS, parts.test.head(50))
    with serving.scoring_server("flights", version.version, made_registry) as address:
        check = serving.check_served(address, read_model(model_files[0]), rows)
    assert check == {
        "rows": 25,
        "equal": True,
        "max_difference": 0.0,
        "status_of_bad_request": 400,
        "passed": True,
    }
    with pytest.raises(OSError, match="refused"):
        serving.ask(address, {})


def test_a_server_that_cannot_start_says_why(
    made_registry: Path, model_files: tuple[Path, Path], parts: Parts
) -> None:
    """The message holds the end of the server's log."""
    registry.register("flights", model_files[0], METRICS, parts.test.head(50))
    with (
        pytest.raises(ServingError, match=r"(?s)the scoring server ended with status.*not found"),
        serving.scoring_server("flights", 99, made_registry),
    ):
        pytest.fail("version 99 does not exist")
