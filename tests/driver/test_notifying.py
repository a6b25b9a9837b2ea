"""Notifications: whom, when, and that they never fail a run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlkit.driver.notifying import AppriseNotifier, Notifications
from mlkit.testing import (
    FakeRunner,
    Raises,
    RecordingNotifier,
    RecordingObserver,
    Sketch,
    run_fake,
    write_pipeline,
)
from tests.mailbox import Mailbox

NOTIFY = {"on_failure": ["json://failure/x"], "on_success": ["json://success/x"]}


def _file(tmp_path: Path, **keys: Any) -> Path:
    return write_pipeline(tmp_path, Sketch(name="a", keys={"notify": NOTIFY, **keys}))


def test_success_and_failure_tell_their_own_addresses(tmp_path: Path) -> None:
    """With pipeline, run, stage and error."""
    file, notifier = _file(tmp_path), RecordingNotifier()
    good = run_fake(file, notifier=notifier)
    bad = run_fake(file, notifier=notifier, force=True, runner=FakeRunner({"a": [Raises()]}))
    assert notifier.sent == [
        ("json://success/x", "Stage 'a' succeeded", f"Run sketched {good.run_id}"),
        (
            "json://failure/x",
            "Stage 'a' failed",
            f"Run sketched {bad.run_id}: RuntimeError: as it was told",
        ),
    ]


def test_a_retry_that_will_come_tells_nobody(tmp_path: Path) -> None:
    """Only the stage's end does."""
    notifier = RecordingNotifier()
    file = _file(tmp_path, retry={"max_retries": 2})
    run_fake(file, notifier=notifier, runner=FakeRunner({"a": [Raises()]}))
    assert len(notifier.sent) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [(False, "the service did not take it"), (ValueError("no route"), "no route")],
)
def test_a_notifier_that_fails_never_fails_a_run(tmp_path: Path, answer: Any, why: str) -> None:
    """It is a warning and an event; the address itself is not repeated."""
    seen = RecordingObserver()
    record = run_fake(_file(tmp_path), notifier=RecordingNotifier(answer), observers=[seen])
    assert record.status == "succeeded"
    assert record.warnings == (f"stage 'a': the notification to json://… failed: {why}",)
    event = seen.of("notified")[0].data
    assert event == {"url_scheme": "json", "ok": False, "message": why}


def test_nothing_is_told_of_a_text_that_is_no_address(tmp_path: Path) -> None:
    """A token where the address should be: neither in the event nor in the warning."""
    sketch = Sketch(name="a", keys={"notify": {"on_success": ["${SERVICE_TOKEN}"]}})
    seen = RecordingObserver()
    environ = {"SERVICE_TOKEN": "hunter2-token"}
    file, notifier = write_pipeline(tmp_path, sketch), RecordingNotifier(False)
    record = run_fake(file, notifier=notifier, observers=[seen], environ=environ)
    assert len(notifier.sent) == 1
    assert seen.of("notified")[0].data["url_scheme"] == "unknown"
    log = Path(record.runs_dir, record.run_id, "events.jsonl").read_text()
    assert "hunter2" not in f"{record.warnings} {log}"


def test_an_address_that_never_answers_delays_the_end_by_a_deadline() -> None:
    """And the threads that wait for it do not keep the process."""
    release = threading.Event()

    class Silent:
        def send(self, url: str, title: str, body: str) -> bool:
            return release.wait(30)

    told: list[str] = []
    messages = Notifications(Silent(), lambda *a, **k: None, lambda m, s: told.append(m), 0.1)
    messages.send("a", ("json://x", "json://y"), "t", "b")
    started = time.monotonic()
    messages.finish()
    assert time.monotonic() - started < 5
    assert told == ["stage 'a': the notification to json://… failed: no answer in time"] * 2
    assert all(t.daemon for t in threading.enumerate() if t.name == "mlkit-notify")
    release.set()


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A real server on a loopback port; gives its address and what it was sent."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            received.append(json.loads(self.rfile.read(length)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}/hook", received
    server.shutdown()
    server.server_close()


def test_apprise_delivers_for_real(tmp_path: Path, hook: tuple[str, list[dict[str, Any]]]) -> None:
    """An address from the environment; the message arrives with title and body."""
    url, received = hook
    keys = {"notify": {"on_success": ["${HOOK_ADDRESS}"]}}
    file = write_pipeline(tmp_path, Sketch(name="a", keys=keys))
    record = run_fake(file, notifier=AppriseNotifier(), environ={"HOOK_ADDRESS": url})
    assert record.warnings == ()
    assert received[0]["title"] == "Stage 'a' succeeded"
    assert record.run_id in received[0]["message"]


def test_apprise_says_what_did_not_get_through(tmp_path: Path) -> None:
    """A closed port, and an address of no service at all."""
    assert AppriseNotifier().send("json://127.0.0.1:1/x", "t", "b") is False
    assert AppriseNotifier().send("nonsense", "t", "b") is False


def test_a_failure_is_mailed(tmp_path: Path, mailbox: Mailbox) -> None:
    """By the run itself, and by `mlkit notify`, which the callbacks of Airflow and Prefect call."""
    file = write_pipeline(
        tmp_path, Sketch(name="a", keys={"notify": {"on_failure": [mailbox.address]}})
    )
    runner = FakeRunner({"a": [Raises(message="the disk is full")]})
    record = run_fake(file, notifier=AppriseNotifier(), runner=runner)
    assert record.warnings == ()
    words = ["notify", record.run_id, "a", str(file)]
    subprocess.run([sys.executable, "-m", "mlkit", *words], check=True, capture_output=True)
    assert len(mailbox.mails) == 2
    for mail in mailbox.mails:
        assert (mail["To"], mail["Subject"]) == ("team@example.org", "Stage 'a' failed")
        part = mail.get_body()
        assert part is not None
        body = part.get_content()
        assert record.run_id in body
        assert "the disk is full" in body
