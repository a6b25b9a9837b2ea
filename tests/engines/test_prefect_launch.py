"""How Prefect is started, before anything of it runs."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from mlkit.engines.launching import Order
from mlkit.engines.local_server import free_port
from mlkit.engines.prefect.launch import launch
from mlkit.errors import EngineError


def _order(folder: Path, host: str | None) -> Order:
    return Order(
        python=Path(sys.executable),
        folder=folder,
        entry="flow.py",
        pipeline="p",
        run_id="r",
        host=host,
    )


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_server_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_variable: bool
) -> None:
    """With its address, wherever that was given, and what to do."""
    address = f"http://127.0.0.1:{free_port()}/api"
    if by_variable:
        monkeypatch.setenv("PREFECT_API_URL", address)
    with pytest.raises(EngineError, match=f"does not answer at {address}: .*refused") as caught:
        launch(_order(tmp_path, None if by_variable else address))
    assert "PREFECT_API_URL" in (caught.value.remedy or "")


def test_a_server_that_refuses_the_question_is_prefects_to_judge(tmp_path: Path) -> None:
    """It wants a password, perhaps, which Prefect's settings hold."""

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/api"
        found = launch(_order(tmp_path, address))
        thread.join()
    assert found.environment["PREFECT_API_URL"] == address
