"""`python -m mlkit.engines.prefect.server FOLDER`: a Prefect server with its web page.

Its database and its log stay in the folder. `mlkit run --on prefect` reports to it when
`PREFECT_API_URL` names it. Ctrl-C ends it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from mlkit.engines.environments import engine_python
from mlkit.engines.local_server import Served, free_port, running_group, until_interrupted
from mlkit.engines.prefect.launch import prefect_settings, prepare_home
from mlkit.engines.registry import ENGINES
from mlkit.frozen import dataclass

__all__ = ["Server", "main", "server"]


@dataclass(frozen=True, kw_only=True)
class Server(Served):
    """A Prefect server that runs."""

    @property
    def api(self) -> str:
        """The address for `PREFECT_API_URL`."""
        return f"{self.url}/api"

    def wait(self) -> Server:
        """Wait until it answers.

        Raises
        ------
        EngineError
            If it has ended instead.
        """
        self.wait_until(self._is_healthy, "Prefect's server")
        return self

    def _is_healthy(self) -> bool:
        urllib.request.urlopen(f"{self.api}/health", timeout=10).close()
        return True


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Start `prefect server` on a free port, and end it with all its children.

    It answers some seconds later: see `Server.wait`.

    Parameters
    ----------
    folder : Path
        Its home, which is made.

    Yields
    ------
    Server
        Where it answers.
    """
    folder = folder.absolute()
    python = engine_python(ENGINES["prefect"], os.environ)
    prepare_home(python, folder)
    port = free_port()
    log = folder / "server.log"
    command = [str(python), "-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    environ = {**os.environ, **prefect_settings(folder)}
    with running_group([*command, "--port", str(port)], environ, log) as process:
        yield Server(url=f"http://127.0.0.1:{port}", process=process, log=log)


def main(folder: Path) -> int:
    """Run it until Ctrl-C; gives the exit code."""
    return until_interrupted(
        server(folder),
        lambda prefect: (
            f"Prefect is at {prefect.wait().url}; what it says: {prefect.log}\n"
            f"To report to it: export PREFECT_API_URL={prefect.api}"
        ),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
