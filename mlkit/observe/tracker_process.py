"""The process that speaks to MLflow for a run; it imports nothing of mlkit.

It is a process of its own because MLflow takes seconds to import, and a server that is away or slow
must be able to take its time: the process that started it can leave it alone, and end it. It reads
a JSON object a line, does what it says, and answers each with a line. When its input ends before
the run did, the run was killed, and MLflow is told so.

`mlflow` is imported where it is used: it takes seconds, and is optional.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

Message = Mapping[str, Any]

ENOUGH = 3
"""After so many failures in a row nothing more is tried."""

_BATCH = 100
_LONGEST_PARAMETER = 500
_LONGEST_TAG = 5_000
"""What every server takes; some take more."""

_IN_KEYS = frozenset("_-. /")
_STATES = {
    **dict.fromkeys(("succeeded", "cached", "skipped"), "FINISHED"),
    **dict.fromkeys(("failed", "upstream_failed"), "FAILED"),
}


def main(source: TextIO, target: TextIO) -> None:
    """Do what is asked for, line by line."""

    def answer(**words: Any) -> None:
        print(json.dumps(words), file=target, flush=True)

    teller = None
    failures = 0
    for line in source:
        message = json.loads(line)
        try:
            if teller is None:
                teller = Teller(message)
                answer(run=teller.run_id, instance="")
            else:
                answer(**teller.take(message))
            failures = 0
        except Exception as error:  # noqa: BLE001 - whatever MLflow raises is a warning
            failures = ENOUGH if teller is None else failures + 1
            answer(warning=f"{message['what']}: {_first_line(error)}", over=failures >= ENOUGH)
        if failures >= ENOUGH:
            return
    if teller is not None:
        teller.close()


class Teller:
    """Tells MLflow of one run.

    Parameters
    ----------
    hello : mapping
        The message that opens the run.
    """

    def __init__(self, hello: Message) -> None:
        from mlflow import MlflowClient  # takes seconds

        self._client = MlflowClient(tracking_uri=hello["address"])
        self._run = hello["tags"]["mlkit.run_id"]
        self._is_resumed = hello["resumed"]
        self._children: dict[str, str] = {}
        self._open: set[str] = set()
        self._source = {**_source(Path(hello["file"])), "mlflow.user": _user()}
        with _alone(hello["lock"]):
            self._experiment = self._experiment_id(hello["experiment"])
        found = self._found() if self._is_resumed else {}
        self.run_id = found.pop("", "") or self._make(hello["name"], hello["started"], {})
        self._children = found
        self._go_on(self.run_id)
        self._tag(self.run_id, {**hello["tags"], **self._source})
        self._parameters = hello["parameters"]
        if not hello["late"]:
            self._put_parameters(self.run_id, self._parameters)

    def _experiment_id(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        if given := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return given
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except MlflowException:  # somebody else has made it in this moment
            known = self._client.get_experiment_by_name(name)
            if known is None:
                raise
            return str(known.experiment_id)

    def _found(self) -> dict[str, str]:
        """The MLflow runs that there are of this run, by instance; the run's own is ``."""
        asked = f"tags.`mlkit.run_id` = '{self._run}' and tags.`mlkit.tracked` = 'true'"
        found: dict[str, str] = {}
        token = None
        while True:
            page = self._client.search_runs([self._experiment], asked, page_token=token)
            for run in page:
                found.setdefault(run.data.tags.get("mlkit.stage", ""), run.info.run_id)
            token = page.token
            if not token:
                return found

    def _make(self, name: str, started: float, tags: Mapping[str, str]) -> str:
        own = {"mlkit.run_id": self._run, "mlkit.tracked": "true"}
        made = self._client.create_run(
            self._experiment, _milliseconds(started), tags={**own, **tags}, run_name=name
        )
        return str(made.info.run_id)

    def _child(self, instance: str, started: float) -> str:
        if instance not in self._children:
            tags = {"mlflow.parentRunId": self.run_id, "mlkit.stage": instance, **self._source}
            self._children[instance] = self._make(instance, started, tags)
        return self._children[instance]

    def _go_on(self, run_id: str) -> None:
        """Have it shown as running, which it is, though a notebook's `end_run` said otherwise."""
        self._client.update_run(run_id, status="RUNNING")
        self._open.add(run_id)

    def take(self, message: Message) -> dict[str, Any]:
        """Do what one message says; gives the answer."""
        match message["do"]:
            case "begin":
                run_id = self._child(message["instance"], message["started"])
                self._go_on(run_id)
                return {"run": run_id, "instance": message["instance"]}
            case "stage":
                self._stage(message)
            case "file":
                self._file(message)
            case "end":
                self._end(message)
        return {}

    def _stage(self, told: Message) -> None:
        """What a stage has come to: in the run under its name, or an instance's in its child."""
        timestamp = _milliseconds(told["ended"])
        if not told["mapped"]:
            prefix = f"{told['stage']}."
            self._put_metrics(self.run_id, told, timestamp, prefix)
            own = {n: v for n, v in told["parameters"].items() if self._parameters.get(n) != v}
            self._put_parameters(self.run_id, {prefix + name: v for name, v in own.items()})
            if told["joined"]:
                self._go_on(self.run_id)
            return
        run_id = self._child(told["instance"], told["started"])
        self._put_metrics(run_id, told, timestamp, "")
        self._put_parameters(run_id, told["parameters"])
        self._tag(run_id, told["tags"])
        self._terminate(run_id, told["status"], told["ended"])

    def _put_metrics(self, run_id: str, told: Message, timestamp: int, prefix: str) -> None:
        from mlflow.entities import Metric

        points = []
        for name, value in told["metrics"].items():
            key = _key(prefix + name)
            curve = _whole_steps(told["curves"].get(name, [[0, value]]))
            known = self._history(run_id, key) if self._is_resumed else set()
            points += [Metric(key, v, timestamp, s) for s, v in curve if (s, v) not in known]
        for start in range(0, len(points), _BATCH):
            self._client.log_batch(run_id, metrics=points[start : start + _BATCH])

    def _history(self, run_id: str, key: str) -> set[tuple[int, float]]:
        return {(m.step, m.value) for m in self._client.get_metric_history(run_id, key)}

    def _put_parameters(self, run_id: str, parameters: Mapping[str, str]) -> None:
        """Add those that are not there: one that a notebook has logged stays as it said."""
        from mlflow.entities import Param

        if not parameters:
            return
        known = self._client.get_run(run_id).data.params
        added = [
            Param(_key(name), value[:_LONGEST_PARAMETER])
            for name, value in parameters.items()
            if _key(name) not in known
        ]
        for start in range(0, len(added), _BATCH):
            self._client.log_batch(run_id, params=added[start : start + _BATCH])

    def _tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        told = [RunTag(name, value[:_LONGEST_TAG]) for name, value in tags.items()]
        self._client.log_batch(run_id, tags=told)

    def _file(self, told: Message) -> None:
        run_id = self._children.get(told["instance"], self.run_id)
        send = self._client.log_artifacts if told["folder"] else self._client.log_artifact
        send(run_id, told["path"], told["below"] or None)

    def _end(self, told: Message) -> None:
        self._put_parameters(self.run_id, self._parameters)
        self._tag(self.run_id, told["tags"])
        self._terminate(self.run_id, told["status"], told["ended"])
        for run_id in sorted(self._open):  # instances that were given up
            self._terminate(run_id, "cancelled", told["ended"])

    def _terminate(self, run_id: str, status: str, ended: float) -> None:
        self._client.set_terminated(run_id, _STATES.get(status, "KILLED"), _milliseconds(ended))
        self._open.discard(run_id)

    def close(self) -> None:
        """Say of what has not ended that it was killed."""
        for run_id in sorted(self._open):
            with contextlib.suppress(Exception):  # nobody is left who could be told
                self._client.set_terminated(run_id, "KILLED", _milliseconds(time.time()))


@contextlib.contextmanager
def _alone(lock: str | None) -> Iterator[None]:
    """Make the tables of a file once, though several runs begin: MLflow makes them in steps."""
    if lock is None:
        yield
        return
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _source(file: Path) -> dict[str, str]:
    """Where the run's source stands, and in which commit."""
    tags = {"mlflow.source.name": str(file), "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # no git, or one that hangs
        found = subprocess.run(
            ["git", "-C", str(file.parent), "rev-parse", "HEAD"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
        )
        if found.returncode == 0:
            tags["mlflow.source.git.commit"] = found.stdout.strip()
    return tags


def _user() -> str:
    """Who runs it; by number where nobody has given the user a name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # which of them depends on Python's version
        return str(os.getuid())


def _whole_steps(curve: list[list[float]]) -> list[tuple[int, float]]:
    """MLflow's steps are whole numbers; those of a curve with others are counted."""
    if all(float(step).is_integer() for step, _ in curve):
        return [(int(step), float(value)) for step, value in curve]
    return [(number, float(value)) for number, (_, value) in enumerate(curve)]


def _key(name: str) -> str:
    """A name as MLflow takes one."""
    return "".join(c if c.isalnum() or c in _IN_KEYS else "_" for c in name)[:250]


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _first_line(error: BaseException) -> str:
    """What began it: around a refused connection stand four exceptions, each longer."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    words = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {words}"[:300]


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what MLflow prints is no answer
    main(sys.stdin, answers)
