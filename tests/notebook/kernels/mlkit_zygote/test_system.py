"""The few calls to Linux."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlkit.notebook.kernels.mlkit_zygote.system import alien_threads

SYSTEM = "from mlkit.notebook.kernels.mlkit_zygote import system\n"


def run(program: str, **env: str) -> str:
    """Run a program in a fresh interpreter with a small environment."""
    environment = {"FIRST": "1", **env, "LAST": "1"}
    return subprocess.run(
        [sys.executable, "-c", SYSTEM + program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.parametrize(
    ("value", "seen"), [("cd", "cd"), ("c", "c"), ("", ""), ("much longer", "ab")]
)
def test_the_environment_that_others_see_can_be_rewritten(value: str, seen: str) -> None:
    """So a forked kernel carries its own mark; a longer value does not fit and changes nothing."""
    program = (
        f"system.rewrite_environ('MARK', {value!r})\n"
        "print(open('/proc/self/environ').read().split('\\0'))"
    )
    shown = run(program, MARK="ab", MARKED="ef")
    assert f"'MARK={seen}'" in shown
    assert "'FIRST=1'" in shown
    assert "'MARKED=ef'" in shown
    assert "'LAST=1'" in shown


def test_a_variable_that_is_not_there_is_not_written() -> None:
    """There is no room for it."""
    assert run("print(system.rewrite_environ('MISSING', ''))") == "False"


def test_threads_are_named_and_the_main_one_is_not() -> None:
    """A process with one thread may fork."""
    program = (
        "import threading, time\n"
        "before = system.alien_threads()\n"
        "threading.Thread(target=time.sleep, args=[5], daemon=True).start()\n"
        "print(before, len(system.alien_threads()))"
    )
    assert run(program) == "[] 1"
    assert alien_threads() == sorted(alien_threads())


def test_a_thread_that_is_just_ending_is_none() -> None:
    """Linux lists it for a moment after it was joined; forking would be ruled out for nothing."""
    program = (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=[0.1], daemon=True).start()\n"
        "print(system.alien_threads())"
    )
    assert run(program) == "[]"


def test_orphans_are_adopted() -> None:
    """Also processes that the zygote has not forked itself."""
    program = (
        "import os, subprocess\n"
        "system.adopt_orphans()\n"
        "leave = ['sh', '-c', 'sleep 300 >/dev/null & echo $!']\n"
        "out = subprocess.run(leave, stdout=subprocess.PIPE)\n"
        "orphan = int(out.stdout)\n"
        "print(open(f'/proc/{orphan}/stat').read().split()[3] == str(os.getpid()))\n"
        "os.kill(orphan, 9); os.waitpid(orphan, 0)"
    )
    assert run(program) == "True"


@pytest.mark.parametrize("work", ["time.sleep(300)", "sum(range(10**12))", "os.read(hear, 1)"])
def test_a_process_ends_when_its_peer_has_hung_up(work: str) -> None:
    """Whatever it is doing; what it said before, and what it says afterwards, does it no harm."""
    program = (
        "import os, socket, time\n"
        "ours, theirs = socket.socketpair()\n"
        "hear, tell = os.pipe()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    ours.close()\n"
        "    theirs.send(b'before')\n"
        "    system.die_with_peer(theirs)\n"
        "    theirs.send(b'after')\n"
        f"    {work}\n"
        "    os._exit(3)\n"
        "theirs.close()\n"
        "said = b''\n"
        "while said != b'beforeafter': said += ours.recv(99)\n"
        "time.sleep(0.2)\n"
        "print(os.waitpid(child, os.WNOHANG) == (0, 0))\n"
        "ours.close()\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert run(program).split() == ["True", "-9"]


def test_a_process_whose_peer_is_gone_already_ends_at_once() -> None:
    """It asks once itself, since nothing happens any more that it could be told of."""
    program = (
        "import os, socket, time\n"
        "ours, theirs = socket.socketpair()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    ours.close()\n"
        "    time.sleep(0.2)\n"
        "    system.die_with_peer(theirs)\n"
        "    os._exit(3)\n"
        "ours.close()\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert run(program) == "-9"
