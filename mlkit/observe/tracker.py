"""Tell a tracking server of a run: what is told, and the process that tells it.

The server never steers. Whatever it does, or does not, becomes a warning.
"""

from __future__ import annotations

import importlib.util
import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlkit.core.record import StageRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.errors import MissingExtraError, UsageError
from mlkit.frozen import dataclass

__all__ = ["LARGEST_BYTES", "Introduction", "Tracker", "address_of", "check_track", "file_of"]

LARGEST_BYTES = 100_000_000
"""A larger output stays where it is, and people are told."""

_PROGRAM = Path(__file__).with_name("tracker_process.py")
_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks", "file")
_FORMS = "Write mlflow, mlflow:http://HOST:PORT or mlflow:sqlite:///FILE"
_QUICK = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""A server that is away is found to be so while the run still goes on."""

_PATIENCE_S = 30.0
"""How long the server may say nothing, when a notebook or the end of the run waits for it."""
_IMPATIENCE_S = 5.0
_MOST_S = 600.0
"""Nobody waits longer for the last artifacts, however slowly they arrive."""


def check_track(text: str) -> str:
    """Give the address in a value of `--track`; empty if it names none.

    Raises
    ------
    UsageError
        If it is none of the forms that there are, or a password stands in it.
    """
    kind, _, address = text.partition(":")
    scheme = re.match(r"[a-z0-9]+", address)
    if kind != "mlflow" or (":" in text and not address):
        raise UsageError(f"there is no tracking server '{_masked(text)}'", remedy=_FORMS)
    if address and (
        scheme is None
        or scheme[0] not in _SCHEMES
        or not re.match(r"[a-z0-9+]+:/{1,4}[^/\s]|databricks(:|$)", address)
    ):
        raise UsageError(f"'{_masked(address)}' is no address of MLflow's", remedy=_FORMS)
    if re.search(r"://[^/]*:[^/]*@", address):
        raise UsageError(
            "--track holds a password, and would stand in the run's record",
            remedy="Set MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, and leave it out of --track",
        )
    return address


def address_of(track: str, environ: Mapping[str, str], own_store: str) -> str:
    """Give the address that a run is told to; that of a file is made absolute.

    Parameters
    ----------
    track : str
        What `--track` says.
    environ : mapping of str to str
        `MLFLOW_TRACKING_URI` counts where `--track` names no address.
    own_store : str
        The store in the runs folder, where neither does.

    Raises
    ------
    UsageError
        If it is no such address.
    MissingExtraError
        If MLflow is not installed.
    """
    address = check_track(track) or environ.get("MLFLOW_TRACKING_URI", "") or own_store
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtraError(
            "--track needs MLflow, which is not installed", remedy="Install it: pip install mlflow"
        )
    found = re.fullmatch(r"sqlite:///([^/].*)", address)
    return address if found is None else f"sqlite:///{Path(found[1]).absolute()}"


def file_of(address: str) -> Path | None:
    """The file of an SQLite store; None of another one."""
    return Path(address.removeprefix("sqlite:///")) if address.startswith("sqlite:") else None


@dataclass(frozen=True, kw_only=True)
class Introduction:
    """What a tracking server is told of a run first.

    Parameters
    ----------
    address : str
        Where the server is.
    experiment : str
        MLflow's experiment, unless the environment names one.
    name : str
        What the run is called there.
    file : str
        The pipeline.yaml.
    tags, parameters : mapping of str to str
        Of the run.
    started : float
        Seconds since 1970 (UTC).
    resumed : bool
        Whether there may be something of it already.
    late : bool
        Whether parameters are told at the end: a notebook that logs one of the same name with
        another value would be refused by MLflow.
    """

    address: str
    experiment: str
    name: str
    file: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    started: float
    resumed: bool
    late: bool

    def to_message(self) -> dict[str, Any]:
        """As the process reads it."""
        file = file_of(self.address)
        lock = None if file is None else str(file.with_name(".lock-mlflow"))
        return {**vars(self), "lock": lock, "what": "opening the run"}


class Tracker:
    """The telling of one run; its maker ends it.

    Parameters
    ----------
    introduction : Introduction
        The run.
    environ : mapping of str to str
        The environment of the process that tells.
    gave_up : callable
        Whether nobody wants to wait any more.
    """

    def __init__(
        self,
        introduction: Introduction,
        environ: Mapping[str, str],
        gave_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self.said: list[str] = []
        self._address = introduction.address
        self._scrubber = Scrubber(_passwords(introduction.address, environ))
        self._gave_up = gave_up
        self._runs: dict[str, str] = {}
        self._mapped: set[str] = set()
        self._joined: set[str] = set()
        self._large: list[str] = []
        self._news = threading.Condition()
        self._over = False
        self._heard = time.monotonic()
        import tempfile  # a run without tracking does not wait for it

        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**_QUICK, **environ},
            start_new_session=True,  # Ctrl-C is for the run, whose end is told afterwards
            text=True,
            encoding="utf-8",
        )
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=target, name=f"mlkit-track{target.__name__}", daemon=True)
            for target in (self._write, self._read)
        ]
        for thread in self._threads:
            thread.start()
        self._messages.put(introduction.to_message())

    def begin(self, instance: str, started: float) -> None:
        """An instance of a mapped stage begins: it has an MLflow run of its own."""
        if instance not in self._mapped:
            self._mapped.add(instance)
            self._send("begin", f"instance {instance}", instance=instance, started=started)

    def run_of(self, instance: str | None) -> str | None:
        """Wait for the MLflow run of an instance, or of the run itself; None if there is none."""
        key = "" if instance is None else instance
        deadline = time.monotonic() + _PATIENCE_S
        with self._news:
            while key not in self._runs and not self._over:
                left = deadline - time.monotonic()
                if left <= 0 or self._gave_up():
                    return None
                self._news.wait(min(left, 0.2))
            return self._runs.get(key)

    def joined(self, stage: str) -> None:
        """A notebook of an unmapped stage logs into the run itself."""
        self._joined.add(stage)

    def stage(self, record: StageRecord, tags: Mapping[str, str]) -> None:
        """A stage or instance has ended.

        Parameters
        ----------
        record : StageRecord
            How it ended; without secrets.
        tags : mapping of str to str
            Of an instance's own MLflow run.
        """
        mapped = record.id != record.stage
        self._send(
            "stage",
            f"stage {record.id}",
            instance=record.id,
            stage=record.stage,
            mapped=mapped,
            joined=record.id in self._joined,
            status=record.status.value,
            started=record.started or record.ended,
            ended=record.ended,
            metrics=dict(record.metrics or {}),
            curves={name: list(curve) for name, curve in record.curves.items()},
            parameters={name: str(value) for name, value in record.parameters.items()},
            tags=dict(tags),
        )
        for name, artifact in record.artifacts.items():
            if artifact.size_bytes > LARGEST_BYTES:
                self._large.append(f"{record.id}.{name} ({artifact.size_bytes / 1e6:.0f} MB)")
            else:
                below = "" if mapped else record.stage
                if artifact.is_folder:
                    below = "/".join(part for part in (below, Path(artifact.path).name) if part)
                self.file(artifact.path, below, instance=record.id, is_folder=artifact.is_folder)

    def file(
        self, path: str, below: str = "", *, instance: str = "", is_folder: bool = False
    ) -> None:
        """Send a file or a folder."""
        self._send(
            "file",
            f"sending {Path(path).name}",
            path=path,
            below=below,
            instance=instance,
            folder=is_folder,
        )

    def end(self, status: str, ended: float, tags: Mapping[str, str]) -> None:
        """The run has ended; wait until all is told, as long as there is progress."""
        if self._large:
            self.said.append(
                f"larger than {LARGEST_BYTES // 1_000_000} MB and so not sent to MLflow: "
                + ", ".join(self._large)
            )
        self._send("end", "the end of the run", status=status, ended=ended, tags=dict(tags))
        self._messages.put(None)
        began = self._heard = time.monotonic()
        while not self._over:
            patience = _IMPATIENCE_S if self._gave_up() else _PATIENCE_S
            now = time.monotonic()
            if now - self._heard > patience or now - began > _MOST_S:
                self.said.append("MLflow is too slow: the run's end was not told, or not all of it")
                break
            with self._news:
                self._news.wait(0.1)
        self.close()

    def close(self) -> None:
        """End the process, which says of what was not ended that it was killed."""
        self._messages.put(None)
        try:
            self._process.wait(_IMPATIENCE_S if not self._over else None)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(_IMPATIENCE_S)
        self._errors.close()

    def _send(self, do: str, what: str, **words: Any) -> None:
        if not self._over:
            self._messages.put({"do": do, "what": what, **words})

    def _write(self) -> None:
        """Hand messages on; a process that does not read them keeps nobody else waiting."""
        assert self._process.stdin is not None
        try:
            with self._process.stdin as stream:
                while (message := self._messages.get()) is not None:
                    stream.write(json.dumps(message, default=str) + "\n")
                    stream.flush()
        except BrokenPipeError:
            return  # it has ended, and the other thread says so

    def _read(self) -> None:
        assert self._process.stdout is not None
        told = False
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._news:
                self._heard = time.monotonic()
                if "run" in answer:
                    self._runs[answer["instance"]] = answer["run"]
                if "warning" in answer:
                    told = answer["over"]
                    more = "; nothing more is told to it" if told else ""
                    self._say(f"MLflow ({self._address}), {answer['warning']}{more}")
                self._news.notify_all()
        code = self._process.wait()
        with self._news:
            if code != 0 and not told:
                self._say(f"MLflow's process ended with code {code}{self._last_error()}")
            self._over = True
            self._news.notify_all()

    def _say(self, text: str) -> None:
        self.said.append(self._scrubber.text(_masked(text)))

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1][:300]}" if lines else ""


def _passwords(address: str, environ: Mapping[str, str]) -> list[str]:
    """What MLflow could say of how it was let in."""
    found = re.search(r"://[^/:]*:([^/]*)@", address)
    names = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    return [*(environ.get(name, "") for name in names), "" if found is None else found[1]]


def _masked(text: str) -> str:
    return re.sub(r"://[^/@]*@", "://***@", text)
