"""The model registry: an MLflow store in the runs folder, with models known by their content.

`mlflow` is imported where it is used: it takes seconds, is optional, and its noise is turned off
first.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pandas as pd

from mlkit.errors import needing_extra
from mlkit.frozen import dataclass
from mlkit.ml.artifacts import file_digest, read_model
from mlkit.ml.models import probabilities
from mlkit.ml.stage_errors import RegistryError

__all__ = [
    "ALIAS",
    "Registered",
    "champion",
    "champion_scores",
    "database_uri",
    "register",
    "registry_folder",
]

ALIAS = "champion"
_DATABASE = "mlflow.db"
_ARTIFACTS = "mlartifacts"
_DIGEST_TAG = "mlkit.digest"
_METRICS_TAG = "mlkit.metrics"
_MODEL_TAG = "mlkit.model"
_LOCK_WAIT_S = 120.0
_MOST_VERSIONS = 1000


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A version in the registry.

    Parameters
    ----------
    name : str
        The registered model's name.
    version : int
        From 1.
    digest : str
        The sha256 digest of the model's file.
    is_new : bool
        Whether this call made it.
    """

    name: str
    version: int
    digest: str
    is_new: bool


def registry_folder() -> Path:
    """The folder of the registry: `MLKIT_RUNS_DIR`, or `runs/` below the working directory."""
    return Path(os.environ.get("MLKIT_RUNS_DIR") or "runs").resolve()


def database_uri(folder: Path) -> str:
    """The SQLAlchemy URL of the registry in a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    """
    return f"sqlite:///{folder / _DATABASE}"


@contextlib.contextmanager
def _locked(folder: Path, wait_s: float) -> Iterator[None]:
    """Let one process at a time change the registry; a dead holder's lock ends with it."""
    connection = sqlite3.connect(folder / "mlflow.lock", timeout=wait_s, isolation_level=None)
    try:
        _lock(connection)
        yield
    finally:
        connection.close()


def _lock(connection: sqlite3.Connection) -> None:
    """Take the lock; it ends with the connection."""
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        raise RegistryError(f"the registry is in use: {error}; try again later") from error


def _client(folder: Path) -> Any:
    """MLflow's client for the registry in a folder, with the noise of its migrations off."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with needing_extra("flights", "the model registry"):
        # MLflow imports the stores as soon as it opens a database. What a notebook's code names is
        # imported ahead for forked kernels: three stages of flights need not wait for that.
        import mlflow.store.model_registry.sqlalchemy_store
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
        from mlflow import MlflowClient

    uri = database_uri(folder)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextlib.contextmanager
def _opened(folder: Path, lock_wait_s: float = _LOCK_WAIT_S) -> Iterator[Any]:
    """MLflow's client, while nobody else changes the registry."""
    with needing_extra("flights", "the model registry"):
        from sqlalchemy.exc import SQLAlchemyError

    with _locked(folder, lock_wait_s):
        try:
            yield _client(folder)
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise RegistryError(
                f"the registry's database {_DATABASE!r} cannot be used: {cause}; "
                "move it away to begin with an empty registry"
            ) from error


def champion(
    name: str, folder: Path, *, lock_wait_s: float = _LOCK_WAIT_S
) -> dict[str, Any] | None:
    """The registry's present champion.

    Parameters
    ----------
    name : str
        The registered model's name.
    folder : Path
        The registry's folder.
    lock_wait_s : float
        For how long to wait while another process changes the registry, in seconds.

    Returns
    -------
    dict or None
        `name`, `version`, `digest`, `model` and `metrics`; None if there is no champion, or no
        registry yet (none is made by looking).
    """
    if not (folder / _DATABASE).exists():
        return None
    from mlflow.exceptions import MlflowException

    with _opened(folder, lock_wait_s) as client:
        try:
            version = client.get_model_version_by_alias(name, ALIAS)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise RegistryError(f"the registry cannot be read: {error.message}") from error
    return {
        "name": name,
        "version": int(version.version),
        "digest": version.tags.get(_DIGEST_TAG, ""),
        "model": version.tags.get(_MODEL_TAG, ""),
        "metrics": json.loads(version.tags.get(_METRICS_TAG, "{}")),
    }


def champion_scores(
    present: Mapping[str, Any] | None, flights: pd.DataFrame | None, folder: Path
) -> pd.DataFrame:
    """What the champion says of flights, so that a candidate can be compared on the same ones.

    Parameters
    ----------
    present : mapping or None
        What `champion` returned.
    flights : DataFrame of shape (n_flights, n_columns) or None
        With `day`, `late` and the features.
    folder : Path
        The registry's folder.

    Returns
    -------
    DataFrame of shape (n_flights, 3)
        `day`, `late` and `probability`; without rows if there is no champion or no flight, if the
        champion's files are gone, or if it needs a feature that these flights do not have.
    """
    columns = {"day": "datetime64[s]", "late": "int64", "probability": "float64"}
    none = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    if present is None or flights is None:
        return none
    saved = folder / _ARTIFACTS / str(present["name"]) / str(present["digest"])
    if not (saved / "MLmodel").is_file():
        return none
    model = _load_saved(saved)
    if not set(model.feature_names_in_) <= set(flights.columns):
        return none
    return flights[["day", "late"]].assign(probability=probabilities(model, flights))


def _load_saved(saved: Path) -> Any:
    """The model of an MLflow folder that `register` wrote."""
    import mlflow.sklearn

    return mlflow.sklearn.load_model(str(saved))


def _xgboost() -> str:
    """The package that XGBoost is installed as: `xgboost-cpu`, or `xgboost`."""
    return packages_distributions()["xgboost"][0]


def _save_for_serving(model_file: Path, examples: pd.DataFrame, target: Path) -> None:
    """Write a model as an MLflow folder with a signature; complete, or not there at all."""
    import mlflow.sklearn
    from mlflow.models import infer_signature

    logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)
    model = read_model(model_file)
    inputs = examples[list(model.feature_names_in_)]
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix="aside-", dir=target.parent))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(
            model,
            path=aside / "model",
            serialization_format="cloudpickle",
            pip_requirements=["mlflow", "pandas", "scikit-learn", _xgboost(), "lightgbm"],
            pyfunc_predict_fn="predict_proba",
            signature=infer_signature(inputs, model.predict_proba(inputs)),
        )
    (aside / "model").rename(target)
    aside.rmdir()


def _known_version(client: Any, name: str, digest: str) -> int | None:
    """The first version that holds the model of this digest."""
    found = client.search_model_versions(f"name = '{name}'", max_results=_MOST_VERSIONS)
    same = [int(version.version) for version in found if version.tags.get(_DIGEST_TAG) == digest]
    return min(same, default=None)


def _ensure_name(client: Any, name: str) -> None:
    """Make the registered model's name known."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise RegistryError(f"{name!r} cannot be registered: {error.message}") from error


def register(
    name: str, model_file: str | Path, metrics: Mapping[str, Any], examples: pd.DataFrame
) -> Registered:
    """Register a model under its content, once, and make it the champion.

    Parameters
    ----------
    name : str
        The registered model's name.
    model_file : str or Path
        The fitted model, as `mlkit.ml.artifacts.write_model` wrote it.
    metrics : mapping
        Test metrics to keep with the version, with `chosen_model`.
    examples : DataFrame of shape (n_rows, n_columns)
        Rows with the model's features, from which the server's schema is read.

    Returns
    -------
    Registered
        The version; the same one however often the same model is registered.

    Raises
    ------
    RegistryError
        The registry refuses, or is in use for too long.
    """
    folder, digest = registry_folder(), file_digest(model_file)
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / _ARTIFACTS / name / digest
    with _opened(folder) as client:
        version = _known_version(client, name, digest)
        is_new = version is None
        if not (saved / "MLmodel").is_file():
            shutil.rmtree(saved, ignore_errors=True)
            _save_for_serving(Path(model_file), examples, saved)
        if version is None:
            _ensure_name(client, name)
            tags = {
                _DIGEST_TAG: digest,
                _MODEL_TAG: str(metrics["chosen_model"]),
                _METRICS_TAG: json.dumps(_kept(metrics), sort_keys=True),
            }
            made = client.create_model_version(name, source=str(saved), tags=tags)
            version = int(made.version)
        client.set_registered_model_alias(name, ALIAS, str(version))
    return Registered(name=name, version=version, digest=digest, is_new=is_new)


def _kept(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics that are kept with a version: the flat numbers and the test part's days."""
    flat = {
        key: value
        for key, value in metrics.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool)
    }
    return flat | {"parts": {"test": metrics.get("parts", {}).get("test")}}
