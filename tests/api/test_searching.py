"""A sweep that searches: Optuna is asked and told, and nothing is lost or repeated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit import api
from mlkit.api.sweeping import Member, best_of, members, resume_sweep, sweep
from mlkit.core.search_space import Choices, Domain, Range
from mlkit.driver.options import RunOptions
from mlkit.errors import ConfigurationError, RunsFolderError, UsageError
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import load_pipeline
from mlkit.store.folder import RunsFolder
from mlkit.store.sweeps import Search
from mlkit.testing import FakeRunner, Raises, Returns, Sketch, write_pipeline
from mlkit.testing.runner import Behaviour
from mlkit.testing.running import fake_services

optuna = pytest.importorskip("optuna", reason="Optuna is not installed")

BODY = """import mlkit
from pathlib import Path
mlkit.log_metric("loss", (x - 0.3) ** 2 + n)
Path(out).write_text("done")"""

SPACE: Mapping[str, Domain] = {
    "x": Range(low=0.0, high=1.0),
    "n": Range(low=0, high=3, is_int=True),
    "kind": Choices(values=("a", "b", None)),
}


class _KilledError(BaseException):
    """Stands for a signal that nothing can take in."""


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return _pipeline(tmp_path)


def _pipeline(folder: Path) -> Path:
    declares = 'x: float = 0.5\nn: int = 1\nkind: str | None = "a"\nrows: int = 5'
    first = Sketch(name="first")
    return write_pipeline(
        folder, first, Sketch(name="train", upstream=("first",), declares=declares, body=BODY)
    )


def _observed(runner: FakeRunner) -> Callable[[], contextlib.AbstractContextManager[api.Services]]:
    @contextlib.contextmanager
    def observed() -> Iterator[api.Services]:
        yield fake_services(runner=runner)

    return observed


def _search(runs: int, **changes: Any) -> Search:
    search = Search(runs=runs, metric="train.loss", maximize=False, seed=0, space=SPACE)
    return replace(search, **changes)


def _swept(
    file: Path,
    search: Search | None,
    runner: FakeRunner | None = None,
    say: Callable[[str], None] = lambda _: None,
    values: Sequence[Mapping[str, Any]] = (),
    environ: Mapping[str, str] | None = None,
) -> list[Member]:
    _, made = sweep(
        load_pipeline(file),
        values,
        layers=Layers(environ=environ or {}),
        options=RunOptions(name="g", workers=1),
        runs_dir=None,
        observed=_observed(runner or FakeRunner()),
        say=say,
        search=search,
    )
    return made


def _resumed(
    file: Path, runner: FakeRunner, say: Callable[[str], None] = lambda _: None
) -> list[Member]:
    found = api.find_sweep("g", file.parent / "runs")
    assert found is not None
    return resume_sweep(
        found, load_pipeline(file), runs_dir=None, environ={}, secrets={}, changes={},
        observed=_observed(runner), say=say,
    )  # fmt: skip


def _study(file: Path) -> Any:
    study = RunsFolder(file.parent / "runs").sweeps.study("g")
    return optuna.load_study(study_name="g", storage=f"sqlite:///{study}")


def test_optuna_is_told_of_every_run_and_a_failed_one_is_made_up_for(file: Path) -> None:
    """The store is Optuna's own; what every run is given reaches the later ones, too."""
    said = list[str]()
    fails: list[Behaviour] = [Returns(), Raises(), Returns()]
    rows = {"MLKIT_PARAM_ROWS": "7"}
    made = _swept(file, _search(4), FakeRunner({"train": fails}), said.append, environ=rows)
    states = [trial.state.name for trial in _study(file).trials]
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert [trial.params for trial in _study(file).trials] == [member.values for member in made]
    found = api.find_sweep("g", file.parent / "runs")
    assert found is not None
    best = best_of(found, made)
    assert best is not None
    assert best[1] == _study(file).best_value
    assert best[0].record is not None
    assert said[-1].endswith(f"best so far {best[1]:g}")
    assert {m.record.stages["train"].parameters["rows"] for m in made if m.record} == {7}
    runner = FakeRunner()
    again = _resumed(file, runner)
    assert runner.stages == ["train"]
    assert all(member.ok for member in again)
    assert len(_study(file).get_trials(states=[optuna.trial.TrialState.COMPLETE])) == 4
    longer = _swept(file, _search(6), runner, environ=rows)
    assert (len(longer), runner.stages) == (6, ["train"] * 3)


def test_broken_off_anywhere_it_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """Each time between Optuna's proposal and the run; even where Optuna's file is lost."""
    whole = _pipeline(tmp_path / "whole")
    expected = [member.values for member in _swept(whole, _search(12))]
    file, runner = _pipeline(tmp_path / "broken"), FakeRunner()

    def breaks(line: str) -> None:
        if line.startswith(("[4 of", "[5 of")):
            raise _KilledError

    with pytest.raises(_KilledError):
        _swept(file, _search(12), runner, breaks)
    with pytest.raises(_KilledError):
        _resumed(file, runner, breaks)
    RunsFolder(file.parent / "runs").sweeps.study("g").unlink()
    made = _resumed(file, runner)
    assert [member.values for member in made] == expected
    assert runner.stages.count("first") == 1
    assert runner.stages.count("train") == 12
    assert [trial.state.name for trial in _study(file).trials] == ["COMPLETE"] * 12


def test_a_space_of_few_values_ends_when_all_were_tried(file: Path) -> None:
    """None of them twice."""
    said = list[str]()
    space = {"kind": Choices(values=("a", "b")), "n": Range(low=0, high=1, is_int=True)}
    made = _swept(file, _search(9, space=space), say=said.append)
    assert len({str(member.values) for member in made}) == len(made) == 4
    assert said[-1] == "nothing is left to try: 4 of 9 runs were made"


def test_what_cannot_be_searched_is_told(file: Path) -> None:
    """A metric that nobody measures, a value that does not fit, another search, a damaged file."""
    with pytest.raises(UsageError, match=r"has not measured 'train.los'; measured: train.loss"):
        _swept(file, _search(3, metric="train.los"))
    assert len(api.list_runs(file)) == 1
    with pytest.raises(ConfigurationError):
        _swept(file, _search(3, space={"kind": Choices(values=("a", 5))}))
    for search in (_search(3), None):
        with pytest.raises(UsageError, match="sweep 'g' is there, and searches"):
            _swept(file, search, values=[{"n": 1}] if search is None else ())
    RunsFolder(file.parent / "runs").sweeps.study("g").write_bytes(b"no database" * 100)
    with pytest.raises(RunsFolderError, match="Optuna cannot use") as refused:
        _resumed(file, FakeRunner())
    assert "Remove the file" in str(refused.value.remedy)
    found = api.find_sweep("g", file.parent / "runs")
    assert found is not None
    assert len(members(found, file.parent / "runs")) == 1
