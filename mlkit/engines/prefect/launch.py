"""How Prefect runs an exported flow: by itself, or against a server."""

from __future__ import annotations

import os
import shutil
import socket
import urllib.error
import urllib.request
from pathlib import Path

from mlkit.engines.empty_database import empty_database
from mlkit.engines.launching import Launch, Order
from mlkit.errors import EngineError

__all__ = ["launch", "prefect_settings", "prepare_home"]

_DATABASE = "prefect.db"
_ELSEWHERE = ("PREFECT_API_DATABASE_", "PREFECT_SERVER_DATABASE_")
"""Variables that name another database: somebody's own, which is not ours to migrate."""

_ANSWERS_WITHIN_S = 10
_PATIENCE_S = 120
"""Prefect's own 20 seconds are short for a busy machine, on which its server starts."""


def launch(order: Order) -> Launch:
    """Run the flow in a process of Prefect's environment.

    Without a server Prefect starts one for itself and ends it with the run; what that one kept
    stays in the run's folder. With `PREFECT_API_URL`, or a host, the flow is reported there.
    """
    home = order.folder / "prefect-home"
    settings = prefect_settings(home)
    if order.host is not None:
        settings["PREFECT_API_URL"] = order.host
    address = order.host or os.environ.get("PREFECT_API_URL")
    if address:
        _refuse_silence(address)
    else:
        prepare_home(order.python, home)
    entry = str(order.folder / order.entry)
    return Launch(
        command=(str(order.python), entry, "--run-id", order.run_id), environment=settings
    )


def _refuse_silence(address: str) -> None:
    """See that somebody listens there: Prefect would say so in a hundred lines of its log.

    Whatever else is wrong (a certificate, a password) is Prefect's to tell, which has its settings.

    Raises
    ------
    EngineError
        If nobody does.
    """
    try:
        urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=_ANSWERS_WITHIN_S).close()
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError | socket.gaierror):
            raise EngineError(
                f"Prefect's server does not answer at {address}: {error.reason}",
                remedy="Start it ('make prefect-ui'), or leave PREFECT_API_URL and --host out",
            ) from error
    except (OSError, ValueError):
        return


def prepare_home(python: Path, home: Path) -> None:
    """Make a home with an empty database, unless it has one, so that no server has to.

    Parameters
    ----------
    python : Path
        The Python of Prefect's environment.
    home : Path
        Prefect's home.
    """
    home.mkdir(parents=True, exist_ok=True)
    database = home / _DATABASE
    elsewhere = any(name.startswith(_ELSEWHERE) for name in os.environ)
    if database.exists() or elsewhere or not os.access(python.parent.parent, os.W_OK):
        return  # Prefect makes its own, or takes the one that it is told of
    words = ("server", "database", "upgrade", "--yes")
    made = empty_database(python, "prefect", words, prefect_settings, _DATABASE)
    shutil.copyfile(made, database)


def prefect_settings(home: Path) -> dict[str, str]:
    """The environment of a Prefect that is on its own and tells nobody of its use.

    Parameters
    ----------
    home : Path
        Where it keeps its settings and its database.
    """
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(_PATIENCE_S),
        "PREFECT_LOGGING_COLORS": "false",
    }
