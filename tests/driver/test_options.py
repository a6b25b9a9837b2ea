"""The options of a run: in a record, on a command line, for an engine's task."""

from __future__ import annotations

import json
import os
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

import mlkit
from mlkit import RunOptions
from mlkit.cli.main import _with_force_values
from mlkit.cli.run_options import Given, takes_run_options
from mlkit.driver.options import NOT_OFFERED, OPTIONS, flag, offered
from mlkit.errors import UsageError
from mlkit.testing import chain

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
CHOSEN = st.builds(
    RunOptions,
    until=st.none() | NAMES,
    only=st.none() | NAMES,
    force=st.booleans() | st.frozensets(NAMES, min_size=1),
    workers=st.integers(1, 64),
    fail_fast=st.booleans(),
    verify=st.booleans(),
    start=st.sampled_from(["fork", "spawn"]),
    store=st.none() | st.just("s3://bucket/store"),
    executor=st.sampled_from(["threads", "dask://host:8786"]),
    run_id=st.none() | NAMES,
)


@pytest.mark.parametrize("force", ["a", ["a"], {"a"}, ("a",)])
def test_a_stage_is_forced_however_it_is_named(force: Any) -> None:
    """From Python it may be a text or any collection."""
    options = RunOptions(force=force)
    assert options.force == frozenset({"a"})
    assert json.dumps(options.to_json()["force"]) == '["a"]'


def test_another_way_to_start_kernels_is_refused() -> None:
    """From Python, where nobody else looks at it."""
    with pytest.raises(UsageError, match="a kernel cannot be started by 'forked'"):
        RunOptions(start="forked")  # type: ignore[arg-type] # it is the mistake


@pytest.mark.parametrize("workers", [0, "2", 2.5, True])
def test_a_number_of_workers_that_is_none_is_refused(tmp_path: Path, workers: Any) -> None:
    """Before anything is made."""
    with pytest.raises(UsageError, match="Give "):
        mlkit.run(chain(tmp_path, 1), workers=workers)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["until", "only", "profile", "executor", "note", "interval"])
def test_another_value_than_a_text_is_refused(name: str) -> None:
    """It would go into the run's record, and nobody could read the table of runs any more."""
    given: Any = {name: ["fit"]}
    with pytest.raises(UsageError, match=f"option '{name}'"):
        RunOptions(**given)


def test_every_field_says_what_it_is() -> None:
    """In a sentence, which stands in Python's help too."""
    documented = RunOptions.__doc__ or ""
    assert OPTIONS.keys() == {item.name for item in fields(RunOptions)}
    for name, spelling in OPTIONS.items():
        assert spelling.words.endswith(".")
        assert re.search(rf"^{name} : .+\n    {re.escape(spelling.words)}", documented, re.M)


def test_what_is_not_offered_has_a_reason() -> None:
    """No row names an option that there is not."""
    for command, reasons in NOT_OFFERED.items():
        assert reasons.keys() <= OPTIONS.keys(), command
        assert all(reasons.values()), command


SELDOM = {"interval", "track", "name", "note", "group"}
"""They stand in a record only where they were given; none of them is chosen here."""


@given(options=CHOSEN)
def test_a_record_tells_what_was_asked_for(options: RunOptions) -> None:
    """Resuming the run reads the same from it; a forced run is not forced again."""
    document = options.to_json()
    assert document.keys() == {n for n, o in OPTIONS.items() if o.is_recorded} - SELDOM
    again = RunOptions.of_record(document)
    assert again == replace(options, force=False, run_id=None, interval=None)


def test_a_record_of_an_earlier_mlkit_is_read() -> None:
    """It knows no stores, and `start` by its former name."""
    old = {"workers": 3, "until": "a", "only": None, "fail_fast": True, "verify": False}
    assert RunOptions.of_record({**old, "kernel": "spawn", "overrides": {}}) == RunOptions(
        workers=3, until="a", fail_fast=True, start="spawn"
    )


@settings(deadline=None)
@pytest.mark.parametrize("command", ["run", "task"])
@given(options=CHOSEN)
def test_a_command_line_says_the_same(options: RunOptions, command: str) -> None:
    """The words of an engine's task are read back by `mlkit run` as what was asked for."""
    line = _with_force_values([*options.to_words(command), "-x", "1"])
    told = RunOptions(**_given(line))
    kept = {name: getattr(options, name) for name in offered(command)}
    assert told == replace(RunOptions(), **kept)


def _given(line: list[str]) -> Given:
    """What a command that takes the options of `mlkit run` is handed."""
    _COMMAND(line, standalone_mode=False)
    return _SEEN.pop()


def run(*, given: Given, x: int = typer.Option(0, "-x")) -> None:
    """Keep what was given."""
    _SEEN.append(given)


_SEEN: list[Given] = []
_APP = typer.Typer()
_APP.command()(takes_run_options(run))
_COMMAND = typer.main.get_command(_APP)


def test_nothing_that_is_not_asked_for_is_said() -> None:
    """An export's bytes depend on what was chosen alone."""
    assert RunOptions().to_words("task") == ()
    assert flag("fail_fast") == "--fail-fast"


def test_as_many_workers_as_cores() -> None:
    """Also where other options are given."""
    assert mlkit.RunOptions(verify=True).workers == len(os.sched_getaffinity(0))
