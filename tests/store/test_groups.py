"""A group shares a runs folder: all who may write the folder may do everything in it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from mlkit.api.old_runs import clean
from mlkit.api.records import list_runs
from mlkit.store.folder import RunsFolder
from mlkit.testing import chain, run_fake
from tests.other_user import ANN, BEN, GROUP, mlkit_as


def _shared(folder: Path) -> Path:
    """A project of a group: everything in it is the group's, and so is what is made there."""
    file = chain(folder, 2)
    for path in (folder, *folder.iterdir()):
        os.chown(path, ANN, GROUP)
        path.chmod(0o2775 if path.is_dir() else 0o664)
    return file


def _right(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.kernel
@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_the_second_user_of_a_group_can_do_everything(open_place: Path, umask: int) -> None:
    """Run, reuse, look and clean; the folder's mode decides, not the umask of the first user."""
    file = _shared(open_place / "p")
    (file.parent / "runs").mkdir()
    os.chown(file.parent / "runs", ANN, GROUP)
    (file.parent / "runs").chmod(0o2775)

    def call(user: int, *words: str) -> str:
        return _right(mlkit_as(user, *words, str(file), cwd=file.parent, umask=umask))

    call(ANN, "run")
    assert "2 reuse" in call(BEN, "plan")
    assert "2 stages cached" in call(BEN, "run")
    call(BEN, "run", "--force", "s2")
    call(ANN, "run", "--force")
    assert call(BEN, "runs").count("succeeded") >= 4
    call(BEN, "clean", "--keep", "1", "--yes")
    call(ANN, "clean", "--keep", "0", "--yes")
    call(ANN, "run")
    assert len(list_runs(file.parent / "runs")) == 2


@pytest.mark.kernel
def test_a_damaged_copy_of_another_user_is_made_good(open_place: Path) -> None:
    """Only its owner can write into it: it is replaced."""
    file = _shared(open_place / "p")
    _right(mlkit_as(ANN, "run", str(file), cwd=file.parent))
    copy = next((file.parent / "runs").glob("20*/s1/s1.txt"))
    whole = copy.read_text()
    copy.write_text("damaged")
    said = _right(mlkit_as(BEN, "run", str(file), cwd=file.parent))
    assert "was damaged and has been restored" in said
    assert copy.read_text() == whole


def test_an_older_runs_folder_of_one_user_says_what_opens_it(open_place: Path) -> None:
    """Its owner can share it; the sentence holds the command."""
    file = _shared(open_place / "p")
    run_fake(file)
    for path in (file.parent / "runs", *(file.parent / "runs").rglob("*")):
        os.lchown(path, ANN, GROUP)
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    done = mlkit_as(BEN, "run", str(file), cwd=file.parent)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert f"let user {ANN} share it with the group: chmod -R g+rwX" in done.stderr


def test_what_is_made_in_a_shared_folder_is_shared(tmp_path: Path) -> None:
    """Every file and folder, for a user with the usual umask; and the umask comes back."""
    file = chain(tmp_path / "p", 2)
    runs = file.parent / "runs"
    runs.mkdir()
    runs.chmod(0o2770)
    before = os.umask(0o022)
    try:
        run_fake(file)
        clean(runs, keep=0, dry_run=False)
        run_fake(file)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    for path in (path for path in runs.rglob("*") if not path.is_symlink()):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode & 0o070 == 0o070, path
        elif path.name == ".trace-key":  # made once, and read by all runs and plans
            assert mode & 0o060 == 0o040
        elif mode != 0o444:  # artifacts are written once, and by nobody
            assert mode & 0o060 == 0o060, path


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_what_is_made_in_ones_own_folder_is_ones_own(tmp_path: Path, mode: int) -> None:
    """The umask decides there."""
    folder = RunsFolder(tmp_path / "runs")
    folder.path.mkdir()
    folder.path.chmod(mode)
    before = os.umask(0o077)
    try:
        with folder.shared():
            (folder.path / "x").mkdir()
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder.path / "x").stat().st_mode) == 0o700


def test_a_lock_that_only_another_user_may_write_can_be_held(open_place: Path) -> None:
    """Holding needs no writing."""
    place = open_place / "runs"
    place.mkdir()
    with RunsFolder(place).lock(shared=True):
        pass
    (place / ".lock").chmod(0o644)
    shutil.copy(place / ".lock", place / ".probe")
    place.chmod(0o755)
    child = os.fork()
    if child == 0:
        os.setegid(GROUP)
        os.seteuid(BEN)
        with RunsFolder(place).lock(shared=False) as mine:
            os._exit(0 if mine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
