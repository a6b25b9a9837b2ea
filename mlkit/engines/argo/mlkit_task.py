"""What a container of an Argo workflow does: it calls mlkit, and hands on what the workflow asks.

The file stands in a ConfigMap beside `facts.json`, which says where mlkit, the pipeline and its
runs are. It knows the standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

AGAIN = 75
"""The exit code of a failure that may be tried again, for which `retryStrategy` asks."""

UNREADABLE = "?"
"""What a condition is told of an artifact that holds no JSON."""


class Task:
    """One container: the facts of the pipeline, and what the workflow says of itself."""

    def __init__(self, given: argparse.Namespace) -> None:
        facts = Path(__file__).with_name("facts.json").read_text("utf-8")
        self.facts: dict[str, Any] = json.loads(facts)
        self.given = given
        self.arguments = {item["name"]: item.get("value") or "" for item in given.arguments}

    @property
    def run_id(self) -> str:
        """The id that was asked for, or one that sorts by time and names the workflow."""
        digits = re.sub(r"\D", "", self.given.created)[:14]
        return self.arguments["run-id"] or f"{digits[:8]}-{digits[8:]}-{self.given.workflow}"

    def call(self, verb: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Call mlkit for this pipeline: its exit code, and what it printed."""
        mlkit = self.facts["mlkit"]
        if not os.access(mlkit, os.X_OK):  # in an image, its own
            mlkit = shutil.which("mlkit") or mlkit
        place = [self.facts["pipeline"], "--runs-dir", self.facts["runs_dir"], "--json"]
        engine = {
            "MLKIT_ENGINE": "argo",
            "MLKIT_ENGINE_RUN_ID": self.given.workflow,
            "MLKIT_ENGINE_TASK_ID": self.given.pod,
            "MLKIT_ENGINE_NOTIFIES": "1" if self.facts["told"] else "",
            # a run that was started under an id of its own is not the schedule's
            "MLKIT_ENGINE_SCHEDULED": "" if self.arguments["run-id"] else self.scheduled_at,
        }
        done = subprocess.run(
            [mlkit, verb, *words, *place],
            env={**os.environ, **engine},
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        print(done.stdout, flush=True)
        return done.returncode, json.loads(done.stdout or "{}")

    @property
    def scheduled_at(self) -> str:
        """When the schedule called for the run; Argo leaves the word as it is where none did."""
        text = self.arguments["scheduled-at"]
        return "" if "{" in text else text

    @property
    def parameters(self) -> list[str]:
        """The parameters that were changed when the workflow was submitted."""
        usual = self.facts["parameters"]
        changed = {n: v for n, v in self.arguments.items() if n in usual and v != usual[n]}
        return [word for name, text in changed.items() for word in ("-p", f"{name}:={text}")]


def run(task: Task) -> int:
    """Run one stage, or one instance of it: 0, also where it is not to run, or a failure's code."""
    instance = unquote(task.given.instance)
    words = ["--only", instance, "--run-id", task.run_id, *task.facts["options"]]
    code, document = task.call("run", *words, *task.parameters)
    if code not in (0, 1, 99):  # nothing ran, so there is no record
        return code
    stages = document["stages"]
    record = stages.get(instance) or next(iter(stages.values()))
    again = bool((record.get("error") or {}).get("retryable"))
    if record["status"] == "failed" and again and task.given.retries < task.given.limit:
        return AGAIN
    if record["status"] == "cancelled" or (record["status"] == "failed" and task.given.critical):
        return 1
    state = "done" if record["status"] in ("succeeded", "cached") else record["status"]
    hand_on(task, "state", state)
    for output in task.given.word:
        hand_on(task, f"{output}-word", word_of(value_of(task, instance, record, output)))
    for output in task.given.values:
        labels = labels_of(value_of(task, instance, record, output), as_float=False)
        hand_on(task, f"{output}-values", labels)
    for output in task.given.floats:
        labels = labels_of(value_of(task, instance, record, output), as_float=True)
        hand_on(task, f"{output}-floats", labels)
    return 0


def conclude(task: Task) -> int:
    """Tell the people whom stages name; fail the workflow if mlkit's run has failed."""
    code, document = task.call("show", task.run_id)
    if code:
        return code
    for instance, record in document["stages"].items():
        if record["stage"] in task.facts["told"]:
            task.call("notify", task.run_id, instance)
    return 0 if document["status"] == "succeeded" else 1


def hand_on(task: Task, name: str, text: str) -> None:
    """Write an output parameter."""
    folder = Path(task.given.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def value_of(task: Task, instance: str, record: dict[str, Any], output: str) -> Any:
    """The value in a JSON artifact; None if it was not made, `...` if it cannot be read."""
    path = (record.get("outputs") or {}).get(output)
    if not path:
        return None
    if Path(path).exists():
        try:
            return json.loads(Path(path).read_text("utf-8"))
        except ValueError:
            return ...
    code, document = task.call("show", task.run_id, f"{instance}.{output}", "--value")
    return document.get("value") if code == 0 else ...


def word_of(value: Any) -> str:
    """A plain word that conditions can ask for; nothing for any other value.

    Where the value cannot be read, a question mark: mlkit then says so to the stage that asks.
    """
    if value is ...:
        return UNREADABLE
    is_word = isinstance(value, str) and value.isascii() and value.replace("-", "_").isidentifier()
    return str(value) if is_word else ""


def labels_of(values: Any, *, as_float: bool) -> str:
    """A JSON list of what stands behind a stage's name for each value, as Argo may be told it.

    Of an empty list, one empty text: mlkit then notes that the stage was skipped; and of what is no
    list, for mlkit to say so.
    """
    labels = []
    for value in values if isinstance(values, list) else []:
        if not isinstance(value, str | int | float) or (as_float and isinstance(value, str)):
            return json.dumps([""])
        value = float(value) if as_float else value
        text = value if isinstance(value, str) else json.dumps(value)
        # what means something between the brackets is quoted, and what cannot be seen is escaped
        if re.search(r'[,\[\]*]|^["\s]|\s$', text) or not text.isprintable():
            text = json.dumps(text, ensure_ascii=not text.isprintable())
        labels.append(f"[{text}]")
    return json.dumps([escaped(label) for label in labels] or [""])


def escaped(text: str) -> str:
    """Keep Argo from reading its own variables in a value: `unquote` gives it back."""
    return re.sub(r"[%{}]", lambda found: f"%{ord(found[0]):02X}", text)


def read(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "conclude"])
    parser.add_argument("instance", nargs="?", default="")
    parser.add_argument("--workflow", required=True)
    parser.add_argument("--created", required=True)
    parser.add_argument("--pod", required=True)
    parser.add_argument("--arguments", type=json.loads, required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--not-critical", dest="critical", action="store_false")
    parser.add_argument("--retries", type=int, default=0)
    parser.add_argument("--limit", type=int, default=0)
    for name in ("word", "values", "floats"):
        parser.add_argument(f"--{name}", action="append", default=[])
    return parser.parse_args(words)


def perform(task: Task) -> int:
    """Do what the command line says; gives the exit code."""
    return {"run": run, "conclude": conclude}[task.given.action](task)


if __name__ == "__main__":
    sys.exit(perform(Task(read(sys.argv[1:]))))
