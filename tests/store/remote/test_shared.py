"""Runs folders behind a URL, seen from several machines."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from mlkit import api, find_run, list_runs, plan, resume
from mlkit.api.old_runs import clean
from mlkit.errors import StoreError, UnknownRunError, UsageError
from mlkit.load.pipeline_file import load_pipeline
from mlkit.store.folder import RunsFolder
from mlkit.store.remote import leases
from mlkit.store.remote.files import Remote
from mlkit.store.remote.places import working_copy
from mlkit.store.remote.seen import Seen
from mlkit.testing import (
    FakeClock,
    FakeRunner,
    Raises,
    Sketch,
    chain,
    diamond,
    dynamic_map,
    run_fake,
    write_pipeline,
)
from mlkit.testing.runner import Returns
from mlkit.testing.running import fake_services
from tests.store.remote.conftest import Machine

WHOLE = "bottom(left(top()),right(top()))"


def _ran(file: Path, url: str, **options: Any) -> list[str]:
    runner = FakeRunner()
    assert run_fake(file, runs_dir=url, runner=runner, **options).status == "succeeded"
    return runner.stages


def test_another_machine_reuses_everything(url: str, on: Machine, tmp_path: Path) -> None:
    """With nothing but the URL: results, artifacts under their names, and the run's files."""
    file = diamond(tmp_path / "p")
    first = run_fake(file, runs_dir=url)
    assert _ran(file, url) == []
    on("two")
    assert {f.action for f in plan(file, runs_dir=url).values()} == {"reuse"}
    assert not list(working_copy(url).glob("store/??/*"))
    assert _ran(file, url) == []
    assert list_runs(url)[0].run_id == first.run_id
    there = find_run(first.run_id, url, files=True)
    assert there.runs_dir == str(working_copy(url))
    assert Path(there.stages["bottom"].outputs["out"]).read_text() == WHOLE
    assert (working_copy(url) / first.run_id / "bottom" / "notebook.ipynb").is_file()
    assert find_run("latest", url).run_id == list_runs(url)[-1].run_id


def test_a_change_runs_what_it_reaches_and_going_back_reuses(
    place: str, on: Machine, tmp_path: Path
) -> None:
    """Fingerprints mean the same on every machine."""
    file = chain(tmp_path / "p", 3)
    run_fake(file, runs_dir=place)
    on("two")
    notebook = tmp_path / "p" / "s2.ipynb"
    before = notebook.read_text()
    notebook.write_text(before.replace('"source": "', '"source": "# changed\\n'))
    assert _ran(file, place) == ["s2"]
    notebook.write_text(before)
    on("one")
    assert _ran(file, place) == []


def test_a_store_alone_shares_results_between_runs_folders(place: str, tmp_path: Path) -> None:
    """The runs stay where they are; only artifacts and results travel."""
    file = diamond(tmp_path / "p")
    run_fake(file, runs_dir=tmp_path / "a", store=place)
    runner = FakeRunner()
    again = run_fake(file, runs_dir=tmp_path / "b", store=place, runner=runner)
    assert runner.stages == []
    assert Path(again.stages["bottom"].outputs["out"]).read_text() == WHOLE
    alone = FakeRunner()
    run_fake(file, runs_dir=tmp_path / "c", runner=alone)
    assert len(alone.stages) == 4
    assert not (tmp_path / "a" / ".remote.json").exists()


def test_earlier_results_of_a_folder_are_sent_when_they_are_reused(
    place: str, tmp_path: Path
) -> None:
    """A store that comes later is filled as runs need it."""
    file = chain(tmp_path / "p", 2)
    run_fake(file, runs_dir=tmp_path / "a")
    run_fake(file, runs_dir=tmp_path / "a", store=place)
    runner = FakeRunner()
    run_fake(file, runs_dir=tmp_path / "b", store=place, runner=runner)
    assert runner.stages == []


def _artifacts(url: str) -> list[str]:
    entries = Remote(url).entries()
    names = [e.name for e in entries if "/store/" in f"/{e.name}" and "results" not in e.name]
    return [name for name in names if not name.endswith("trace.key")]


@pytest.mark.parametrize(
    ("kind", "damage"),
    [("place", "cut"), ("place", "same size"), ("place", "gone"), ("bucket", "same size")],
)
def test_damage_behind_the_url_is_found_and_rebuilt(
    request: pytest.FixtureRequest, on: Machine, tmp_path: Path, kind: str, damage: str
) -> None:
    """What arrives is checked by digest; the machine that has it whole sends it with --verify."""
    url: str = request.getfixturevalue(kind)
    file = chain(tmp_path / "p", 2)
    run_fake(file, runs_dir=url)
    remote = Remote(url)
    (name, *_) = _artifacts(url)
    whole = remote.read(name)
    assert whole is not None
    if damage == "gone":
        remote.remove([name])
    else:
        remote.write(name, whole[:-1] if damage == "cut" else whole[:-1] + b"?")
    on("two")
    runner = FakeRunner()
    record = run_fake(file, runs_dir=url, runner=runner)
    assert len(runner.stages) == 1
    assert "in the store and is rebuilt" in " ".join(record.warnings)
    assert remote.read(name) == whole
    remote.write(name, whole[:-1] + b"?")
    assert _ran(file, url, verify=True) == []
    assert remote.read(name) == whole


def test_a_record_without_its_artifact_is_no_result(
    place: str, on: Machine, tmp_path: Path
) -> None:
    """Records that are broken or of another format are none at all."""
    file = chain(tmp_path / "p", 1)
    run_fake(file, runs_dir=place)
    remote = Remote(f"{place}/store")
    (entry,) = remote.entries("results")
    text = remote.read(entry.name)
    assert text is not None
    for broken in (text[: len(text) // 2], b"[]", json.dumps({"format": 99}).encode()):
        remote.write(entry.name, broken)
        on(f"machine {len(broken)}")
        assert {f.action for f in plan(file, runs_dir=place).values()} == {"run"}


def test_a_secret_is_sent_nowhere(place: str, on: Machine, tmp_path: Path) -> None:
    """Neither in records nor in notebooks, logs and events."""
    secret = "a-secret-of-some-length"
    file = write_pipeline(
        tmp_path / "p",
        Sketch(
            name="a",
            body="print(str(token))\nopen(out, 'w').write('x')",
            declares='import mlkit\ntoken: mlkit.Secret = ""',
        ),
    )
    assert run_fake(file, runs_dir=place, parameters={"token": secret}).status == "succeeded"
    remote = Remote(place)
    sent = remote.read_all(entry.name for entry in remote.entries())
    assert len(sent) > 5
    assert [name for name, data in sent.items() if secret.encode() in data] == []


def test_the_database_can_be_made_anew(place: str, on: Machine, tmp_path: Path) -> None:
    """It is a copy of what the records say."""
    file = diamond(tmp_path / "p")
    first = run_fake(file, runs_dir=place)
    shutil.rmtree(working_copy(place))
    assert _ran(file, place) == []
    again = find_run(first.run_id, place)
    assert (again.status, list(again.stages)) == (first.status, list(first.stages))
    assert again.stages["top"].history == first.stages["top"].history


def test_a_run_is_resumed_on_another_machine(url: str, on: Machine, tmp_path: Path) -> None:
    """What it had finished is not repeated, not even a stage that is never reused."""
    file = write_pipeline(
        tmp_path / "p",
        Sketch(name="a", keys={"cache": False}),
        Sketch(name="b", upstream=("a",)),
    )
    failed = run_fake(file, runs_dir=url, runner=FakeRunner({"b": [Raises()]}))
    assert failed.status == "failed"
    on("two")
    services = fake_services(runner=(runner := FakeRunner()))
    done = resume(failed.run_id, file, runs_dir=url, services=services)
    assert (done.status, runner.stages) == ("succeeded", ["b"])
    assert [a.number for a in done.stages["b"].history] == [1, 2]
    on("one")
    assert find_run(failed.run_id, url).status == "succeeded"
    assert Path(find_run("latest", url, files=True).stages["b"].outputs["out"]).is_file()


def test_a_run_that_is_alive_elsewhere_is_refused(
    url: str, on: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither resumed nor cleaned away; a lease that was not renewed holds nobody up."""
    file = chain(tmp_path / "p", 2)
    failed = run_fake(file, runs_dir=url, runner=FakeRunner({"s2": [Raises()]}))
    store = Remote(f"{url}/store")
    with leases.held(store, failed.run_id, working_copy(url)):
        on("two")
        with pytest.raises(UsageError, match=f"run {failed.run_id} is alive on "):
            resume(failed.run_id, file, runs_dir=url, services=fake_services())
        with pytest.raises(UsageError, match=r"is alive on .* Clean when it has ended"):
            clean(working_copy(url), keep=0)
        monkeypatch.setattr(leases, "DEAD_AFTER_S", 0.0)
        assert (
            resume(failed.run_id, file, runs_dir=url, services=fake_services()).status
            == "succeeded"
        )
    assert store.entries(leases.FOLDER) == []


@pytest.mark.parametrize("off_s", [86_400.0, -86_400.0], ids=["ahead", "behind"])
def test_a_lease_lives_as_long_whatever_clock_its_machine_has(
    place: str, on: Machine, tmp_path: Path, off_s: float
) -> None:
    """A day off, a machine keeps others out while it lives, and no longer."""
    file = chain(tmp_path / "p", 2)
    failed = run_fake(file, runs_dir=place, runner=FakeRunner({"s2": [Raises()]}))
    store = Remote(f"{place}/store")
    lease = tmp_path / "my {runs}" / "store" / leases.FOLDER / failed.run_id / "token"
    lease.parent.mkdir(parents=True, exist_ok=True)
    told = {"host": "wrong", "folder": "/runs", "shared": True, "work": "s2"}
    lease.write_text(json.dumps({**told, "time": time.time() + off_s}), encoding="utf-8")
    on("two")
    assert [holder.host for holder in leases.holders(store)] == ["wrong"]
    assert leases.works_elsewhere(store, tmp_path, failed.run_id, "s2")
    with pytest.raises(UsageError, match="is alive on wrong: its last sign came 0 s ago"):
        resume(failed.run_id, file, runs_dir=place, services=fake_services())
    gone = time.time() - leases.DEAD_AFTER_S
    os.utime(lease, (gone, gone))
    assert leases.holders(store) == leases.holders(store, only_looks=True) == []
    assert not leases.works_elsewhere(store, tmp_path, failed.run_id, "s2")
    assert resume(failed.run_id, file, runs_dir=place, services=fake_services()).ok


def test_no_run_begins_while_the_store_is_cleaned(place: str, on: Machine, tmp_path: Path) -> None:
    """It says where from."""
    with (
        leases.held(Remote(f"{place}/store"), leases.CLEANING, tmp_path),
        pytest.raises(UsageError, match="the store is being cleaned from "),
    ):
        run_fake(chain(tmp_path / "p", 1), runs_dir=place)


def test_cleaning_removes_behind_the_url_too(url: str, on: Machine, tmp_path: Path) -> None:
    """Runs, results and artifacts that nothing refers to; what is left is reused elsewhere."""
    file = chain(tmp_path / "p", 2)
    old = run_fake(file, runs_dir=url)
    notebook = tmp_path / "p" / "s1.ipynb"
    notebook.write_text(notebook.read_text().replace("s1(", "new("))
    new = run_fake(file, runs_dir=url)
    on("two")
    told = clean(working_copy(url), keep=1)
    assert told.runs == (old.run_id,)
    assert len(told.artifacts) == 2
    assert len(_artifacts(url)) == 4
    clean(working_copy(url), keep=1, dry_run=False)
    assert len(_artifacts(url)) == 2
    assert Remote(url).entries(old.run_id) == []
    on("three")
    assert [r.run_id for r in list_runs(url)] == [new.run_id]
    assert _ran(file, url) == []


def test_a_run_that_another_machine_has_cleaned_is_gone_here_too(
    url: str, on: Machine, tmp_path: Path
) -> None:
    """With its files and its results; `latest` is the newest that is left."""
    file = chain(tmp_path / "p", 1)
    first = run_fake(file, runs_dir=url)
    last = run_fake(file, runs_dir=url, force=True)
    on("two")
    copy = working_copy(url)
    find_run(first.run_id, url, files=True)
    promoted = RunsFolder(copy)
    promoted.set_latest(first.run_id)
    on("one")
    clean(working_copy(url), keep=1, dry_run=False)
    on("two")
    assert [record.run_id for record in list_runs(url)] == [last.run_id]
    assert not (copy / first.run_id).exists()
    assert promoted.latest_id() == last.run_id
    with pytest.raises(UnknownRunError):
        find_run(first.run_id, url)


def test_a_result_that_a_newer_run_uses_outlives_the_run_that_made_it(
    url: str, on: Machine, tmp_path: Path
) -> None:
    """Also where a machine learns at once of the newer run and that the older one is gone."""
    file = chain(tmp_path / "p", 1)
    run_fake(file, runs_dir=url)
    on("two")
    assert len(list_runs(url)) == 1
    on("one")
    newer = run_fake(file, runs_dir=url)
    assert newer.stages["s1"].status == "cached"
    clean(working_copy(url), keep=1, dry_run=False)
    on("two")
    assert [record.run_id for record in list_runs(url)] == [newer.run_id]
    clean(working_copy(url), keep=1, dry_run=False)
    on("three")
    assert _ran(file, url) == []


@pytest.mark.parametrize("damaged", [b'{"run_id": "x', b"[]", b"\xff", b"{}"])
def test_a_damaged_record_behind_the_url_hides_no_other_run(
    place: str, on: Machine, tmp_path: Path, damaged: bytes
) -> None:
    """It is passed over, as it is in a folder of this machine, and read again when it is whole."""
    file = chain(tmp_path / "p", 1)
    first, second = run_fake(file, runs_dir=place), run_fake(file, runs_dir=place, force=True)
    remote, name = Remote(place), f"{first.run_id}/run.json"
    whole = remote.read(name)
    assert whole is not None
    remote.write(name, damaged)
    remote.write(f"{first.run_id}/.stages/s1", damaged)
    on("two")
    assert [record.run_id for record in list_runs(place)] == [second.run_id]
    assert run_fake(file, runs_dir=place).stages["s1"].status == "cached"
    remote.write(name, whole)
    remote.write(f".runs/{first.run_id}", b"run.json has changed again\n")
    assert first.run_id in {record.run_id for record in list_runs(place)}


def test_a_disk_that_is_not_mounted_drops_no_run(place: str, on: Machine, tmp_path: Path) -> None:
    """Nor does a run go that is behind no URL yet."""
    file = chain(tmp_path / "p", 1)
    first = run_fake(file, runs_dir=place)
    folder = Path(place.removeprefix("file://"))
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    assert [record.run_id for record in list_runs(place)] == [first.run_id]
    folder.rmdir()
    aside.rename(folder)
    Remote(place).remove([f".runs/{first.run_id}"])
    Remote(place).write(".runs/another", b"")
    Seen(working_copy(place)).forget([f".runs/{first.run_id}"])
    assert [record.run_id for record in list_runs(place)] == [first.run_id]


def test_what_another_machine_has_cleaned_is_told_as_cleaned(
    place: str, on: Machine, tmp_path: Path
) -> None:
    """By one that knew of the result, and had not fetched its artifact."""
    file = chain(tmp_path / "p", 1)
    run_fake(file, runs_dir=place)
    on("two")
    run_fake(dynamic_map(tmp_path / "q", name="another"), runs_dir=place)
    assert plan(file, runs_dir=place)["s1"].action == "reuse"
    on("one")
    notebook = tmp_path / "p" / "s1.ipynb"
    text = notebook.read_text()
    notebook.write_text(text.replace("s1(", "new("))
    run_fake(file, runs_dir=place)
    clean(working_copy(place), keep=1, dry_run=False)
    notebook.write_text(text)
    assert plan(file, runs_dir=place)["s1"].reasons == ("its result was removed by mlkit clean",)
    on("two")
    gone = ("artifact out was cleaned out of the store and is rebuilt",)
    assert plan(file, runs_dir=place)["s1"].reasons == gone
    assert run_fake(file, runs_dir=place).ok
    assert plan(file, runs_dir=place)["s1"].action == "reuse"


def test_stages_of_one_run_on_several_machines(url: str, on: Machine, tmp_path: Path) -> None:
    """What an orchestrator's tasks do whose machines share nothing but the URL."""
    file = dynamic_map(tmp_path / "p")
    parts = ["choose", "each[a]", "each[b]", "each[c]", "all"]
    for number, part in enumerate(parts):
        on(f"machine {number}")
        record = run_fake(file, runs_dir=url, only=part, run_id="nightly")
        assert record.stages[part].status == "succeeded"
    assert record.status == "succeeded"
    assert Path(record.stages["all"].outputs["out"]).read_text().count(",") == 2
    on("watcher")
    seen = find_run("nightly", url)
    assert (seen.status, set(seen.stages)) == ("succeeded", set(parts))


def _die_in_s2(file: str, url: str) -> None:
    runner = FakeRunner({"s2": [lambda request: os.kill(os.getpid(), signal.SIGKILL)]})
    run_fake(Path(file), runs_dir=url, only="s2", run_id="nightly", runner=runner)


def test_an_attempt_on_a_machine_that_went_away_is_lost(
    place: str, on: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine knows of it, and says so when it makes the next attempt."""
    file = chain(tmp_path / "p", 2)
    run_fake(file, runs_dir=place, only="s1", run_id="nightly")
    process = multiprocessing.get_context("fork").Process(
        target=_die_in_s2, args=(str(file), place)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    on("two")
    monkeypatch.setattr(leases, "DEAD_AFTER_S", 0.0)
    waits = find_run("nightly", place)
    assert waits.status == "waiting"
    assert [a.status for a in waits.stages["s2"].history] == ["lost"]
    record = run_fake(file, runs_dir=place, only="s2", run_id="nightly")
    assert record.status == "succeeded"
    on("watcher")
    seen = find_run("nightly", place)
    assert [a.status for a in seen.stages["s2"].history] == ["lost", "succeeded"]


def test_no_two_machines_make_attempts_of_one_stage_at_once(
    place: str, on: Machine, tmp_path: Path
) -> None:
    """The second waits while the first one's lease says that it works on that stage."""
    file = chain(tmp_path / "p", 2)
    run_fake(file, runs_dir=place, only="s1", run_id="nightly")
    held = contextlib.ExitStack()
    store = Remote(f"{place}/store")
    held.enter_context(leases.held(store, "nightly", working_copy(place), work="s2"))
    waited: list[float | None] = []

    class Clock(FakeClock):
        def wait(self, inbox: Any, timeout_s: float | None) -> Any | None:
            if inbox.empty() and leases.holders(store):
                waited.append(timeout_s)
                held.close()
                return None
            return super().wait(inbox, timeout_s)

    on("two")
    record = run_fake(file, runs_dir=place, only="s2", run_id="nightly", clock=Clock())
    assert record.status == "succeeded"
    assert waited == [2.0]


def test_a_missing_upstream_on_another_machine_is_named(
    place: str, on: Machine, tmp_path: Path
) -> None:
    """As on one machine."""
    file = chain(tmp_path / "p", 2)
    with pytest.raises(UsageError, match="stage 's1' has not run"):
        run_fake(file, runs_dir=place, only="s2", run_id="nightly")


def _whole_run(file: str, url: str, machine: str) -> None:
    os.environ["MLKIT_CACHE_DIR"] = machine
    assert run_fake(file, runs_dir=url).status == "succeeded"


def test_runs_at_once_on_one_url_all_end_right(place: str, on: Machine, tmp_path: Path) -> None:
    """Two on one machine, one on another; from an empty place on."""
    file = diamond(tmp_path / "p")
    context = multiprocessing.get_context("spawn")
    machines = [str(tmp_path / "machines" / name) for name in ("one", "one", "two")]
    workers = [
        context.Process(target=_whole_run, args=(str(file), place, machine)) for machine in machines
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    on("three")
    records = list_runs(place)
    assert [record.status for record in records] == ["succeeded"] * 3
    newest = find_run("latest", place, files=True)
    assert Path(newest.stages["bottom"].outputs["out"]).read_text() == WHOLE
    assert _ran(file, place) == []


class _Breaks:
    """A stage during which the store goes away."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __call__(self, request: object) -> None:
        """Put a file where the store's folder was."""
        self.place.rename(self.place.with_name("away"))
        while not self.place.is_file():  # a thread that shares may just have made a folder again
            with contextlib.suppress(IsADirectoryError):
                self.place.write_text("no folder")
            if self.place.is_dir():
                shutil.rmtree(self.place, ignore_errors=True)


def test_a_store_that_breaks_away_loses_nothing(on: Machine, tmp_path: Path) -> None:
    """The stage that had ended is committed here; the resumed run sends it and goes on."""
    disk = tmp_path / "remote"
    place = f"file://{disk}"
    file = chain(tmp_path / "p", 3)
    with pytest.raises(StoreError) as caught:
        run_fake(file, runs_dir=place, runner=FakeRunner({"s2": [_Breaks(disk)]}))
    assert caught.value.exit_code == 1
    assert caught.value.remedy
    disk.unlink()
    disk.with_name("away").rename(disk)
    (record,) = list_runs(place)
    assert record.stages["s2"].status == "succeeded"
    services = fake_services(runner=(runner := FakeRunner()))
    assert resume(record.run_id, file, runs_dir=place, services=services).status == "succeeded"
    assert runner.stages == ["s3"]
    on("two")
    assert _ran(file, place) == []


def test_local_runs_import_nothing_of_it(tmp_path: Path) -> None:
    """A run on this machine's disk knows no fsspec, no Dask, and writes no further table."""
    import subprocess
    import sys

    file = chain(tmp_path, 2)
    program = (
        "import sys\nfrom mlkit.testing import run_fake\nrun_fake(sys.argv[1])\n"
        "bad = [m for m in ('fsspec', 's3fs', 'distributed', 'mlkit.store.remote.files', "
        "'mlkit.driver.executors.dask') if m in sys.modules]\nsys.exit(str(bad) if bad else 0)\n"
    )
    command = [sys.executable, "-c", program, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_names_and_promotions_are_everybodys(url: str, on: Machine, tmp_path: Path) -> None:
    """Given, moved and taken on one machine they are so on all; a taken one is refused anywhere."""
    file = write_pipeline(
        tmp_path / "p", Sketch(name="s1", declares='word: str = "a"'), parameters={"word": "a"}
    )
    one = run_fake(file, runs_dir=url, name="first")
    other = run_fake(file, runs_dir=url, parameters={"word": "b"})
    on("two")
    assert find_run("first", url).run_id == one.run_id
    with pytest.raises(UsageError, match="'first' is taken"):
        run_fake(file, runs_dir=url, name="first")
    api.label(other.run_id, "best", runs_dir=url)
    api.promote("best", runs_dir=url)
    on("three")
    assert find_run("best", url).run_id == find_run("latest", url).run_id == other.run_id
    assert [record.labels for record in list_runs(url)] == [("first",), ("best",)]
    api.label("first", "best", runs_dir=url, moves=True)
    api.unlabel("first", runs_dir=url)
    on("two")
    assert [record.labels for record in list_runs(url)] == [("best",), ()]
    last = run_fake(file, runs_dir=url)
    on("three")
    assert find_run("latest", url).run_id == last.run_id


@pytest.mark.parametrize("text", ['{"run_id": "../../x"}', '{"run_id": ".x"}', "[]", "x", "{}"])
def test_a_name_that_leads_elsewhere_is_passed_over(
    url: str, on: Machine, tmp_path: Path, text: str
) -> None:
    """What others have written never leads out of the runs folder."""
    file = chain(tmp_path / "p", 1)
    run_fake(file, runs_dir=url)
    for name in (".labels/bad", ".labels/a b", ".labels/latest", ".promoted.json"):
        Remote(url).write(name, text.encode())
    on("two")
    assert len(list_runs(url)) == 1
    assert RunsFolder(working_copy(url)).labels.all() == {}


def test_what_a_run_behind_a_url_has_made_is_an_input(
    url: str, on: Machine, tmp_path: Path
) -> None:
    """Of the same runs or of another pipeline's; a machine without the file fetches it."""
    run_fake(chain(tmp_path / "p", 1), runs_dir=url, name="best")
    on("two")
    own = str(tmp_path / "runs")
    sources = [("run:best/s1.out", url), (f"run:{url}/best/s1.out", own)]
    for n, (source, where) in enumerate(sources):
        reader = Sketch(
            name="reader",
            body="from pathlib import Path\nPath(out).write_text(Path(given).read_text())",
            declares='given: str = ""',
            keys={"inputs": {"given": source}},
        )
        record = run_fake(write_pipeline(tmp_path / f"r{n}", reader), runs_dir=where)
        assert Path(record.stages["reader"].outputs["out"]).read_text() == "s1()"


def test_a_sweep_is_gone_on_with_on_another_machine(url: str, on: Machine, tmp_path: Path) -> None:
    """What it is to run is known there; what has succeeded anywhere is not run again."""
    stage = Sketch(name="s1", declares="n: int = 0", body="open(out, 'w').write(str(n))")
    file = write_pipeline(tmp_path / "p", stage)

    def swept(*values: int, runner: FakeRunner) -> list[bool]:
        _, made = api.sweep(
            load_pipeline(file), [{"n": n} for n in values], layers=api.Layers(),
            options=api.RunOptions(name="g"), runs_dir=url, say=lambda _: None,
            observed=lambda: contextlib.nullcontext(fake_services(runner=runner)),
        )  # fmt: skip
        return [m.record is not None and m.record.ok for m in made]

    assert swept(1, 2, runner=FakeRunner({"s1": [Returns(), Raises()]})) == [True, False]
    on("two")
    found, runner = api.find_sweep("g", url), FakeRunner()
    assert found is not None
    assert [item.values for item in found.combinations] == [{"n": 1}, {"n": 2}]
    assert swept(1, 2, 3, runner=runner) == [True, True, True]
    assert runner.stages == ["s1", "s1"]
    assert len(list_runs(url)) == 3
