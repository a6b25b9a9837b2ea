"""`python -m mlkit.engines.airflow.standalone FOLDER`: a whole Airflow with its web page.

Scheduler, executor, triggerer, DAG processor and web server, all on this machine, with the DAG
files of `FOLDER/dags`; settings, logs and the database stay in the folder. Ctrl-C ends it all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlkit.engines.airflow.launch import DATABASE, airflow_environment, migrated_database
from mlkit.engines.environments import engine_python
from mlkit.engines.registry import ENGINES
from mlkit.errors import MlkitError

__all__ = ["Standalone", "main", "standalone"]

_PATIENCE_S = 20.0
_ANSWER_WITHIN_S = "60"
"""The first answer to a worker takes the web server long, on a busy machine longer than usual."""


@dataclass(frozen=True, kw_only=True)
class Standalone:
    """An Airflow that runs.

    Parameters
    ----------
    url : str
        Its web page.
    process : subprocess.Popen
        Its first process, which leads the group of all.
    log : Path
        Receives what it says.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def standalone(folder: Path) -> Iterator[Standalone]:
    """Start `airflow standalone` on a free port, and end it with all its children.

    Parameters
    ----------
    folder : Path
        Its home; DAG files stand in `dags/`.
    """
    folder = folder.absolute()
    (folder / "dags").mkdir(parents=True, exist_ok=True)
    python = engine_python(ENGINES["airflow"], os.environ)
    if not (folder / DATABASE).exists():
        shutil.copyfile(migrated_database(python), folder / DATABASE)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / "standalone.log"
    environ = {
        **os.environ,
        **airflow_environment(python, home=folder, dags=folder / "dags"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": _ANSWER_WITHIN_S,
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [python, "-m", "airflow", "standalone"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            yield Standalone(url=url, process=process, log=log)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: its first process alone would leave the others behind."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(folder: Path) -> int:
    """Run it until Ctrl-C; gives the exit code."""
    try:
        with standalone(folder) as airflow:
            print(  # noqa: T201 - it is a command
                f"Airflow starts, which takes a minute; then it is at {airflow.url}\n"
                f"DAG files: {folder / 'dags'}; what it says: {airflow.log}\nCtrl-C ends it.",
                flush=True,
            )
            return airflow.process.wait()
    except KeyboardInterrupt:
        return 130
    except MlkitError as error:
        print(f"mlkit: {error}", file=sys.stderr)  # noqa: T201 - it is a command
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
