"""A small server that speaks the part of the Kubeflow Pipelines API that kfp's client calls.

It keeps what it receives, and runs a submitted pipeline as it was received, by kfp's local runner
in the engine's environment: what the compiled file says is what happens.
"""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Cluster"]

API = "/apis/v2beta1"
_RUN = """
import json, sys, tempfile
from kfp import components, local
with tempfile.TemporaryDirectory() as root:
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
    components.load_component_from_file(sys.argv[1])(**json.loads(sys.argv[2]))
"""


class Cluster:
    """The server; a context manager.

    Parameters
    ----------
    python : Path
        The Python of the engine's environment.
    folder : Path
        Where it keeps what it runs.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self.python = python
        self.folder = folder
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.states: dict[str, str] = {}
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer with what is there."""
                self.answer(cluster.told(self.path.partition("?")[0].removeprefix(API)))

            def do_POST(self) -> None:
                """Take something in."""
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length) or b"{}")
                self.answer(cluster.taken(self.path.partition("?")[0].removeprefix(API), body))

            def answer(self, document: dict[str, Any]) -> None:
                """Send JSON."""
                content = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def told(self, path: str) -> dict[str, Any]:
        """The answer to a question."""
        if path.startswith("/runs/"):
            run_id = path.rpartition("/")[2]
            return {"run_id": run_id, "state": self.states[run_id]}
        return {"multi_user": False} if path == "/healthz" else {}

    def taken(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to something sent."""
        self.received.append((path, body))
        if path == "/runs":
            run_id = f"run-{len(self.states) + 1}"
            self.states[run_id] = "RUNNING"
            threading.Thread(target=self._run, args=(run_id, body), daemon=True).start()
            return {"run_id": run_id, "state": "PENDING"}
        return {"experiment_id": "e1", "recurring_run_id": "r1", **body}

    def _run(self, run_id: str, body: dict[str, Any]) -> None:
        sent = body["pipeline_spec"]
        file = self.folder / f"{run_id}.yaml"
        parts = [sent.get("pipeline_spec", sent), sent.get("platform_spec")]
        file.write_text("\n---\n".join(json.dumps(part) for part in parts if part))
        parameters = json.dumps(body["runtime_config"]["parameters"])
        with (self.folder / f"{run_id}.log").open("w") as log:
            done = subprocess.run(
                [self.python, "-W", "ignore", "-c", _RUN, file, parameters],
                stdout=log,
                stderr=log,
                check=False,
            )
        self.states[run_id] = "FAILED" if done.returncode else "SUCCEEDED"

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was sent to a path."""
        return [body for there, body in self.received if there == path]

    def __enter__(self) -> Self:
        """Start to listen."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
