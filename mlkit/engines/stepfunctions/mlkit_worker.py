"""Takes the tasks of a state machine, and answers them.

This file stands beside `NAME_worker.py` and imports boto3 and the standard library only. Each stage
is run by `mlkit run --only STAGE --run-id RUN` in mlkit's own environment, so that results are
reused and recorded in one place, whichever engine asks for them. A task says which stage of which
run it is, never what is to be called: that is this machine's own business. Data are never answered,
but the words that conditions ask for, and lists of values.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SKIPPED = 99  # mlkit's exit code for a stage that was skipped
BEAT_EVERY_S = 15  # the state machine takes a worker for lost that is silent for a minute
MOST_BYTES = 262_144  # of an answer, which AWS limits
MOST_VALUES = 3_000  # of a list: an execution's history ends at 25,000 events
RETRYABLE = "mlkit.Retryable"
GONE = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
NO_ROLE = "arn:aws:iam::000000000000:role/mlkit"  # what a server on this machine takes for one
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# boto3 wants to sign, and such a server takes any key; those of the environment are the tasks' own
ANY_KEYS = {"aws_access_key_id": "mlkit", "aws_secret_access_key": "mlkit"}


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Where mlkit and the pipeline are, and how the stages are called.

    `machine` names the state machine and the activity; `definition` is the file beside this one
    that holds it, `activity` the ARN that stands there, and `schedule` the file of its schedule;
    `workers` stages are run at once; `options` are further words of every call of mlkit.
    """

    machine: str
    definition: str
    activity: str
    mlkit: str
    file: str
    runs_dir: str
    schedule: str = ""
    workers: int = 16
    options: Sequence[str] = ()


class TaskError(Exception):
    """A task has failed: the error by which `Retry` and `Catch` know it, and what people read."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(error, cause)
        self.error, self.cause = error, cause


class GoneError(Exception):
    """Nobody waits for a task's answer any more."""


# What a task asks for.


class Task:
    """One task that a worker has taken."""

    def __init__(self, client: Any, pipeline: Pipeline, token: str, message: Mapping[str, Any]):
        self.client, self.pipeline, self.token, self.message = client, pipeline, token, message
        self.run = message["run"]
        self.run_id = self.run["given"]["run_id"] or new_run_id(self.run)

    def answer(self) -> None:
        """Do what is asked for, and say how it ended."""
        asked: dict[str, Callable[[], Any]] = {
            "run": self.stage,
            "values": self.values,
            "look": self.look,
            "tell": self.tell,
            "verdict": self.verdict,
            "alone": self.alone,
        }
        try:
            text = json.dumps(asked[self.message["do"]](), ensure_ascii=False)
            if len(text.encode()) > MOST_BYTES:
                raise TaskError("mlkit.TooLarge", f"the answer has more than {MOST_BYTES} bytes")
            self.client.send_task_success(taskToken=self.token, output=text)
        except TaskError as failure:
            cause = failure.cause[:32_000]
            self.client.send_task_failure(taskToken=self.token, error=failure.error, cause=cause)

    def stage(self) -> dict[str, Any]:
        """Run a stage, or one instance of a mapped one."""
        name, value = self.message["stage"], self.message.get("value")
        name = name if value is None else f"{name}[{value}]"
        given = self.run["given"]["parameters"]
        words = [word for key, item in given.items() for word in ("-p", f"{key}:={_yaml(item)}")]
        words += [*self.pipeline.options, "--run-id", self.run_id, "--only", name]
        code, document = self.mlkit("run", *words)
        if code not in (0, SKIPPED):
            raise self._failure(name, code, document)
        ended = document["stages"].get(name) or next(iter(document["stages"].values()))
        if code == 0 and self.message.get("tells"):
            self.tell()
        wanted = self.message.get("values", {})
        found = {name: _word(ended["outputs"].get(output)) for name, output in wanted.items()}
        return {"status": ended["status"], "values": found}

    def _failure(self, name: str, code: int, document: Mapping[str, Any]) -> TaskError:
        if "error" in document:
            return TaskError("mlkit.NotRun", f"{name}: {document['error']['message']}")
        for stage in document.get("stages", {}).values():
            error = stage["error"]
            if error is None:
                continue
            cause = f"{name}: {error['type']}: {error['message']}"
            named = error["type"] in self.message.get("on", ())
            if error["retryable"]:
                return TaskError(error["type"] if named else RETRYABLE, cause)
            return TaskError("mlkit.Failed" if named else error["type"], cause)
        ended = [stage["status"] for stage in document.get("stages", {}).values()]
        if ended == ["upstream_failed"]:
            return TaskError("mlkit.UpstreamFailed", f"{name}: something upstream has failed")
        return TaskError("mlkit.Failed", f"{name}: mlkit ended with {code}")

    def values(self) -> list[str | None]:
        """Read the values over which a stage is mapped.

        Whatever is no list of values, and an empty list, gives one task without a value: mlkit then
        says what became of the stage.
        """
        found = self._artifact(self.message["list"])
        kinds: dict[str, Callable[[Any], Any]] = {
            "float": float,
            "date": date.fromisoformat,
            "datetime": datetime.fromisoformat,
        }
        convert = kinds.get(self.message.get("as", ""))
        try:
            labels: list[str | None] = [_label(convert(v) if convert else v) for v in found]
        except (TypeError, ValueError):
            return [None]
        if len(labels) > MOST_VALUES:
            raise TaskError(
                "mlkit.ListTooLong", f"{len(labels)} values; {MOST_VALUES} are the most"
            )
        return labels or [None]

    def _artifact(self, reference: str) -> Any:
        code, document = self.mlkit("show", self.run_id, reference, "--value")
        if code != 0:
            message = document.get("error", {}).get("message", f"mlkit ended with {code}")
            raise TaskError("mlkit.NotRead", f"{reference}: {message}")
        return document["value"]

    def look(self) -> dict[str, bool]:
        """Look for a file; `Retry` looks again, unless the stage is not to run."""
        # a link that leads nowhere matches a pattern, and is no file
        if any(map(os.path.exists, glob.iglob(self.message["path"], recursive=True))):
            return {"found": True}
        if self.message["behind"]:
            _, document = self.mlkit("show", self.run_id)
            stages = document.get("stages", {}).values()
            known = [s["status"] for s in stages if s["stage"] == self.message["stage"]]
            if known and {*known} <= {"skipped", "upstream_failed"}:
                return {"found": False}
        raise TaskError("mlkit.NoFileYet", f"nothing matches {self.message['path']}")

    def tell(self) -> str:
        """Have mlkit tell the addresses of a stage's `notify` how it ended."""
        name, value = self.message["stage"], self.message.get("value")
        code, _ = self.mlkit("notify", self.run_id, name if value is None else f"{name}[{value}]")
        return "told" if code == 0 else "nobody was told"

    def alone(self) -> str:
        """See that no earlier execution goes on; `Retry` looks again."""
        pages = self.client.get_paginator("list_executions").paginate(
            stateMachineArn=self.message["machine"], statusFilter="RUNNING"
        )
        going = sorted((e["startDate"], e["executionArn"]) for p in pages for e in p["executions"])
        for _, execution in going:
            if execution == self.run["execution"]:
                break
            raise TaskError("mlkit.Busy", f"{execution} has not ended")
        return "alone"

    def verdict(self) -> str:
        """Say how the run ended: what failed has been caught, so that the rest could go on."""
        code, document = self.mlkit("show", self.run_id)
        status = str(document.get("status", f"not known (mlkit ended with {code})"))
        if status != "succeeded":
            raise TaskError("mlkit.RunFailed", f"the run {self.run_id} is {status}")
        return status

    def mlkit(self, verb: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Call mlkit, and tell Step Functions all the while that it is being worked on."""
        known = self.pipeline
        command = [known.mlkit, verb, *words, known.file, "--runs-dir", known.runs_dir]
        given = self.run["given"]
        environment = os.environ | {
            "MLKIT_ENGINE": "stepfunctions",
            "MLKIT_ENGINE_RUN_ID": self.run["execution"],
            "MLKIT_ENGINE_TASK_ID": self.message["task"],
            "MLKIT_ENGINE_NOTIFIES": "1",
            "MLKIT_ENGINE_WAITED": "1",  # by a state of its own
            # a run that was started under an id of its own is not the schedule's
            "MLKIT_ENGINE_SCHEDULED": "" if given["run_id"] else given["scheduled_at"],
        }
        if verb != "notify":
            command.append("--json")
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
        )
        text = self._followed(process)
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        return process.returncode, document if isinstance(document, dict) else {}

    def _followed(self, process: subprocess.Popen[str]) -> str:
        while True:
            try:
                return process.communicate(timeout=BEAT_EVERY_S)[0]
            except subprocess.TimeoutExpired:
                pass
            try:
                self.client.send_task_heartbeat(taskToken=self.token)
            except ClientError as error:
                if error.response["Error"]["Code"] in GONE:
                    process.send_signal(signal.SIGINT)
                    process.communicate()
                    raise GoneError from None
            except BotoCoreError as error:  # the next beat may get through
                print(f"heartbeat: {error}", file=sys.stderr)


def new_run_id(run: Mapping[str, str]) -> str:
    """Name the run of an execution that mlkit has not started: it sorts by time."""
    moment = re.sub(r"\D", "", run["started"])
    name = run["execution"].rpartition(":")[2]
    return f"{moment[:8]}-{moment[8:14]}-{re.sub(r'[^A-Za-z0-9]', '', name)[-12:]}"


def _word(path: str | None) -> str:
    """The JSON value in an artifact as a condition compares it: a text, or anything else as JSON.

    What was not made is an empty text; mlkit itself judges once more before it runs a stage.
    """
    if path is None:
        return ""
    value = json.loads(Path(path).read_text(encoding="utf-8"))
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 1000 else ""  # what is longer is no word of a condition


def _label(value: Any) -> str:
    """Write a value as mlkit does between the brackets of `STAGE[VALUE]`."""
    if isinstance(value, str):
        # what means something between the brackets is quoted, and what cannot be seen is escaped
        if re.search(r'[,\[\]*]|^["\s]|\s$', value) or not value.isprintable():
            return json.dumps(value, ensure_ascii=not value.isprintable())
        return value
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return repr(value)
    raise TypeError(f"{value!r} is no scalar")


def _yaml(value: Any) -> str:
    """Write a parameter's value as `-p` reads it."""
    return json.dumps(value, ensure_ascii=False)


# The worker.


class Worker:
    """Takes tasks, as many at once as there may be."""

    def __init__(self, client: Any, pipeline: Pipeline, activity: str) -> None:
        self.client, self.pipeline, self.activity = client, pipeline, activity
        self.stopping = threading.Event()
        self.busy = [threading.Lock() for _ in range(pipeline.workers)]

    def start(self) -> None:
        """Begin to take tasks, each in a thread that a process does not wait for at its end."""
        for place, lock in enumerate(self.busy):
            threading.Thread(target=self._take, args=(place, lock), daemon=True).start()

    def stop(self) -> None:
        """Take no more tasks, and wait until those are over that are being worked on."""
        self.stopping.set()
        for lock in self.busy:
            lock.acquire()

    def _take(self, place: int, lock: threading.Lock) -> None:
        name = f"{socket.gethostname()[:60]}-{place}"
        while not self.stopping.is_set():
            try:
                taken = self.client.get_activity_task(activityArn=self.activity, workerName=name)
            except self.client.exceptions.ActivityDoesNotExist:
                return
            except (BotoCoreError, ClientError) as error:
                print(f"no task: {error}", file=sys.stderr)
                self.stopping.wait(1)
                continue
            if not taken.get("taskToken"):
                continue
            with lock:
                if not self.stopping.is_set():
                    self._answer(taken)

    def _answer(self, taken: Mapping[str, Any]) -> None:
        message = json.loads(taken["input"])
        print(f"{message['do']} {message.get('stage', '')} {message.get('value') or ''}".rstrip())
        try:
            Task(self.client, self.pipeline, taken["taskToken"], message).answer()
        except GoneError:
            print(f"{message['task']}: nobody waits for it any more", file=sys.stderr)
        except (BotoCoreError, ClientError) as error:
            print(f"{message['task']}: its answer was not taken: {error}", file=sys.stderr)


# The commands.


def new_client(pipeline: Pipeline, service: str, url: str | None) -> Any:
    """Speak to a service: by its address, or as boto3 finds it in the environment."""
    # a poll takes up to a minute; each worker has one, and its heartbeats
    config = Config(read_timeout=90, max_pool_connections=2 * pipeline.workers + 4)
    region = re.match(r"https://states\.([a-z0-9-]+)\.amazonaws", url or "")
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    chosen = region[1] if region else named or boto3.Session().region_name
    chosen = chosen or pipeline.activity.split(":")[3]
    address = url or _named_address(service)
    if region and service != "stepfunctions":
        address = None  # AWS has an address for each service, which boto3 knows
    keys = ANY_KEYS if urlsplit(address or "").hostname in LOOPBACK else {}
    return boto3.client(service, endpoint_url=address, region_name=chosen, config=config, **keys)


def _named_address(service: str) -> str | None:
    """The address that the environment names, where boto3 looks for it, too."""
    own = {"stepfunctions": "SFN"}.get(service, service.upper())
    return os.environ.get(f"AWS_ENDPOINT_URL_{own}") or os.environ.get("AWS_ENDPOINT_URL")


def definition(pipeline: Pipeline, activity: str) -> str:
    """Read the state machine, and name the activity that was made."""
    text = Path(__file__).with_name(pipeline.definition).read_text(encoding="utf-8")
    return text.replace(json.dumps(pipeline.activity), json.dumps(activity))


@contextlib.contextmanager
def machine(client: Any, pipeline: Pipeline, name: str, role: str) -> Iterator[tuple[str, str]]:
    """Make a state machine and an activity for one run, and take them away again."""
    activity = client.create_activity(name=name)["activityArn"]
    try:
        text = definition(pipeline, activity)
        made = client.create_state_machine(name=name, definition=text, roleArn=role)
        try:
            yield made["stateMachineArn"], activity
        finally:
            client.delete_state_machine(stateMachineArn=made["stateMachineArn"])
    finally:
        client.delete_activity(activityArn=activity)


def run(client: Any, pipeline: Pipeline, run_id: str, role: str) -> int:
    """Run the pipeline once, with a worker in this process; gives the exit code."""
    name = f"{pipeline.machine[:40]}-{run_id}"[:80]
    with machine(client, pipeline, name, role) as (state_machine, activity):
        worker = Worker(client, pipeline, activity)
        given = json.dumps({"run_id": run_id})
        started = client.start_execution(stateMachineArn=state_machine, name=name, input=given)
        execution = started["executionArn"]
        print(execution)
        try:
            worker.start()
            status = _ended(client, execution)
        except KeyboardInterrupt:
            client.stop_execution(executionArn=execution, error="mlkit.Interrupted")
            worker.stop()
            raise
        finally:
            _keep_history(client, execution)
    print(status)
    return 0 if status == "SUCCEEDED" else 1


def _ended(client: Any, execution: str) -> str:
    while True:
        status = str(client.describe_execution(executionArn=execution)["status"])
        if status != "RUNNING":
            return status
        time.sleep(0.5)


def _keep_history(client: Any, execution: str) -> None:
    """Write what the execution did beside this file: it goes with its state machine."""
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution)
    events = [event for page in pages for event in page["events"]]
    text = json.dumps(events, indent=1, default=str) + "\n"
    Path(__file__).with_name("history.json").write_text(text, encoding="utf-8")


def deploy(client: Any, pipeline: Pipeline, role: str) -> str:
    """Make the activity and the state machine, or bring them up to date; gives its ARN."""
    activity = client.create_activity(name=pipeline.machine)["activityArn"]
    text = definition(pipeline, activity)
    arn = str(activity).replace(":activity:", ":stateMachine:")
    try:
        client.update_state_machine(stateMachineArn=arn, definition=text, roleArn=role)
    except client.exceptions.StateMachineDoesNotExist:
        client.create_state_machine(name=pipeline.machine, definition=text, roleArn=role)
    print(arn)
    return arn


def deploy_schedule(client: Any, pipeline: Pipeline, arn: str, role: str) -> None:
    """Make the schedule of the state machine, or bring it up to date."""
    text = Path(__file__).with_name(pipeline.schedule).read_text(encoding="utf-8")
    wanted = json.loads(text)
    wanted["Target"] |= {"Arn": arn, "RoleArn": role}
    try:
        client.update_schedule(**wanted)
    except client.exceptions.ResourceNotFoundException:
        client.create_schedule(**wanted)
    print(f"{wanted['ScheduleExpression']} {wanted['ScheduleExpressionTimezone']}")


def work(client: Any, pipeline: Pipeline) -> int:
    """Take the tasks of the deployed state machine, until Ctrl-C."""
    activity = client.create_activity(name=pipeline.machine)["activityArn"]  # or the one there is
    worker = Worker(client, pipeline, activity)
    worker.start()
    print(f"takes the tasks of {activity}; Ctrl-C ends it", flush=True)
    try:
        threading.Event().wait()
    finally:
        worker.stop()
    return 0


def main(pipeline: Pipeline) -> None:
    """Run the pipeline, deploy it, or work for it, as the command line says."""
    parser = argparse.ArgumentParser(description=f"The state machine '{pipeline.machine}'.")
    parser.add_argument("action", choices=["run", "deploy", "work"])
    parser.add_argument("--run-id", help="the id of mlkit's run (default: made from the time)")
    parser.add_argument("--url", help="where Step Functions answers (default: as boto3 finds it)")
    parser.add_argument("--role", default=os.environ.get("MLKIT_STEPFUNCTIONS_ROLE", NO_ROLE))
    parser.add_argument("--scheduler-role", help="deploy the schedule, too; it starts it as this")
    given = parser.parse_args()
    if given.scheduler_role and not pipeline.schedule:
        parser.error("the pipeline has no schedule")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream
    client = new_client(pipeline, "stepfunctions", given.url)
    try:
        if given.action == "run":
            run_id = given.run_id or f"{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}"
            sys.exit(run(client, pipeline, run_id, given.role))
        if given.action == "work":
            sys.exit(work(client, pipeline))
        arn = deploy(client, pipeline, given.role)
        if given.scheduler_role:
            scheduler = new_client(pipeline, "scheduler", given.url)
            deploy_schedule(scheduler, pipeline, arn, given.scheduler_role)
    except KeyboardInterrupt:
        sys.exit(130)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"Step Functions: {error}")
