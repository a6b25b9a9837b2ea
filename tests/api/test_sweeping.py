"""Sweeps are groups: shown, extended, resumed and given up as one."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlkit import api
from mlkit.api.old_runs import clean
from mlkit.api.sweeping import Member, members, resume_sweep, sweep
from mlkit.core.events import Event, EventKind
from mlkit.driver.options import RunOptions
from mlkit.errors import RunsFolderError, UnknownRunError, UsageError
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from mlkit.store.folder import RunsFolder
from mlkit.testing import FakeRunner, Raises, Sketch, write_pipeline
from mlkit.testing.runner import Behaviour, Returns
from mlkit.testing.running import fake_services

BODY = "from pathlib import Path\nPath(out).write_text(f'{n}')"


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return _pipeline(tmp_path)


def _pipeline(folder: Path) -> Path:
    first = Sketch(name="first", body="from pathlib import Path\nPath(out).write_text('x')")
    last = Sketch(name="last", upstream=("first",), body=BODY, declares='n: int = 0\nm: str = "a"')
    return write_pipeline(folder, first, last)


def _observed(runner: FakeRunner) -> Callable[[], contextlib.AbstractContextManager[api.Services]]:
    @contextlib.contextmanager
    def observed() -> Iterator[api.Services]:
        yield fake_services(runner=runner)

    return observed


def _swept(
    file: Path,
    values: Sequence[Mapping[str, Any]],
    name: str | None = "g",
    runner: FakeRunner | None = None,
    say: Callable[[str], None] = lambda _: None,
    layers: Layers | None = None,
) -> list[Member]:
    _, made = sweep(
        load_pipeline(file),
        values,
        layers=layers or Layers(),
        options=RunOptions(name=name, workers=1),
        runs_dir=None,
        observed=_observed(runner or FakeRunner()),
        say=say,
    )
    return made


def _resumed(file: Path, name: str, runner: FakeRunner) -> list[Member]:
    found = api.find_sweep(name, file.parent / "runs")
    assert found is not None
    return resume_sweep(
        found, load_pipeline(file), runs_dir=None, environ={}, secrets={}, changes={},
        observed=_observed(runner), say=lambda _: None,
    )  # fmt: skip


def test_the_runs_of_a_sweep_are_a_group(file: Path) -> None:
    """By name: each has its number; the group stands where one run does not."""
    made = _swept(file, [{"n": 1}, {"n": 2}])
    runs = file.parent / "runs"
    assert [m.record.labels for m in made if m.record] == [("g-1",), ("g-2",)]
    assert [r.group for r in api.list_runs(file)] == ["g", "g"]
    assert api.find_run("g-2", runs).stages["last"].parameters["n"] == 2
    with pytest.raises(UnknownRunError, match="'g' is a sweep") as refused:
        api.find_run("g", runs)
    assert "mlkit show g" in str(refused.value.remedy)
    with pytest.raises(UsageError, match="'g' is the name of a sweep"):
        api.label("g-1", "g", file)
    assert clean(runs, keep=0).runs == ()
    assert [item.label for item in api.unlabel("g", file)] == ["g-1", "g-2"]


def test_a_further_sweep_of_the_name_runs_only_what_is_new(file: Path) -> None:
    """In whatever order it is asked for; other parameters are other combinations."""
    first, said = _swept(file, [{"n": 1}, {"n": 2}]), list[str]()
    runner = FakeRunner()
    made = _swept(file, [{"n": 3}, {"n": 2}, {"n": 1, "m": "b"}], runner=runner, say=said.append)
    assert said == ["1 of 3 have succeeded already", "[1 of 2] n=3", "[2 of 2] n=1, m='b'"]
    assert [m.values for m in made] == [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 1, "m": "b"}]
    assert made[:2] == first
    assert runner.stages == ["last", "last"]


def test_a_sweep_goes_through_no_secrets(tmp_path: Path) -> None:
    """Its file and tables would tell them; the name of a variable that holds one may be given."""
    declares = 'import mlkit\ntoken: mlkit.Secret = ""\nn: int = 1'
    file = write_pipeline(tmp_path, Sketch(name="a", declares=declares))
    for name in ("token", "a.token"):
        with pytest.raises(UsageError, match=f"'{name}' is a secret") as refused:
            _swept(file, [{name: "hunter2-one", "n": 1}, {name: "hunter2-two", "n": 1}])
        assert "hunter2" not in f"{refused.value} {refused.value.remedy}"
    assert not list(tmp_path.rglob("sweeps/*"))
    environ = {"ONE_TOKEN": "hunter2-one", "TWO_TOKEN": "hunter2-two"}
    values = [{"token": f"${{{name}}}"} for name in environ]
    made = _swept(file, values, layers=Layers(environ=environ))
    assert [member.values for member in made] == values
    assert all(member.ok for member in made)
    kept = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"hunter2" in path.read_bytes()]


def test_what_is_missing_of_a_sweep_is_resumed(file: Path) -> None:
    """Failed runs go on, runs that never began are made; nothing finished is repeated."""
    broken = FakeRunner({"last": [Raises(), Raises(), Returns()]})
    made = _swept(file, [{"n": 1}, {"n": 2}, {"n": 3}], runner=broken)
    assert [m.record.ok for m in made if m.record] == [False, False, True]
    lost = made[2].record
    assert lost is not None
    shutil.rmtree(file.parent / "runs" / lost.run_id)
    RunsFolder(file.parent / "runs").labels.take("g-3")
    runner = FakeRunner()
    again = _resumed(file, "g", runner)
    assert all(m.record is not None and m.record.ok for m in again)
    assert runner.stages == ["last", "last"]
    assert again[0].record is not None
    assert made[0].record is not None
    assert again[0].record.run_id == made[0].record.run_id


def test_a_sweep_without_a_name_is_found_too(file: Path) -> None:
    """By the beginning of its id; its runs may be cleaned, and it goes with them."""
    _swept(file, [{"n": 1}, {"n": 2}], name=None)
    runs = RunsFolder(file.parent / "runs")
    (name,) = runs.sweeps.names()
    found = api.find_sweep(name[:12], runs.path)
    assert found is not None
    assert [m.record.labels for m in members(found, runs.path) if m.record] == [(), ()]
    api.promote(api.run(file, services=fake_services(runner=FakeRunner())).run_id, file)
    clean(runs.path, keep=0, dry_run=False)
    assert runs.sweeps.names() == []


def test_names_mean_one_thing(file: Path, tmp_path: Path) -> None:
    """A sweep is neither called as a run is, nor as one of another pipeline, nor run twice."""
    _swept(file, [{"n": 1}])
    with pytest.raises(UsageError, match="'g-1' is taken"):
        _swept(file, [{"n": 2}], name="g-1")
    with pytest.raises(UsageError, match="means something else"):
        _swept(file, [{"n": 2}], name="latest")
    with (
        RunsFolder(file.parent / "runs").claim("sweep g"),
        pytest.raises(UsageError, match="is alive"),
    ):
        _swept(file, [{"n": 2}])
    other = write_pipeline(tmp_path, Sketch(name="last", declares="n: int = 0"), name="other")
    with pytest.raises(UsageError, match="it is a sweep of 'sketched'"):
        _swept(other, [{"n": 2}])


@given(
    st.lists(st.sets(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=4),
    st.integers(0, 8),
)
@settings(max_examples=12, deadline=None)
def test_however_it_is_extended_and_broken_off_each_is_computed_once(
    tmp_path_factory: pytest.TempPathFactory, asked: list[set[int]], failures: int
) -> None:
    """After a last resume every combination has one run that succeeded, and one result."""
    file = _pipeline(tmp_path_factory.mktemp("p"))
    fails: list[Behaviour] = [Raises() for _ in range(failures)]
    ran = []
    for values in asked:
        runner = FakeRunner({"last": [*fails, Returns()]})
        _swept(file, [{"n": n} for n in sorted(values)], runner=runner)
        ran += runner.stages
        fails = fails[runner.stages.count("last") :]
    runner = FakeRunner()
    made = _resumed(file, "g", runner)
    wanted = set().union(*asked)
    assert {m.values["n"] for m in made} == wanted
    assert len(made) == len(wanted) == len(api.list_runs(file))
    assert all(m.record is not None and m.record.ok for m in made)
    everything = [*ran, *runner.stages]
    assert everything.count("first") == 1
    failed = sum(len(m.record.stages["last"].history) - 1 for m in made if m.record)
    assert everything.count("last") == len(wanted) + failed


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"combinations": [{}]}', "\x00"])
def test_a_damaged_file_of_a_sweep_is_named(tmp_path: Path, text: str) -> None:
    """With what to do about it."""
    sweeps = RunsFolder(tmp_path).sweeps
    sweeps.path.mkdir()
    sweeps.file("lost").write_text(text, encoding="utf-8")
    with pytest.raises(RunsFolderError, match=r"lost\.json is not what mlkit writes") as caught:
        sweeps.read("lost")
    assert caught.value.remedy


def test_runs_at_once_are_observed_aside(file: Path) -> None:
    """What shows no progress, such as a sender of spans, hears of each from its first event."""
    heard: list[Event] = []

    def aside() -> contextlib.AbstractContextManager[api.Services]:
        return contextlib.nullcontext(fake_services(observers=[heard.append]))

    def observed() -> contextlib.AbstractContextManager[api.Services]:
        pytest.fail("runs at once share no screen")

    _, made = sweep(
        load_pipeline(file),
        [{"n": 1}, {"n": 2}, {"n": 3}],
        layers=Layers(),
        options=RunOptions(name="g"),
        runs_dir=None,
        observed=observed,
        aside=aside,
        say=lambda _: None,
        parallel=2,
    )
    begun = [event.run_id for event in heard if event.kind is EventKind.RUN_STARTED]
    assert sorted(begun) == sorted(m.record.run_id for m in made if m.record is not None)
    assert len(begun) == 3
