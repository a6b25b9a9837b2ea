"""Start MLflow's scoring server for a registered version, ask it, and stop it for sure."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mlkit.ml.process_groups import end_group
from mlkit.ml.registry import database_uri
from mlkit.ml.stage_errors import ServingError

__all__ = ["ask", "check_served", "free_port", "scoring_server", "serving_rows"]

_HOST = "127.0.0.1"
_POLL_S = 0.1
_ANSWER_TIMEOUT_S = 30.0
_STOP_WAIT_S = 5.0
_LOG_TAIL_CHARS = 1500
_BAD_REQUEST = 400
_TOLERANCE = 1e-9


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _command(name: str, version: int, port: int) -> list[str]:
    """MLflow's own command that serves a registered version."""
    return [
        *(sys.executable, "-P", "-m", "mlflow", "models", "serve"),
        *("-m", f"models:/{name}/{version}", "--env-manager", "local"),
        *("-h", _HOST, "-p", str(port), "--workers", "1"),
    ]


def _environment(folder: Path, temporary: str) -> dict[str, str]:
    """The server's environment: the registry, this interpreter's programs, a folder of its own."""
    programs = str(Path(sys.executable).parent)
    return os.environ | {
        "MLFLOW_TRACKING_URI": database_uri(folder),
        "MLFLOW_REGISTRY_URI": database_uri(folder),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        "TMPDIR": temporary,
    }


def _await_healthy(server: subprocess.Popen[bytes], address: str, log: Path, wait_s: float) -> None:
    """Return when the server answers; say why if it does not."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if server.poll() is not None:
            fact = f"the scoring server ended with status {server.returncode}"
            break
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/ping", timeout=1):
            return
        time.sleep(_POLL_S)
    else:
        fact = f"the scoring server was not healthy after {wait_s:g} s"
    tail = log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL_CHARS:]
    raise ServingError(f"{fact}; the end of its log:\n{tail}")


@contextlib.contextmanager
def scoring_server(name: str, version: int, folder: Path, wait_s: float = 90.0) -> Iterator[str]:
    """Serve a registered version on a free loopback port for as long as the block lasts.

    Parameters
    ----------
    name : str
        The registered model's name.
    version : int
        Its version.
    folder : Path
        The registry's folder.
    wait_s : float
        For how long to wait until the server is healthy, in seconds.

    Yields
    ------
    str
        The server's address.

    Raises
    ------
    ServingError
        The server does not become healthy; the message holds the end of its log.
    """
    port = free_port()
    address = f"http://{_HOST}:{port}"
    with tempfile.TemporaryDirectory(prefix="mlkit-serve-") as temporary:
        log = Path(temporary) / "server.log"
        with log.open("wb") as stream:
            server = subprocess.Popen(
                _command(name, version, port),
                env=_environment(folder, temporary),
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            _await_healthy(server, address, log, wait_s)
            yield address
        finally:
            end_group(server, _STOP_WAIT_S)


def serving_rows(examples: pd.DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    """Write rows as the body of a request; missing values become null.

    Parameters
    ----------
    examples : DataFrame of shape (n_rows, n_columns)
        The rows.
    columns : sequence of str
        The columns to send.
    """
    chosen = examples[list(columns)].astype("object")
    return {
        "dataframe_split": {
            "columns": list(columns),
            "data": chosen.where(chosen.notna(), None).to_numpy().tolist(),
        }
    }


def ask(address: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Send a request to a scoring server.

    Parameters
    ----------
    address : str
        The server's address.
    body : dict
        What `serving_rows` returned.

    Returns
    -------
    (int, object)
        The HTTP status and the decoded answer.
    """
    request = urllib.request.Request(
        f"{address}/invocations",
        json.dumps(body, allow_nan=False).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S) as answer:
            return int(answer.status), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return int(error.code), json.loads(error.read())


def check_served(address: str, model: Any, examples: pd.DataFrame) -> dict[str, Any]:
    """Check that the server answers as the model does, and refuses rows of another shape.

    Parameters
    ----------
    address : str
        The server's address.
    model : Pipeline
        The fitted model.
    examples : DataFrame of shape (n_rows, n_columns)
        Rows with the model's features.

    Returns
    -------
    dict
        `rows`, `equal`, `max_difference`, `status_of_bad_request` and `passed`.

    Raises
    ------
    ServingError
        The server refused good rows.
    """
    columns = list(model.feature_names_in_)
    status, answer = ask(address, serving_rows(examples, columns))
    if "predictions" not in answer:
        raise ServingError(f"the scoring server answered {status} to good rows: {answer}")
    expected = model.predict_proba(examples[columns])
    pairs = zip(answer["predictions"], expected.tolist(), strict=True)
    difference = max(abs(a - b) for got, want in pairs for a, b in zip(got, want, strict=True))
    bad_status, _ = ask(address, serving_rows(examples, columns[1:]))
    return {
        "rows": len(examples),
        "equal": difference <= _TOLERANCE,
        "max_difference": float(difference),
        "status_of_bad_request": bad_status,
        "passed": difference <= _TOLERANCE and bad_status == _BAD_REQUEST,
    }
