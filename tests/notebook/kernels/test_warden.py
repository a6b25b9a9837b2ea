"""What the warden kills, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from mlkit.notebook.kernels.leash import LONGEST_FOLDER, Leash
from mlkit.notebook.kernels.warden import LEASH, holders, kill_group, sweep


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
