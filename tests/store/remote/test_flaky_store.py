"""A store that fails at random in any request, held against what each run must give."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec import register_implementation
from fsspec.implementations.local import LocalFileSystem

from mlkit import find_run, list_runs, plan, resume
from mlkit.api.old_runs import clean
from mlkit.errors import MlkitError
from mlkit.store.artifact_store import digest_file
from mlkit.store.remote import leases
from mlkit.store.remote.places import working_copy
from mlkit.testing import FakeRunner, Raises, run_fake
from mlkit.testing.running import fake_services
from tests.store.remote.conftest import Machine
from tests.store.remote.test_machines_at_random import STAGES, expected, write

REQUESTS = ("pipe_file", "put_file", "get_file", "cat_file", "info", "find", "rm_file", "mv")
COMMANDS = ("run", "run", "force", "fail", "resume", "clean", "plan", "list", "find")
SEED = int(os.environ.get("MLKIT_FLAKY_SEED") or random.randrange(10**6))


class FlakyStore(LocalFileSystem):  # type: ignore[misc] # fsspec has no types
    """A folder of this machine that breaks off: before a request, within it, or after it."""

    protocol = "flaky"
    drawn = random.Random(0)
    chance = 0.0

    def __init__(self, **_: Any) -> None:
        super().__init__(auto_mkdir=True, skip_instance_cache=True)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(str(path).removeprefix("flaky://"))

    def _breaking(self, name: str, *args: Any, **more: Any) -> Any:
        request = getattr(super(), name)
        if self.drawn.random() >= self.chance:
            return request(*args, **more)
        how = self.drawn.choice(("before", "within", "after"))
        if how == "within" and name == "pipe_file":
            request(args[0], args[1][: len(args[1]) // 2])
        elif how != "before":
            request(*args, **more)
        if how == "within" and name in ("put_file", "get_file"):
            os.truncate(args[1], Path(args[1]).stat().st_size // 2)
        raise ConnectionResetError(f"broken {how} {name}")


def _breaking(name: str) -> Any:
    return lambda self, *args, **more: self._breaking(name, *args, **more)


for each in REQUESTS:
    setattr(FlakyStore, each, _breaking(each))


@pytest.fixture
def flaky(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty place on such a store, which is well until it is told otherwise."""
    register_implementation("flaky", FlakyStore, clobber=True)
    yield f"flaky://{tmp_path}/shared"
    FlakyStore.chance = 0.0


def _held(run_id: str, url: str, values: dict[str, int]) -> None:
    record = find_run(run_id, url, files=True)
    found = {n: Path(s.outputs["out"]).read_text() for n, s in record.stages.items() if s.outputs}
    right = expected(values)
    assert found == {name: right[name] for name in found}
    assert record.status != "succeeded" or found.keys() == right.keys()


def _step(command: str, file: Path, url: str, made: dict[str, dict[str, int]]) -> str:
    """Give one command; its own error, if it had one."""
    drawn = FlakyStore.drawn
    values, known = {"rows": drawn.randrange(2), "seed": drawn.randrange(2)}, sorted(made)
    try:
        if command in ("run", "force", "fail"):
            fails = {drawn.choice(STAGES): [Raises()]} if command == "fail" else {}
            record = run_fake(
                file,
                runner=FakeRunner(fails),
                parameters=values,
                runs_dir=url,
                force=command == "force",
            )
            made[record.run_id] = values
            assert record.status == "succeeded" or fails
        elif command == "resume" and known:
            run_id = drawn.choice(known)
            services = fake_services()
            assert resume(run_id, file, runs_dir=url, services=services).status == "succeeded"
        elif command == "clean":
            clean(working_copy(url), keep=drawn.randrange(3), dry_run=False)
        elif command == "plan":
            plan(file, parameters=values, runs_dir=url)
        elif command == "list":
            list_runs(url)
        elif command == "find" and known:
            run_id = drawn.choice(known)
            _held(run_id, url, made[run_id])
    except MlkitError as error:
        return str(error)
    return ""


def _walk(file: Path, url: str, on: Machine, seed: int) -> None:
    FlakyStore.drawn = drawn = random.Random(seed)
    made: dict[str, dict[str, int]] = {}
    for _ in range(12):
        on(drawn.choice(("one", "two")))
        FlakyStore.chance = drawn.choice((0.0, 0.01, 0.03, 0.1, 0.3))
        _step(drawn.choice(COMMANDS), file, url, made)
    FlakyStore.chance = 0.0
    for machine in ("one", "two", "three"):
        on(machine)
        for values in ({"rows": rows, "seed": 0} for rows in range(2)):
            record = run_fake(file, parameters=values, runs_dir=url)
            assert record.status == "succeeded"
            _held(record.run_id, url, values)
        for record in list_runs(url):
            assert record.status != "running"
            if record.run_id in made:
                _held(record.run_id, url, made[record.run_id])
    for whole in Path(url.removeprefix("flaky://")).glob("store/??/*"):
        assert digest_file(whole) == whole.parent.name + whole.name


@pytest.mark.parametrize(
    "number", [*range(4), *(pytest.param(n, marks=pytest.mark.long) for n in range(4, 30))]
)
def test_nothing_half_written_is_ever_used(
    flaky: str, on: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Commands end right or in a sentence, and once the store is well again so is every run."""
    # Who could not take its lease back would keep others out for a minute and a half.
    monkeypatch.setattr(leases, "DEAD_AFTER_S", -1.0)
    try:
        _walk(write(tmp_path / "p"), flaky, on, SEED * 100 + number)
    except BaseException as error:
        error.add_note(f"It comes again with MLKIT_FLAKY_SEED={SEED}")
        raise
