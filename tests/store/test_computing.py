"""Who computes a result: one at a time, and nobody who is dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from mlkit.store.computing import Claim, Computing

RESULT = ("p", "train", "key")


def test_one_has_it_and_others_are_told_who(tmp_path: Path) -> None:
    """Another result is another matter; given back, nothing is left of it."""
    computing = Computing(tmp_path / "claims")
    first = computing.take(RESULT, "run-1")
    assert isinstance(first, Claim)
    assert computing.take(RESULT, "run-2") == "run-1"
    other = computing.take(("p", "train", "other"), "run-2")
    assert isinstance(other, Claim)
    first.release()
    second = computing.take(RESULT, "run-2")
    assert isinstance(second, Claim)
    for claim in (second, other):
        claim.release()
    assert list((tmp_path / "claims").iterdir()) == []


def test_the_claim_of_a_process_that_is_killed_is_free_at_once(tmp_path: Path) -> None:
    """What it leaves is a name without meaning, which the next one takes."""
    code = (
        "import sys; from pathlib import Path; from mlkit.store.computing import Computing\n"
        f"claim = Computing(Path({str(tmp_path)!r})).take({RESULT!r}, 'dead')\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert Computing(tmp_path).take(RESULT, "next") == "dead"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        claim = Computing(tmp_path).take(RESULT, "next")
        assert isinstance(claim, Claim)
        claim.release()


def test_many_at_once_never_have_it_together(tmp_path: Path) -> None:
    """Files come and go while others open and lock them."""
    inside, most, turns = [0], [0], [0]

    def work(name: str) -> None:
        computing, done = Computing(tmp_path), 0
        while done < 100:
            claim = computing.take(RESULT, name)
            if isinstance(claim, str):
                continue
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            turns[0] += 1
            inside[0] -= 1
            claim.release()
            done += 1

    threads = [threading.Thread(target=work, args=(f"r{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most[0], turns[0]) == (1, 400)
