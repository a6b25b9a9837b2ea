"""Reads an exported workflow as Argo's controller does, strictly, and runs it with given pods.

What it does follows `workflow/controller/dag.go` of Argo Workflows 4: a task begins when all that
its `depends` names has ended; a false `depends` omits it, a false `when` skips it; a fan-out is one
group, which has failed if one of its tasks has; a task that was omitted or skipped ends, for the
DAG, as what came before it. A variable that means nothing is an error, never left as it is.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

__all__ = ["Container", "Controller", "WrongWorkflowError", "objects_of", "problems"]

RESULTS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned")
_OPERAND = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\.([A-Z][A-Za-z]+)")
_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")
_COMPARED = re.compile(r"'([^']*)' (==|!=) '([^']*)'")
_LOGIC = re.compile(r"(?:True|False|and|or|not|[() ])*")

Made = dict[str, Any]


class WrongWorkflowError(AssertionError):
    """What Argo would refuse, or would not understand."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """One pod's container, with nothing left to fill in."""

    template: str
    words: list[str]
    env: dict[str, str]
    out: Path
    image: str


Call = Callable[[Container], int]
"""Runs a container: its exit code."""


@dataclass(kw_only=True)
class Node:
    """How a task, or one item of it, has ended."""

    phase: str
    outputs: dict[str, str] = field(default_factory=dict)
    attempts: int = 1


def objects_of(text: str) -> dict[str, Made]:
    """The objects of a file by their kind, as YAML 1.1 has them, which Kubernetes reads."""
    yaml = YAML(typ="safe", pure=True)
    yaml.version = "1.1"
    return {item["kind"]: item for item in yaml.load_all(text)}


class Controller:
    """Runs a WorkflowTemplate.

    Parameters
    ----------
    text : str
        The exported file.
    folder : Path
        Where the containers' folders are made.
    call : callable
        Runs a container.
    secrets : mapping of str to str, optional
        What the Secret holds.
    chance : Random, optional
        Chooses which of the tasks that may begin does; by default the first.
    """

    def __init__(
        self,
        text: str,
        folder: Path,
        call: Call,
        secrets: Mapping[str, str] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        objects = objects_of(text)
        self.spec: Made = objects["WorkflowTemplate"]["spec"]
        self.templates = {item["name"]: item for item in self.spec["templates"]}
        self.folder, self.call, self.secrets, self.chance = folder, call, secrets or {}, chance
        self.mounted = folder / "mounted"
        self.mounted.mkdir(parents=True)
        for name, content in objects["ConfigMap"]["data"].items():
            (self.mounted / name).write_text(content, encoding="utf-8")
        self.pods = 0
        self.nodes: dict[str, Node] = {}

    def run(self, **arguments: str) -> str:
        """Run it, with some of its arguments changed: the workflow's phase."""
        given = [
            {**item, "value": arguments.get(item["name"], item["value"])}
            for item in self.spec["arguments"]["parameters"]
        ]
        everywhere = {
            "workflow.name": "sketched-x7k2p",
            "workflow.creationTimestamp": "2013-02-01T02:00:00Z",
            "workflow.parameters.json": json.dumps(given),
        }
        main = self._template(self.spec["entrypoint"], {}, everywhere, "")
        last = self._template(self.spec["onExit"], {}, everywhere, "exit")
        return last.phase if main.phase == "Succeeded" else main.phase

    # templates

    def _template(
        self, name: str, inputs: dict[str, str], scope: dict[str, str], node: str
    ) -> Node:
        template = self.templates[name]
        declared = [item["name"] for item in template.get("inputs", {}).get("parameters", ())]
        if sorted(declared) != sorted(inputs):
            raise WrongWorkflowError(
                f"template {name} takes {declared}, and is given {sorted(inputs)}"
            )
        own = {f"inputs.parameters.{n}": value for n, value in inputs.items()}
        whole = {k: v for k, v in scope.items() if k.startswith("workflow.")} | own
        if "dag" in template:
            return self._dag(template["dag"], whole, node)
        return self._retried(template, whole)

    def _retried(self, template: Made, scope: dict[str, str]) -> Node:
        strategy: Made = template.get("retryStrategy", {})
        attempt = 0
        while True:
            attempt += 1
            tried = {"retries": str(attempt - 1)} if strategy else {}
            code, made = self._pod(template, {**scope, **tried})
            if code == 0:
                return Node(phase="Succeeded", outputs=made, attempts=attempt)
            again = attempt <= strategy.get("limit", 0)
            if not again or not _again(strategy["expression"], code):
                return Node(phase="Failed", attempts=attempt)

    def _pod(self, template: Made, scope: dict[str, str]) -> tuple[int, dict[str, str]]:
        self.pods += 1
        here = self.folder / f"pod-{self.pods}"
        here.mkdir()
        container = _filled(template["container"], {**scope, "pod.name": f"pod-{self.pods}"})
        mounts = {item["name"]: item["mountPath"] for item in container["volumeMounts"]}
        moved = {mounts["mlkit-task"]: str(self.mounted), "/tmp/mlkit": str(here)}
        words = [_moved(word, moved) for word in [*container["command"], *container["args"]]]
        env = {
            item["name"]: self.secrets[item["valueFrom"]["secretKeyRef"]["key"]]
            for item in container.get("env", ())
        }
        code = self.call(
            Container(
                template=template["name"], words=words, env=env, out=here, image=container["image"]
            )
        )
        if code:
            return code, {}
        outputs = template.get("outputs", {}).get("parameters", ())
        files = {o["name"]: Path(_moved(o["valueFrom"]["path"], moved)) for o in outputs}
        return 0, {name: file.read_text("utf-8") for name, file in files.items()}

    # DAGs

    def _dag(self, dag: Made, scope: dict[str, str], node: str) -> Node:
        if dag["failFast"] is not False:
            raise WrongWorkflowError("one failure would end the rest")
        tasks = {task["name"]: task for task in dag["tasks"]}
        needs = {name: depended(task) for name, task in tasks.items()}
        ended: dict[str, Node] = {}
        while len(ended) < len(tasks):
            ready = [n for n in tasks if n not in ended and needs[n] <= ended.keys()]
            if not ready:
                raise WrongWorkflowError(
                    f"these wait for each other: {sorted(tasks.keys() - ended.keys())}"
                )
            name = ready[0] if self.chance is None else self.chance.choice(ready)
            ended[name] = self._task(tasks[name], ended, _ancestors(name, needs), scope, node)
            self.nodes[f"{node}.{name}"] = ended[name]
        leaves = tasks.keys() - set().union(*needs.values(), set())
        failed = any(self._branch_failed(name, needs, ended) for name in leaves)
        return Node(phase="Failed" if failed else "Succeeded")

    def _branch_failed(
        self, name: str, needs: Mapping[str, set[str]], ended: Mapping[str, Node]
    ) -> bool:
        phase = ended[name].phase
        if phase in ("Skipped", "Omitted"):
            return any(self._branch_failed(other, needs, ended) for other in needs[name])
        return phase in ("Failed", "Errored")

    def _task(
        self,
        task: Made,
        ended: Mapping[str, Node],
        ancestors: set[str],
        scope: dict[str, str],
        node: str,
    ) -> Node:
        if "depends" in task and not _depends(task["depends"], ended):
            return Node(phase="Omitted")
        # a name leads to nothing if its task has made no outputs: an error in Argo, too
        handed = {
            f"tasks.{name}.outputs.parameters.{key}": text
            for name in ancestors
            for key, text in ended[name].outputs.items()
        }
        seen = {**scope, **handed}
        if "when" in task and not _when(_filled(task["when"], seen)):
            if {"withItems", "withParam"} & task.keys():
                return Node(phase="Succeeded")  # each item is skipped, and the group succeeds
            return Node(phase="Skipped")
        where = f"{node}.{task['name']}"
        items = _items(task, seen)
        if items is None:
            return self._template(task["template"], _arguments(task, seen), seen, where)
        if not items:
            return Node(phase="Skipped")
        made = [
            self._template(task["template"], _arguments(task, {**seen, "item": i}), seen, where)
            for i in items
        ]
        bad = [item.phase for item in made if item.phase != "Succeeded"]
        return Node(phase=bad[-1] if bad else "Succeeded")


def depended(task: Made) -> set[str]:
    """The tasks that a task waits for."""
    return {name for name, _ in _OPERAND.findall(task.get("depends", ""))}


def _ancestors(name: str, needs: Mapping[str, set[str]]) -> set[str]:
    return needs[name].union(*(_ancestors(other, needs) for other in needs[name]))


def _items(task: Made, scope: Mapping[str, str]) -> list[str] | None:
    if "withItems" in task:
        return list(task["withItems"])
    if "withParam" in task:
        return list(json.loads(_filled(task["withParam"], scope)))
    return None


def _arguments(task: Made, scope: Mapping[str, str]) -> dict[str, str]:
    filled = _filled(task.get("arguments", {}).get("parameters", []), scope)
    return {item["name"]: item["value"] for item in filled}


def _filled(item: Any, scope: Mapping[str, str]) -> Any:
    """Fill in the variables; each has to mean something."""
    if isinstance(item, dict):
        return {key: _filled(value, scope) for key, value in item.items()}
    if isinstance(item, list):
        return [_filled(value, scope) for value in item]
    if not isinstance(item, str):
        return item

    def meant(found: re.Match[str]) -> str:
        if found[1] not in scope:
            raise WrongWorkflowError(f"{found[0]} means nothing here; there are {sorted(scope)}")
        return scope[found[1]]

    return _VARIABLE.sub(meant, item)


def _depends(text: str, ended: Mapping[str, Node]) -> bool:
    def held(found: re.Match[str]) -> str:
        if found[2] not in RESULTS:
            raise WrongWorkflowError(f"no task ends as {found[2]}")
        return str(ended[found[1]].phase == found[2])

    return _true(_OPERAND.sub(held, text), text)


def _when(text: str) -> bool:
    def held(found: re.Match[str]) -> str:
        return str((found[1] == found[3]) is (found[2] == "=="))

    return _true(_COMPARED.sub(held, text), text)


def _again(expression: str, code: int) -> bool:
    said = expression.replace("lastRetry.exitCode", f"'{code}'")
    return _when(said.replace("lastRetry.status", "'Failed'"))


def _true(logic: str, said: str) -> bool:
    logic = logic.replace("&&", " and ").replace("||", " or ").replace("!", " not ")
    if not _LOGIC.fullmatch(logic):
        raise WrongWorkflowError(f"not understood: {said}")
    return bool(eval(logic))  # - True, False, and, or, not and brackets alone


def _moved(text: str, moved: Mapping[str, str]) -> str:
    for old, new in moved.items():
        text = text.replace(old, new)
    return text


# what can be said of a file without running it


def problems(text: str) -> Iterator[str]:
    """Name what Argo's own validation would refuse of a WorkflowTemplate and its CronWorkflow."""
    objects = objects_of(text)
    name, spec = (
        objects["WorkflowTemplate"]["metadata"]["name"],
        objects["WorkflowTemplate"]["spec"],
    )
    templates = {item["name"]: item for item in spec["templates"]}
    if len(templates) < len(spec["templates"]):
        yield "two templates of one name"
    for wanted in (spec["entrypoint"], spec["onExit"]):
        if wanted not in templates:
            yield f"no template {wanted}"
    mounted = {item["name"] for item in spec.get("volumes", ())}
    maps = {i["configMap"]["name"] for i in spec["volumes"] if "configMap" in i}
    if objects["ConfigMap"]["metadata"]["name"] not in maps:
        yield "the ConfigMap is mounted nowhere"
    reached = {spec["entrypoint"], spec["onExit"]}
    for template in spec["templates"]:
        if not re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}", template["name"]):
            yield f"template {template['name']}"
        own = {item["name"] for item in template.get("volumes", ())}
        for mount in template.get("container", {}).get("volumeMounts", ()):
            if mount["name"] not in mounted | own:
                yield f"{template['name']} mounts {mount['name']}, which is no volume"
        tasks = {task["name"]: task for task in template.get("dag", {}).get("tasks", ())}
        if len({task.replace("-", "_") for task in tasks}) < len(
            template.get("dag", {}).get("tasks", ())
        ):
            yield "two tasks whose names Argo does not tell apart"
        for task in tasks.values():
            reached.add(task["template"])
            yield from _of_task(task, tasks, templates)
    yield from (f"template {name} is not reached" for name in templates.keys() - reached)
    cron = objects.get("CronWorkflow")
    if cron is not None:
        if cron["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] != name:
            yield "the CronWorkflow names another template"
        taken = {item["name"] for item in spec["arguments"]["parameters"]}
        given = cron["spec"]["workflowSpec"].get("arguments", {}).get("parameters", ())
        yield from (f"no argument {i['name']}" for i in given if i["name"] not in taken)


def _of_task(task: Made, tasks: Mapping[str, Made], templates: Mapping[str, Made]) -> Iterator[str]:
    name = task["name"]
    if task["template"] not in templates:
        yield f"{name}: no template {task['template']}"
        return
    declared = templates[task["template"]].get("inputs", {}).get("parameters", ())
    given = task.get("arguments", {}).get("parameters", ())
    if {i["name"] for i in declared} != {i["name"] for i in given}:
        yield f"{name}: its template takes other arguments"
    if name[0].isdigit() or not re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}", name):
        yield f"task {name}"
    unknown = depended(task) - tasks.keys()
    if unknown:
        yield f"{name} depends on {sorted(unknown)}"
        return
    needs = {other: depended(tasks[other]) for other in tasks}
    for variable in _VARIABLE.findall(json.dumps(task)):
        parts = variable.split(".")
        if parts[0] == "tasks":
            if parts[1] not in _ancestors(name, needs):
                yield f"{name} asks {parts[1]}, for which it does not wait"
                continue
            outputs = (
                templates[tasks[parts[1]]["template"]].get("outputs", {}).get("parameters", ())
            )
            if parts[-1] not in {o["name"] for o in outputs}:
                yield f"{name} asks {parts[1]} for {parts[-1]}"
        elif parts[0] == "item":
            if not {"withItems", "withParam"} & task.keys():
                yield f"{name} has no items"
        elif parts[0] != "inputs":
            yield f"{name} asks for {variable}"
