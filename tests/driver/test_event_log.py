"""The event log of a run: one event a line, whatever became of the last one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlkit
from mlkit.driver.event_log import append_line, has_finished, open_log, read_events
from mlkit.testing import (
    FakeRunner,
    Raises,
    chain,
    run_fake,
)
from mlkit.testing.running import fake_services


def _events(tmp_path: Path, run_id: str) -> list[dict[str, Any]]:
    text = (tmp_path / "runs" / run_id / "events.jsonl").read_text("utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def _ends(tmp_path: Path, run_id: str) -> list[str]:
    return [e["status"] for e in _events(tmp_path, run_id) if e["event"] == "run_finished"]


@pytest.mark.parametrize("filler", [b"", b"\0" * 50])
def test_a_torn_last_line_is_no_line(tmp_path: Path, filler: bytes) -> None:
    """At every byte: the events before it stay, each on a line, and the next one is not glued."""
    path = tmp_path / "events.jsonl"
    first = b'{"event": "run_started", "time": 1.0, "run_id": "r", "pipeline": "p\xc3\xa4"}\n'
    last = b'{"event": "warning", "time": 2.0, "run_id": "r", "message": "{}\\n\xc3\xa4"}\n'
    added = b'{"event": "run_resumed", "time": 3.0, "run_id": "r"}\n'
    for cut in range(len(last) + 1):
        path.write_bytes(first + last[:cut] + (filler if cut < len(last) - 1 else b""))
        descriptor = open_log(path)
        append_line(descriptor, added)
        append_line(descriptor, added)
        os.close(descriptor)
        whole = cut >= len(last) - 1
        assert path.read_bytes() == first + (last if whole else b"") + added + added
        assert len(read_events(path, 0)[0]) == (4 if whole else 3)


@given(st.binary(max_size=300), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_whatever_stands_at_the_end_the_next_event_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, rest: bytes, before: int
) -> None:
    """Complete lines stay as they are, and reading passes over what is no event."""
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    event = b'{"event": "warning", "time": 2.0, "run_id": "r", "message": "m"}\n'
    path.write_bytes(event * before + rest)
    descriptor = open_log(path)
    append_line(descriptor, event)
    os.close(descriptor)
    content = path.read_bytes()
    assert content.endswith(b"\n" + event) or content == event
    assert content.startswith(event * before)
    assert len(read_events(path, 0)[0]) >= before + 1


def test_a_resumed_run_goes_on_behind_a_torn_line(tmp_path: Path) -> None:
    """The whole log can be read."""
    file = chain(tmp_path, 2)
    failed = run_fake(file, runner=FakeRunner({"s2": [Raises()]}))
    log = tmp_path / "runs" / failed.run_id / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-20])
    assert not has_finished(log)
    mlkit.resume(failed.run_id, file, services=fake_services())
    assert _ends(tmp_path, failed.run_id) == ["succeeded"]
    assert has_finished(log)
