"""`python -m mlkit.engines.airflow.standalone FOLDER`: a whole Airflow with its web page.

Scheduler, executor, triggerer, DAG processor and web server, all on this machine, with the DAG
files of `FOLDER/dags`; settings, logs and the database stay in the folder. Ctrl-C ends it all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mlkit.engines.airflow.launch import DATABASE, airflow_environment, migrated_database
from mlkit.engines.environments import engine_python
from mlkit.engines.local_server import Served, free_port, running_group, until_interrupted
from mlkit.engines.registry import ENGINES

__all__ = ["main", "standalone"]

_ANSWER_WITHIN_S = "60"
"""The first answer to a worker takes the web server long, on a busy machine longer than usual."""


@contextlib.contextmanager
def standalone(folder: Path) -> Iterator[Served]:
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
        "AIRFLOW__API__WORKERS": "1",  # one person looks at it; each further one takes 300 MB
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # nobody else reaches 127.0.0.1
        "AIRFLOW__CORE__PARALLELISM": "2",  # this machine serves the page, too
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": _ANSWER_WITHIN_S,
    }
    command = [str(python), "-P", "-m", "airflow", "standalone"]
    with running_group(command, environ, log) as process:
        yield Served(url=url, process=process, log=log)


def main(folder: Path) -> int:
    """Run it until Ctrl-C; gives the exit code."""
    return until_interrupted(
        standalone(folder),
        lambda airflow: (
            f"Airflow starts, which takes a minute; then it is at {airflow.url}\n"
            f"DAG files: {folder / 'dags'}; what it says: {airflow.log}"
        ),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
