"""The few calls to Linux."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_orphans_are_adopted_and_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """Both hold for processes that the zygote has not forked itself."""
    program = (
        "import os, subprocess, time\n"
        "system.adopt_orphans()\n"
        "leave = ['sh', '-c', 'sleep 300 >/dev/null & echo $!']\n"
        "out = subprocess.run(leave, stdout=subprocess.PIPE)\n"
        "orphan = int(out.stdout)\n"
        "print(open(f'/proc/{orphan}/stat').read().split()[3] == str(os.getpid()))\n"
        "os.kill(orphan, 9); os.waitpid(orphan, 0)\n"
        "hear, tell = os.pipe()\n"
        "middle = os.fork()\n"
        "if not middle:\n"
        "    parent = os.getpid()\n"
        "    if not os.fork():\n"
        "        system.die_with_parent(parent)\n"
        "        os.write(tell, b'.')\n"
        "        time.sleep(300)\n"
        "    os.read(hear, 1); os._exit(0)\n"
        "os.waitpid(middle, 0)\n"
        "print(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    assert run(program).split() == ["True", "-9"]
