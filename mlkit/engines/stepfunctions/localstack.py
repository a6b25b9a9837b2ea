"""`python -m mlkit.engines.stepfunctions.localstack FOLDER [COMMAND…]`: Step Functions, here.

A server of the run's own: LocalStack, without Docker, on a free port of this machine. Given a
command, it ends with that; else it stays until Ctrl-C. What it keeps and says is in the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from mlkit.engines.environments import engine_python
from mlkit.engines.local_server import Served, free_port, running_group, until_interrupted
from mlkit.engines.registry import ENGINES
from mlkit.errors import MlkitError
from mlkit.frozen import dataclass

__all__ = ["LocalStack", "localstack", "main"]

_ADDRESS = "AWS_ENDPOINT_URL_SFN"
"""Of this service alone: `AWS_ENDPOINT_URL` may be that of a store, which stages want to reach."""


@dataclass(frozen=True, kw_only=True)
class LocalStack(Served):
    """A LocalStack that runs."""

    def wait(self) -> LocalStack:
        """Wait until it answers.

        Raises
        ------
        EngineError
            If it has ended instead.
        """
        self.wait_until(self._is_ready, "LocalStack")
        return self

    def _is_ready(self) -> bool:
        with urllib.request.urlopen(f"{self.url}/_localstack/init", timeout=10) as answer:
            return bool(json.load(answer)["completed"].get("READY"))


@contextlib.contextmanager
def localstack(folder: Path) -> Iterator[LocalStack]:
    """Start LocalStack on a free port, and end it with all its children.

    It answers some seconds later: see `LocalStack.wait`.

    Parameters
    ----------
    folder : Path
        Where it keeps its state; it is made.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    python = str(engine_python(ENGINES["stepfunctions"], os.environ))
    port, log = free_port(), folder / "server.log"
    settings = {
        "SERVICES": "stepfunctions,scheduler",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_VOLUME_DIR": str(folder),
        # nothing is fetched, nobody is told, no name is served
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
    }
    command = [python, "-P", "-m", "localstack.runtime.main"]
    with running_group(command, {**os.environ, **settings}, log) as process:
        try:
            yield LocalStack(url=f"http://127.0.0.1:{port}", process=process, log=log)
        finally:
            process.kill()  # it has nothing to keep, and waits for workers' polls of a minute


def main(folder: Path, command: list[str]) -> int:
    """Run it until Ctrl-C, or until a command has ended; gives the exit code."""
    if not command:
        return until_interrupted(
            localstack(folder),
            lambda server: (
                f"Step Functions is at {server.wait().url}; what it says: {server.log}\n"
                f"To run there: export {_ADDRESS}={server.url}"
            ),
        )
    try:
        with localstack(folder) as server:
            environ = {**os.environ, _ADDRESS: server.wait().url}
            with subprocess.Popen(command, env=environ) as process:
                return _waited(process)
    except KeyboardInterrupt:
        return 130
    except MlkitError as error:
        print(f"mlkit: {error}", file=sys.stderr)  # noqa: T201 - a command
        return error.exit_code


def _waited(process: subprocess.Popen[bytes]) -> int:
    """Wait for a command; Ctrl-C reaches it as well, and it has things to end."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
