"""`python -m mlkit.engines.dagster.server FOLDER`: Dagster's page and daemon for exported files.

The folder holds what `mlkit export dagster` has made; Dagster's databases and logs stay in its
`home/`. Ctrl-C ends it all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mlkit.engines.dagster.launch import dagster_settings
from mlkit.engines.environments import engine_python
from mlkit.engines.local_server import Served, free_port, running_group, until_interrupted
from mlkit.engines.registry import ENGINES
from mlkit.errors import EngineError

__all__ = ["main", "server"]


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Served]:
    """Start `dagster dev` on a free port, and end it with all its children.

    Parameters
    ----------
    folder : Path
        Where the exported files are.

    Raises
    ------
    EngineError
        If there are none.
    """
    folder = folder.absolute()
    entries = sorted(folder.glob("*_definitions.py"))
    if not entries:
        raise EngineError(
            f"there is nothing exported in {folder}", remedy="mlkit export dagster --to FOLDER"
        )
    python = str(engine_python(ENGINES["dagster"], os.environ))
    home = folder / "home"
    home.mkdir(exist_ok=True)
    shutil.copyfile(folder / "dagster.yaml", home / "dagster.yaml")
    port = free_port()
    command = [python, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--working-directory", str(folder)]
    for entry in entries:
        command += ["--python-file", str(entry)]
    environ = {**os.environ, **dagster_settings(home)}
    log = home / "dagster.log"
    with running_group(command, environ, log) as process:
        yield Served(url=f"http://127.0.0.1:{port}", process=process, log=log)


def main(folder: Path) -> int:
    """Run it until Ctrl-C; gives the exit code."""
    return until_interrupted(
        server(folder),
        lambda dagster: (
            f"Dagster starts; in half a minute it is at {dagster.url}\nWhat it says: {dagster.log}"
        ),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
