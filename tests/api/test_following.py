"""How a run stands, by the events that some process writes."""

from __future__ import annotations

from pathlib import Path

from mlkit.api.following import RunFollower
from mlkit.testing import chain, run_fake


def test_a_follower_reads_on(tmp_path: Path) -> None:
    """What was written since, and no line twice; half a line waits for its end."""
    record = run_fake(chain(tmp_path, 2))
    log = Path(record.runs_dir) / record.run_id / "events.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3]) + lines[3][:10])
    follower = RunFollower(record)
    assert follower.board().lines["s1"].code
    assert follower.board().finished == 0
    log.write_bytes(whole)
    assert follower.board().finished == 2
    assert follower.board().status == record.status
