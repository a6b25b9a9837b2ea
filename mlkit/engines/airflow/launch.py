"""Make Airflow ready for one run, and say how it is started."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from mlkit.engines.empty_database import empty_database
from mlkit.engines.launching import Launch, Order
from mlkit.errors import EngineError

__all__ = ["DATABASE", "airflow_environment", "launch", "migrated_database"]

DATABASE = "airflow.db"
"""The name of the database in an Airflow home."""

_MAX_MAP_LENGTH = "AIRFLOW__CORE__MAX_MAP_LENGTH"
_MOST_VALUES = "100000"
"""A list that runs here shall run there: Airflow maps over 1024 values of an artifact by default,
which is to spare a server that many people share."""


def launch(order: Order) -> Launch:
    """Give each run an Airflow home of its own, and run the DAG with `airflow dags test`.

    Two runs at once do not disturb each other, and Airflow's own record of a run stays beside it.
    The empty database is made once and copied.
    """
    if order.host is not None:
        raise EngineError(
            "Airflow runs here: there is no --host for it",
            remedy="Put the file of 'mlkit export airflow' into the server's folder of DAGs",
        )
    home = order.folder / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated_database(order.python), home / DATABASE)
    name = Path(order.entry).stem
    conf = json.dumps({"run_id": order.run_id})
    return Launch(
        command=(str(order.python), "-P", "-m", "airflow", "dags", "test", name, "--conf", conf),
        environment=airflow_environment(order.python, home=home, dags=order.folder),
    )


def airflow_environment(python: Path, *, home: Path, dags: Path) -> dict[str, str]:
    """Give the settings of an Airflow that keeps to one folder and one database.

    Parameters
    ----------
    python : Path
        The Python of Airflow's environment.
    home : Path
        Its home: settings, logs, database.
    dags : Path
        The folder of DAGs.
    """
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        _MAX_MAP_LENGTH: os.environ.get(_MAX_MAP_LENGTH, _MOST_VALUES),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / DATABASE}",
        "AIRFLOW_CONN_FS_DEFAULT": json.dumps({"conn_type": "fs", "extra": {"path": "/"}}),
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
    }


def migrated_database(python: Path) -> Path:
    """Give an empty database with Airflow's tables, made on first use beside its environment.

    Raises
    ------
    EngineError
        If it cannot be made.
    """
    return empty_database(
        python,
        "airflow",
        ("db", "migrate"),
        lambda home: airflow_environment(python, home=home, dags=home / "dags"),
        DATABASE,
    )
