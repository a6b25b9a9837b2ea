"""Airflow's REST interface, as tests use it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

__all__ = ["Client"]


class Client:
    """Asks a web server of Airflow's, after `log_in`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""

    def log_in(self) -> None:
        """Wait until the server gives a token."""
        self.token = self.wait("/auth/token")["access_token"]

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Send a request; None while it is refused."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def wait(self, path: str, body: Any = None, method: str | None = None, **fields: Any) -> Any:
        """Ask until the answer has some fields; the test's own time limit ends it."""
        while True:
            answer = self.ask(path, body, method)
            if answer is not None and all(answer.get(k) in v for k, v in fields.items()):
                return answer
            time.sleep(1)

    def start(self, dag_id: str, **conf: Any) -> str:
        """Start a DAG run, and give its place: the path of its resource."""
        dag = f"/api/v2/dags/{dag_id}"
        self.wait(dag, {"is_paused": False}, "PATCH")
        body = {"logical_date": None, "conf": conf}
        return f"{dag}/dagRuns/{self.wait(f'{dag}/dagRuns', body, 'POST')['dag_run_id']}"

    def end(self, place: str) -> str:
        """Wait for the end of a DAG run; gives its state."""
        state: str = self.wait(place, state=("success", "failed"))["state"]
        return state

    def tasks(self, place: str) -> dict[str, Any]:
        """The tasks of a DAG run: `TASK` or `TASK[INDEX]` to what Airflow knows of it."""
        found = self.wait(f"{place}/taskInstances")["task_instances"]
        return {
            item["task_id"]
            if item["map_index"] < 0
            else f"{item['task_id']}[{item['map_index']}]": item
            for item in found
        }
