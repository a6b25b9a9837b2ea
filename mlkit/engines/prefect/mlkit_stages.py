"""How a stage is run, and how the flow begins and ends.

This file stands beside the flow and imports Prefect and the standard library only. Each stage is
run by `mlkit run --only STAGE --run-id RUN` in mlkit's own environment, so that results are reused
and recorded in one place, whichever engine asks for them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import glob
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mlkit_upstream import NO_VALUE, StageError, skipped
from prefect import get_run_logger
from prefect.runtime import flow_run, task_run
from prefect.schedules import Cron
from prefect.server.schemas.schedules import CronSchedule
from prefect.states import Completed, Failed, State

SKIPPED = 99  # mlkit's exit code for a stage that was skipped


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Where mlkit and the pipeline are, and how the stages are called.

    `workers` stages are run at once, without a number all that may; `options` are further words of
    every call of mlkit; `schedule` counts on the clock of `timezone`, and its runs may `overlap`;
    `takes_logical_date` says whether stages want the start of the scheduled
    interval; `parameters` are those that mlkit finds in pipeline.yaml itself: only what a run of
    the flow was given in place of them is handed on.
    """

    mlkit: str
    file: str
    runs_dir: str
    workers: int | None = None
    schedule: str | None = None
    timezone: str = "UTC"
    overlap: bool = False
    takes_logical_date: bool = False
    options: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Run:
    """One run of the pipeline, to which every task of one flow run adds its stage.

    A task that waits for its upstream holds a thread, so the workers are counted here.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        run_id: str | None,
        logical_date: str | None,
        parameters: Mapping[str, Any],
    ) -> None:
        self.pipeline = pipeline
        self.run_id = run_id or new_run_id()
        limit = pipeline.workers
        self._workers = threading.BoundedSemaphore(limit) if limit else contextlib.nullcontext()
        self._where = [pipeline.file, "--runs-dir", pipeline.runs_dir]
        given = dict(parameters)
        if logical_date and pipeline.takes_logical_date:
            given["logical_date"] = logical_date
        self._interval = "" if logical_date else interval_start(pipeline) or ""
        known = pipeline.parameters
        for name, value in given.items():
            if name in known and _is_same(value, known[name]):
                continue  # handed on, it would win over a stage's own
            self._where += ["-p", f"{name}:={_yaml(value)}"]
        _RUNS[str(flow_run.id)] = self

    def stage(self, name: str, value: Any = NO_VALUE, *, waited: bool = False) -> Any:
        """Run a stage, or one instance of a mapped one, with mlkit; say how it ended."""
        name = name if value is NO_VALUE else f"{name}[{value}]"
        command = [self.pipeline.mlkit, "run", *self._where, *self.pipeline.options, "--json"]
        command += ["--run-id", self.run_id, "--only", name]
        environment = os.environ | {
            "MLKIT_ENGINE": "prefect",
            "MLKIT_ENGINE_RUN_ID": str(flow_run.id),
            "MLKIT_ENGINE_TASK_ID": str(task_run.id),
            "MLKIT_ENGINE_NOTIFIES": "1",
            "MLKIT_ENGINE_WAITED": "1" if waited else "",
            "MLKIT_ENGINE_INTERVAL": self._interval,
        }
        with self._workers:
            ended = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", env=environment
            )
        logger = get_run_logger()
        for line in ended.stderr.splitlines():
            logger.info(line)
        try:
            document = json.loads(ended.stdout)
        except ValueError:
            raise StageError(f"{name}: mlkit ended with {ended.returncode}") from None
        return _end(name, ended.returncode, document)

    def wait_for_file(self, name: str, pattern: str, *, every_s: float, timeout_s: float) -> Any:
        """Look for a file again and again; if none comes in time, the stage has failed."""
        deadline = time.monotonic() + timeout_s
        # a link that leads nowhere matches a pattern, and is no file
        while not any(map(os.path.exists, glob.glob(pattern, recursive=True))):
            left = deadline - time.monotonic()
            if left <= 0:
                return self.stage(name, waited=True)
            time.sleep(min(every_s, left))
        return {"status": "succeeded", "outputs": {}}

    def tell(self, name: str) -> None:
        """Have mlkit tell the addresses of a stage's `notify` how it ended."""
        command = [self.pipeline.mlkit, "notify", self.run_id, name, *self._where]
        told = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if told.returncode != 0:
            get_run_logger().warning("%s: nobody was told: %s", name, told.stderr.strip())


_RUNS: dict[str, Run] = {}


def is_retryable(task: Any, run: Any, state: State) -> bool:
    """Tell Prefect whether to try a failed task again (`retry_condition_fn`)."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StageError) and error.retryable


def tell(task: Any, run: Any, state: State) -> None:
    """Tell people how a stage ended (`on_failure`, `on_completion`)."""
    if state.name not in ("Skipped", "UpstreamFailed"):
        name = run.name if task.task_run_name else task.name.removeprefix("wait for ")
        _RUNS[str(run.flow_run_id)].tell(name.removesuffix(f"[{NO_VALUE}]"))


def new_run_id() -> str:
    """Name the run of a flow that Prefect has started, not mlkit: it sorts by time."""
    return f"{flow_run.scheduled_start_time:%Y%m%d-%H%M%S}-{str(flow_run.id)[-12:]}"


def interval_start(pipeline: Pipeline) -> str | None:
    """The start of the scheduled interval that ends when the flow run was to start."""
    scheduled = pipeline.schedule is not None and "auto-scheduled" in flow_run.tags
    if not scheduled or not pipeline.takes_logical_date:
        return None
    end = flow_run.scheduled_start_time
    schedule = CronSchedule(cron=pipeline.schedule, timezone=pipeline.timezone)
    for days in (1 / 24, 1, 7, 31, 366, 5 * 366):
        dates = asyncio.run(schedule.get_dates(1000, end - timedelta(days=days), end))
        before = [date for date in dates if date < end]
        if before:
            return str(before[-1].isoformat())
    return None


def _yaml(value: Any) -> str:
    """Write a parameter's value as `-p` reads it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        pairs = [f"{_yaml(key)}: {_yaml(item)}" for key, item in value.items()]
        return f"{{{', '.join(pairs)}}}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return json.dumps(value, ensure_ascii=False)


def _is_same(value: Any, known: Any) -> bool:
    """Whether a flow's parameter is what it was; Prefect makes a float of an int."""
    numbers = type(value) is float and type(known) is int
    return _yaml(value) == _yaml(known) or (numbers and value == known)


def _end(name: str, code: int, document: Mapping[str, Any]) -> Any:
    """Turn mlkit's answer into the end of the task."""
    if code not in (0, SKIPPED):
        raise _failure(name, document)
    stages = document["stages"]
    stage = stages.get(name) or next(iter(stages.values()))
    if code == SKIPPED:
        return skipped(stage["reason"] or "skipped")
    end = {"status": stage["status"], "outputs": stage["outputs"]}
    if stage["status"] == "cached":
        return Completed(name="Cached", message=stage["reason"], data=end)
    return end


def _failure(name: str, document: Mapping[str, Any]) -> StageError:
    if "error" in document:
        return StageError(f"{name}: {document['error']['message']}")
    for stage in document["stages"].values():
        error = stage["error"]
        if error is not None:
            text = f"{name}: {error['type']}: {error['message']}"
            return StageError(text, retryable=error["retryable"])
    return StageError(f"{name} has failed")


def outcome(critical: Sequence[Any], others: Sequence[Any] = ()) -> State:
    """Wait for all tasks, and say how the flow ended: failed if a critical stage has failed."""
    for future in _flat([*critical, *others]):
        future.wait()
    failed = [future.state for future in _flat(critical) if _has_failed(future.state)]
    if failed:
        return Failed(message="; ".join(state.message or "a stage failed" for state in failed))
    return Completed(message="every stage has ended")


def _has_failed(state: State) -> bool:
    return not state.is_completed() and state.name != "UpstreamFailed"


def _flat(futures: Sequence[Any]) -> Iterator[Any]:
    for item in futures:
        yield from item if isinstance(item, Sequence) else [item]


def main(flow: Any, pipeline: Pipeline) -> None:
    """Run a flow once, or serve it on its schedule, as the command line says."""
    parser = argparse.ArgumentParser(description=f"The flow '{flow.name}'.")
    parser.add_argument("action", nargs="?", default="run", choices=["run", "serve"])
    parser.add_argument("--run-id", help="the id of mlkit's run (default: made from the time)")
    parser.add_argument("--logical-date", help="the start of the interval that the run is for")
    given = parser.parse_args()
    if given.action == "serve":
        schedule = None
        if pipeline.schedule is not None:
            schedule = Cron(pipeline.schedule, timezone=pipeline.timezone)
        # one run at a time, unless the pipeline says that they may overlap
        flow.serve(name=flow.name, schedule=schedule, limit=None if pipeline.overlap else 1)
        return
    state = flow(run_id=given.run_id, logical_date=given.logical_date, return_state=True)
    sys.exit(0 if state.is_completed() else 1)
