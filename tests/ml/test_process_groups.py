"""Process groups: ended for sure, and known to be."""

from __future__ import annotations

import os
import subprocess
import sys

from mlkit.ml.process_groups import end_group, is_alive

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child])
print("ready", flush=True)
time.sleep(60)
"""


def test_a_process_that_ignores_being_told_is_ended_with_its_children() -> None:
    """When `end_group` returns, no process of its group is left."""
    leader = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True
    )
    assert leader.stdout is not None
    assert leader.stdout.readline() == b"ready\n"
    end_group(leader, 1.0)
    leader.stdout.close()
    assert leader.returncode == -9
    assert not is_alive(leader.pid)


def test_a_groupis_alive_as_long_as_one_of_its_processes_runs() -> None:
    """And no longer, even if nobody has reaped it yet."""
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    assert is_alive(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid)
    child.wait()
    assert not is_alive(child.pid)
