"""Telling a tracking server of a run: what `--track` takes, and a server that does not answer."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlkit.errors import MissingExtraError, UsageError
from mlkit.observe import tracker as module
from mlkit.observe.tracker import Introduction, Tracker, address_of, check_track, file_of
from mlkit.observe.tracker_process import _key, _user, _whole_steps

INTRODUCTION = Introduction(
    address="http://127.0.0.1:9",
    experiment="shapes",
    name="first",
    file=__file__,
    tags={"mlkit.run_id": "R"},
    parameters={},
    started=1.0,
    resumed=False,
    late=False,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mlflow", ""),
        ("mlflow:http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("mlflow:https://user@host/path", "https://user@host/path"),
        ("mlflow:sqlite:///track.db", "sqlite:///track.db"),
        ("mlflow:sqlite:////tmp/track.db", "sqlite:////tmp/track.db"),
        ("mlflow:postgresql+psycopg2://host/db", "postgresql+psycopg2://host/db"),
        ("mlflow:databricks", "databricks"),
        ("mlflow:databricks://profile", "databricks://profile"),
    ],
)
def test_an_address_is_taken(text: str, address: str) -> None:
    """Of every kind of store that MLflow has."""
    assert check_track(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "mlflow:", "wandb", "MLflow:http://x", "http://x", "mlflow:runs", "mlflow:http:"),
        *("mlflow:http://", "mlflow:ftp://x", "mlflow:http//x", "mlflow: http://x", "mlflowx"),
    ],
)
def test_what_is_no_address_is_told_with_the_forms(text: str) -> None:
    """Whatever was slipped."""
    with pytest.raises(UsageError) as caught:
        check_track(text)
    assert "mlflow:http://HOST:PORT" in str(caught.value.remedy)


def test_a_password_is_refused_and_not_repeated() -> None:
    """It would stand in the record; the variables of MLflow do not."""
    with pytest.raises(UsageError, match="holds a password") as caught:
        check_track("mlflow:http://me:hunter22@host")
    assert "hunter22" not in str(caught.value)
    with pytest.raises(UsageError) as caught:
        check_track("mlflow:gopher://me:hunter22@host")
    assert "hunter22" not in str(caught.value)


def test_the_first_that_names_an_address_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option, then the variable, then the runs folder; a file is found from everywhere."""
    monkeypatch.chdir(tmp_path)
    environ = {"MLFLOW_TRACKING_URI": "http://variable"}
    assert address_of("mlflow:http://option", environ, "sqlite:////own") == "http://option"
    assert address_of("mlflow", environ, "sqlite:////own") == "http://variable"
    assert address_of("mlflow", {}, "sqlite:////own") == "sqlite:////own"
    found = address_of("mlflow:sqlite:///track.db", {}, "sqlite:////own")
    assert file_of(found) == tmp_path / "track.db"


def test_without_mlflow_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything runs."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="not installed"):
        address_of("mlflow", {}, "sqlite:////own")


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_is_silent_is_left(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it longer than for anything else; no process is left."""
    monkeypatch.setattr(module, "_PATIENCE_S", 1.0)
    monkeypatch.setattr(module, "_IMPATIENCE_S", 0.2)
    told = Tracker(_with(address=silent), os.environ)
    assert told.run_of(None) is None
    told.end("succeeded", 2.0, {})
    assert "too slow" in " ".join(told.said)
    assert told._process.returncode is not None


def test_giving_up_does_not_wait(silent: str) -> None:
    """A run that was interrupted has no time for a kernel's address."""
    told = Tracker(_with(address=silent), os.environ, lambda: True)
    try:
        assert told.run_of(None) is None
    finally:
        told._process.kill()
        told.close()


def test_a_run_that_nobody_ends_was_killed(tmp_path: Path) -> None:
    """The process hears of its driver's death by the end of its input; instances, too."""
    address = f"sqlite:///{tmp_path}/track.db"
    told = Tracker(_with(address=address), os.environ)
    told.begin("each[a]", 2.0)
    ids = [told.run_of(None), told.run_of("each[a]")]
    told.close()
    client = MlflowClient(tracking_uri=address)
    states = [client.get_run(run_id).info.status for run_id in ids if run_id is not None]
    assert states == ["KILLED", "KILLED"]
    assert told.said == []


def test_a_process_that_ends_is_said_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """And everything that is told afterwards goes nowhere, and harms nobody."""
    monkeypatch.setattr(module, "_PROGRAM", Path("/nowhere/tracker_process.py"))
    told = Tracker(INTRODUCTION, os.environ)
    assert told.run_of(None) is None
    told.file("/nowhere/file")
    told.end("succeeded", 2.0, {})
    assert re.search(r"ended with code 2: .*No such file", " ".join(told.said))


def test_passwords_are_in_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither that of the address nor that of a variable, however MLflow repeats them."""
    monkeypatch.setattr(module, "_PROGRAM", Path("/nowhere/tracker_process.py"))
    environ = {**os.environ, "MLFLOW_TRACKING_TOKEN": "sesame-open"}
    told = Tracker(_with(address="http://me:hunter22@host"), environ)
    told._say("http://me:hunter22@host said hunter22 and sesame-open")
    told.end("succeeded", 2.0, {})
    assert "http://***@host said *** and ***" in told.said  # its process's end may be told before
    assert not any(word in said for said in told.said for word in ("hunter22", "sesame-open"))


def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may have no line in /etc/passwd; MLflow is told of its runs."""
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert _user() == str(os.getuid())


def test_names_and_steps_are_made_fit_for_mlflow() -> None:
    """Its names hold no other signs, its steps are whole numbers."""
    assert _key("train[a].roc:auc") == "train_a_.roc_auc"
    assert _whole_steps([[0.0, 0.5], [10.0, 0.25]]) == [(0, 0.5), (10, 0.25)]
    assert _whole_steps([[0.5, 0.5], [1.0, 0.25]]) == [(0, 0.5), (1, 0.25)]


def _with(*, address: str) -> Introduction:
    return Introduction(**{**vars(INTRODUCTION), "address": address})
