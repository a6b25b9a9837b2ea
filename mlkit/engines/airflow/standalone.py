"""`python -m mlkit.engines.airflow.standalone FOLDER`: a whole Airflow with its web page.

Scheduler, executor, triggerer, DAG processor and web server, all on this machine, with the DAG
files of `FOLDER/dags`; settings, logs and the database stay in the folder. Ctrl-C ends it all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlkit.engines.airflow.launch import DATABASE, airflow_environment, migrated_database
from mlkit.engines.environments import engine_python
from mlkit.engines.local_server import free_port, running_group
from mlkit.engines.registry import ENGINES
from mlkit.errors import MlkitError

__all__ = ["Standalone", "main", "standalone"]

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
    port = free_port()
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
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": _ANSWER_WITHIN_S,
    }
    command = [str(python), "-P", "-m", "airflow", "standalone"]
    with running_group(command, environ, log) as process:
        yield Standalone(url=url, process=process, log=log)


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
