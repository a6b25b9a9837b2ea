"""What the warden kills, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from mlkit.notebook.kernels.leash import LONGEST_FOLDER, Leash
from mlkit.notebook.kernels.warden import (
    ENV_END,
    LEASH,
    STARTING_S,
    VSIZE,
    holders,
    is_starting,
    kill_group,
    sweep,
    watch,
)


@pytest.fixture
def leash() -> Iterator[Leash]:
    """A driver's leash with nothing on it."""
    leash = Leash()
    yield leash
    leash.close()


def sleeper(token: str, *, own_session: bool = True) -> subprocess.Popen[bytes]:
    """A process that would sleep for minutes, with a token in its environment."""
    return subprocess.Popen(
        ["sleep", "300"],
        env={**os.environ, LEASH: token, "ANOTHER": "1"},
        start_new_session=own_session,
    )


def test_a_sweep_kills_the_holders_of_the_token_and_nobody_else(leash: Leash) -> None:
    """One kernel's processes go; those of the next kernel stay."""
    mine, others = sleeper(leash.mark(1)), sleeper(leash.mark(2))
    assert list(holders(leash.mark(1))) == [mine.pid]
    assert sorted(holders(leash.token)) == sorted([mine.pid, others.pid])
    assert sweep(leash.mark(1)) == 1
    assert mine.wait() == -9
    assert others.poll() is None
    assert leash.sweep(2) == 1
    assert others.wait() == -9


def test_a_process_is_seen_from_the_moment_in_which_it_was_started(leash: Leash) -> None:
    """Also while `/proc` shows no environment of it yet, as happens on a busy machine."""
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(2 * (os.cpu_count() or 1))
    ]
    missed = []
    for serial in range(200):
        started = sleeper(leash.mark(serial))
        if list(holders(leash.mark(serial))) != [started.pid]:
            missed.append(serial)
        started.kill()
        started.wait()
    for process in busy:
        process.kill()
        process.wait()
    assert missed == []


def test_what_a_process_without_an_environment_is() -> None:
    """Just being started, or a thread of the kernel, or ended, or one that was given none."""
    own = Path("/proc/self/stat").read_text()
    head, _, rest = own.rpartition(")")
    fields = rest.split()
    assert not is_starting(own)

    def changed(**values: str) -> str:
        places = {"vsize": VSIZE - 2, "env_end": ENV_END - 2}
        new = [*fields]
        for name, value in values.items():
            new[places[name]] = value
        return f"{head}) {' '.join(new)}"

    assert int(fields[VSIZE - 2]) > 1_000_000
    assert int(fields[ENV_END - 2]) > int(fields[ENV_END - 3]) > 0
    assert is_starting(changed(env_end="0"))
    assert not is_starting(changed(env_end="0", vsize="0"))
    bare = subprocess.Popen(["sleep", "300"], env={})
    while Path(f"/proc/{bare.pid}/comm").read_text() != "sleep\n":
        pass
    began = time.monotonic()
    assert list(holders("nobody's")) == []
    assert time.monotonic() - began < STARTING_S
    bare.kill()
    bare.wait()


def test_a_process_that_the_driver_was_about_to_start_is_awaited() -> None:
    """It holds the driver's end of the pipe, and carries the token only when it has let go."""
    ours, theirs = os.pipe()
    ended = subprocess.Popen(["true"])
    ended.wait()
    os.write(theirs, b"+12\n+13\n-12\n")
    Timer(0.1, os.close, [theirs]).start()
    began = time.monotonic()
    assert watch(ours, ended.pid) == ({13}, set())
    assert 0.09 < time.monotonic() - began < STARTING_S
    os.close(ours)


def test_a_pipe_that_somebody_keeps_open_is_not_awaited_for_ever() -> None:
    """A fork of the driver's can live on, and is its own master."""
    ours, theirs = os.pipe()
    driver = subprocess.Popen(["sleep", "300"])
    Timer(0.1, driver.kill).start()
    assert watch(ours, driver.pid) == (set(), set())
    driver.wait()
    os.close(ours)
    os.close(theirs)


def test_a_token_elsewhere_in_the_environment_is_no_token(leash: Leash) -> None:
    """Only the variable counts."""
    innocent = subprocess.Popen(
        ["sleep", "300"], env={**os.environ, f"NOT_{LEASH}": leash.token, "TEXT": leash.token}
    )
    assert leash.token not in {"", None}
    assert list(holders(leash.token)) == []
    innocent.kill()
    innocent.wait()


def test_a_group_that_is_gone_is_no_error() -> None:
    """There is always a race with its own end."""
    ended = subprocess.Popen(["true"], start_new_session=True)
    ended.wait()
    kill_group(ended.pid)


def test_closing_the_leash_kills_watched_groups_and_removes_the_folder() -> None:
    """The way out is the same whether the driver closes or dies."""
    leash = Leash()
    watched = subprocess.Popen(["sleep", "300"], start_new_session=True)
    released = subprocess.Popen(["sleep", "300"], start_new_session=True)
    leash.watch(watched.pid)
    leash.watch(released.pid)
    leash.release(released.pid)
    (leash.folder / "file").touch()
    leash.close()
    assert watched.wait() == -9
    assert released.poll() is None
    assert not leash.folder.exists()
    released.kill()
    released.wait()


def test_the_folder_is_private_and_short_enough_for_sockets(leash: Leash) -> None:
    """A Unix socket's path holds about 104 bytes."""
    assert leash.folder.stat().st_mode & 0o777 == 0o700
    assert len(os.fsencode(leash.folder)) <= LONGEST_FOLDER


def test_the_folder_is_short_although_the_temporary_folder_is_deep(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """TMPDIR may lie anywhere."""
    deep = tmp_path_factory.mktemp("d" * 60) / ("e" * 60)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    leash = Leash()
    leash.close()
    assert len(os.fsencode(leash.folder)) <= LONGEST_FOLDER


def test_telling_a_warden_that_was_killed_is_no_error(leash: Leash) -> None:
    """The driver goes on without it."""
    warden = leash._warden
    assert warden is not None
    warden.kill()
    warden.wait()
    leash.watch(2**22 - 1)
