"""Looking needs no writing, and gives one answer, whatever has become of database and folders."""

from __future__ import annotations

import functools
import json
import operator
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from mlkit.api.old_runs import clean
from mlkit.api.records import find_run, list_runs
from mlkit.cli.main import app
from mlkit.core.record import RunRecord
from mlkit.doctor.checks import check_runs_folder
from mlkit.errors import MlkitError, RunsFolderError, UnknownRunError
from mlkit.store.database import Database
from mlkit.store.folder import RunsFolder
from mlkit.store.looking import opened
from mlkit.testing import FakeRunner, chain, run_fake
from tests.other_user import ANN, mlkit_as

COMMANDS: dict[str, list[str]] = {
    "plan": ["plan", "{file}"],
    "runs": ["runs", "{file}"],
    "show": ["show", "latest", "{file}"],
    "compare": ["compare", "{run}", "{run}", "{file}"],
    "graph": ["graph", "{file}"],
    "report": ["report", "latest", "{file}", "--out", "{out}"],
    "clean": ["clean", "{file}", "--keep", "0", "--dry-run"],
    "backfill": ["backfill", "{file}", "--from", "2013-01-01", "--to", "2013-01-01", "--dry-run"],
}


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with what would tell that it was written."""
    stats = ((path, path.lstat()) for path in folder.rglob("*"))
    return {str(path): (stat.st_mtime_ns, stat.st_ino) for path, stat in stats}


def _words(name: str, file: Path, record: RunRecord, out: Path) -> list[str]:
    places = {"file": file.parent, "run": record.run_id, "out": out / "report.html"}
    return [word.format(**places) for word in COMMANDS[name]]


def _made(folder: Path) -> tuple[Path, RunRecord]:
    file = chain(folder, 2, schedule="0 2 * * *")
    return file, run_fake(file)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, which the test makes read-only; needs root."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def _called(words: list[str]) -> Result:
    return CliRunner().invoke(app, words, catch_exceptions=False)


def _freeze(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_on_a_read_only_disk(read_only: Path, tmp_path: Path, name: str) -> None:
    """Every command that looks."""
    file, record = _made(read_only / "p")
    _freeze(read_only)
    done = _called(_words(name, file, record, tmp_path))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_in_a_folder_of_another_user(open_place: Path, name: str) -> None:
    """Nothing in it is changed, and nothing is left behind beside the database."""
    file, record = _made(open_place / "p")
    before = _tree(file.parent)
    out = open_place / "out"
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    done = mlkit_as(ANN, *_words(name, file, record, out), cwd=out)
    assert done.returncode == 0, done.stderr
    assert _tree(file.parent) == before


def test_nobody_looking_changes_anything(tmp_path: Path) -> None:
    """The same for oneself, who might write: SQLite's own files come and go, no other does."""
    file, record = _made(tmp_path / "p")
    runs = str(file.parent / "runs")
    before = _tree(file.parent)
    for name in COMMANDS:
        if name != "clean":  # it takes the folder's lock, whose file is made on first use
            assert _called(_words(name, file, record, tmp_path)).exit_code == 0
    assert {**_tree(file.parent), runs: before[runs]} == before


_KILLED = """
import os, signal, sys
from pathlib import Path
from mlkit.store.database import Database
database = Database(Path(sys.argv[1]))
database.save_run(__import__("dataclasses").replace(
    database.load_runs()[0], warnings=("written last",)))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_wrote_last_is_seen_on_a_read_only_disk(read_only: Path) -> None:
    """It stands in the log beside the database only."""
    file, record = _made(read_only / "p")
    database = file.parent / "runs" / "mlkit.db"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(database)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert database.with_name("mlkit.db-wal").stat().st_size > 0
    database.with_name("mlkit.db-shm").unlink()
    _freeze(read_only)
    assert find_run(record.run_id, file.parent / "runs").warnings == ("written last",)


def test_what_a_living_writer_wrote_last_is_seen(tmp_path: Path) -> None:
    """Though it holds the database open."""
    file, record = _made(tmp_path / "p")
    runs = file.parent / "runs"
    writer = Database(runs / "mlkit.db")
    writer.save_run(record.__class__(**{**record.__dict__, "warnings": ("new",)}))
    assert find_run(record.run_id, runs).warnings == ("new",)
    writer.close()


def _plain(record: RunRecord) -> dict[str, Any]:
    return record.to_full_json()


def test_a_deleted_database_is_read_again_from_the_runs_own_records(tmp_path: Path) -> None:
    """By looking, without making a file; the next run takes them in, and runs its stages."""
    file, first = _made(tmp_path / "p")
    second = run_fake(file)
    runs = file.parent / "runs"
    (runs / "mlkit.db").unlink()
    assert [_plain(r) for r in list_runs(runs)] == [_plain(first), _plain(second)]
    assert _plain(find_run("latest", runs)) == _plain(second)
    assert not (runs / "mlkit.db").exists()
    runner = FakeRunner()
    third = run_fake(file, runner=runner)
    assert runner.stages == ["s1", "s2"]
    ids = [record.run_id for record in list_runs(runs)]
    assert ids == [first.run_id, second.run_id, third.run_id]
    found = clean(runs, keep=1, dry_run=False)
    assert found.runs == (first.run_id, second.run_id)
    assert found.artifacts == ()


def test_a_backfill_knows_its_intervals_without_the_database(tmp_path: Path) -> None:
    """A run that was made for an interval says so itself."""
    file = chain(tmp_path / "p", 1, schedule="0 2 * * *")
    command = ["backfill", str(file), "--from", "2013-01-01", "--to", "2013-01-02"]
    record = run_fake(file)
    (file.parent / "runs" / "mlkit.db").unlink()
    assert "2" in _called([*command, "--dry-run"]).output
    assert [r.run_id for r in list_runs(file.parent / "runs")] == [record.run_id]


def test_a_run_is_gone_with_its_folder(tmp_path: Path) -> None:
    """For `runs`, `show`, `latest` and cleaning alike; what it computed is still reused."""
    file, record = _made(tmp_path / "p")
    runs = file.parent / "runs"
    shutil.rmtree(runs / record.run_id)
    assert list_runs(runs) == []
    for name in (record.run_id, "latest"):
        with pytest.raises(UnknownRunError):
            find_run(name, runs)
    runner = FakeRunner()
    again = run_fake(file, runner=runner)
    assert (again.status, runner.stages) == ("succeeded", [])
    clean(runs, dry_run=False)
    with opened(RunsFolder(runs)) as database:
        assert [r.run_id for r in database.load_runs()] == [again.run_id]


def test_a_run_that_was_copied_here_is_seen(tmp_path: Path) -> None:
    """The database has never heard of it."""
    file, record = _made(tmp_path / "p")
    other, _ = _made(tmp_path / "q")
    shutil.copytree(file.parent / "runs" / record.run_id, other.parent / "runs" / record.run_id)
    found = find_run(record.run_id, other.parent / "runs")
    assert found.stages["s1"].outputs["out"].startswith(str(other.parent))
    assert len(list_runs(other.parent / "runs")) == 2


@pytest.mark.parametrize("command", ["run", "plan", "runs"])
@pytest.mark.parametrize(
    ("leads_to", "fact"),
    [
        ("/no/such/disk", "it is a link to '/no/such/disk', where nothing is"),
        ("runs", "it is a link to 'runs', where nothing is"),
        (None, "a file stands in its place"),
    ],
)
def test_what_is_no_runs_folder_is_told_by_every_command(
    tmp_path: Path, command: str, leads_to: str | None, fact: str
) -> None:
    """A disk that is not mounted holds runs all the same: "No run yet" would be wrong."""
    file = chain(tmp_path / "p", 1)
    place = file.parent / "runs"
    place.touch() if leads_to is None else place.symlink_to(leads_to)
    with pytest.raises(RunsFolderError) as caught:
        _called([command, str(file)])
    said = f"the runs folder cannot be used: {fact}"
    assert str(caught.value).startswith(f"{place}: {said}. ")
    assert caught.value.exit_code == (2 if leads_to is None else 1)
    checked = check_runs_folder(place)
    assert (checked.state, checked.detail) == ("broken", said)


@pytest.mark.parametrize("is_kept", [True, False], ids=["copied", "moved"])
def test_a_project_that_was_moved_or_copied_shows_its_own_files(
    tmp_path: Path, *, is_kept: bool
) -> None:
    """Its database holds the paths of the folder in which the runs were made."""
    file, record = _made(tmp_path / "p")
    new = tmp_path / "q"
    shutil.copytree(file.parent, new, symlinks=True)
    before = _tree(file.parent)
    if not is_kept:
        shutil.rmtree(file.parent)
    runs = new / "runs"
    for found in (find_run(record.run_id, runs), *list_runs(runs)):
        assert found.runs_dir == str(runs)
        made = found.stages["s1"]
        assert made.outputs["out"] == str(runs / record.run_id / "s1" / "s1.txt")
        assert Path(made.artifacts["out"].path).is_file()
        assert all(str(new) in str(path) for path in found.stages["s2"].inputs.values())
    told = _called(["report", record.run_id, str(new)])
    assert told.stdout.strip().endswith(str(Path(record.run_id, "report.html")))
    assert (runs / record.run_id / "report.html").is_file()
    if is_kept:
        assert _tree(file.parent) == before


def test_a_damaged_record_of_a_run_is_one_sentence(tmp_path: Path) -> None:
    """Where the database does not know it either."""
    file, record = _made(tmp_path / "p")
    runs = file.parent / "runs"
    (runs / "mlkit.db").unlink()
    (runs / record.run_id / "run.json").write_text('{"run_id": "x"')
    assert list_runs(runs) == []
    with pytest.raises(UnknownRunError, match=r"the record of run '.*' cannot be read"):
        find_run(record.run_id, runs)


@pytest.mark.parametrize("value", [None, 3, "x", [None], {"a": None}])
@pytest.mark.parametrize(
    "place",
    [
        ("parameters",),
        ("options",),
        ("started",),
        ("engine",),
        ("stages", "s1", "ended"),
        ("stages", "s1", "metrics"),
        ("stages", "s1", "history", 0, "cpu_s"),
        ("stages", "s1", "artifacts", "out", "size_bytes"),
    ],
)
def test_a_record_with_another_kind_of_value_is_damaged(
    tmp_path: Path, place: tuple[str | int, ...], value: Any
) -> None:
    """One such record must not keep the other runs from being seen."""
    file, record = _made(tmp_path / "p")
    other = run_fake(file)
    runs = file.parent / "runs"
    (runs / "mlkit.db").unlink()
    kept = runs / record.run_id / "run.json"
    document = json.loads(kept.read_text())
    holder = functools.reduce(operator.getitem, place[:-1], document)
    holder[place[-1]] = value
    kept.write_text(json.dumps(document))
    seen = [each.run_id for each in list_runs(runs)]
    assert seen in ([other.run_id], [record.run_id, other.run_id])
    assert _called(["runs", str(file)]).exit_code == 0
    if record.run_id in seen:
        assert _called(["show", record.run_id, str(file)]).exit_code == 0


DAMAGE = {
    "another file": b"this is no database, however long it may be",
    "noise in the middle": None,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_database_is_told_and_kept(tmp_path: Path, how: str) -> None:
    """The remedy, done as it says, works."""
    file, record = _made(tmp_path / "p")
    database = file.parent / "runs" / "mlkit.db"
    data = DAMAGE[how] or _with_noise(database.read_bytes())
    database.write_bytes(data)
    for words in (["runs", str(file)], ["run", str(file)], ["show", "latest", str(file)]):
        done = subprocess.run(
            [sys.executable, "-m", "mlkit", *words], capture_output=True, text=True
        )
        assert done.returncode == 1, done.stdout
        assert "the file is damaged" in done.stderr
        assert f"mv '{database}' '{database}.damaged'" in done.stderr
        assert "has room" not in done.stderr
    assert database.read_bytes() == data
    database.rename(f"{database}.damaged")
    assert [r.run_id for r in list_runs(file.parent / "runs")] == [record.run_id]


def _with_noise(data: bytes) -> bytes:
    """Every page but the first damaged: the file still says that it is a database."""
    return data[:4096] + b"\xa5" * (len(data) - 4096)


def test_a_locked_database_names_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program holds it; nothing is said of the disk's room."""
    monkeypatch.setattr("mlkit.store.connection._LOOKING_TIMEOUT_S", 0.1)
    monkeypatch.setattr("mlkit.store.connection.BUSY_TIMEOUT_S", 0.1)
    monkeypatch.setattr("mlkit.store.database_tables.BUSY_TIMEOUT_S", 0.1)
    file, _ = _made(tmp_path / "p")
    database = file.parent / "runs" / "mlkit.db"
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("DELETE FROM repairs")
    with pytest.raises(RunsFolderError) as looking:
        list_runs(file.parent / "runs")
    with pytest.raises(RunsFolderError) as running:
        run_fake(file)
    other.close()
    for error in (looking.value, running.value):
        assert "another program keeps it locked" in error.message
        assert f"fuser {database}" in str(error.remedy)


def test_a_folder_in_the_databases_place(tmp_path: Path) -> None:
    """Is named as what it is."""
    file = chain(tmp_path / "p", 1)
    (file.parent / "runs" / "mlkit.db").mkdir(parents=True)
    with pytest.raises(RunsFolderError) as caught:
        run_fake(file)
    assert "a folder stands in its place" in caught.value.message
    assert caught.value.file == str(file.parent / "runs" / "mlkit.db")


def test_an_empty_file_is_no_database_yet(tmp_path: Path) -> None:
    """It is looked at as if it were not there, and filled by the next run."""
    file, record = _made(tmp_path / "p")
    (file.parent / "runs" / "mlkit.db").write_bytes(b"")
    assert [r.run_id for r in list_runs(file.parent / "runs")] == [record.run_id]
    assert (file.parent / "runs" / "mlkit.db").read_bytes() == b""
    run_fake(file)
    assert len(list_runs(file.parent / "runs")) == 2


def _fill(file: Path) -> None:
    """Write until no byte can be written any more."""
    with file.open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass


def test_a_full_disk_is_cleaned_as_the_remedy_says(read_only: Path) -> None:
    """Nothing can be written, not even into the database, until something has been removed."""
    file, first = _made(read_only / "p")
    second = run_fake(file, force=True)
    runs = file.parent / "runs"
    with pytest.raises(OSError, match="No space left"):
        _fill(read_only / "filler")
    run = [sys.executable, "-m", "mlkit", "run", str(file), "--force"]
    full = subprocess.run(run, capture_output=True, text=True)
    assert full.returncode == 1
    assert "mlkit clean --keep 1 --yes" in full.stderr
    clean = [sys.executable, "-m", "mlkit", "clean", str(file), "--keep", "1", "--yes"]
    done = subprocess.run(clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    left = [record.run_id for record in list_runs(runs)]
    assert first.run_id not in left
    assert second.run_id in left
    assert not (runs / first.run_id).exists()


def _places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where anything stands in a document: every key and every index, at every depth."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items if isinstance(value, dict | list) else ():
        yield (*place, key)
        yield from _places(item, (*place, key)) if isinstance(item, dict | list) else ()


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_record_keeps_the_others_from_being_seen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever stands anywhere in its run.json: each command answers, and lists the other run."""
    file, record = _made(tmp_path_factory.mktemp("p") / "p")
    other = run_fake(file)
    runs = file.parent / "runs"
    (runs / "mlkit.db").unlink()
    kept = runs / record.run_id / "run.json"
    document = json.loads(kept.read_text())
    place = data.draw(st.sampled_from(sorted(_places(document), key=str)))
    holder = functools.reduce(operator.getitem, place[:-1], document)
    odd = [None, True, -1, 1e300, "x", [], [None], {}, {"a": None}, {"$float": "x"}]
    holder[place[-1]] = data.draw(st.sampled_from(odd))
    kept.write_text(json.dumps(document))
    for arguments in (["runs"], ["show", other.run_id], ["compare", record.run_id, other.run_id]):
        done = CliRunner().invoke(app, [*arguments, "--runs-dir", str(runs)])
        assert done.exception is None or isinstance(done.exception, SystemExit | MlkitError)
        assert other.run_id in done.stdout or arguments[0] == "compare"
