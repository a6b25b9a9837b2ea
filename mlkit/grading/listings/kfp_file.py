"""Read a kfp pipeline without kfp: its components, tasks and edges, and what is wrong.

kfp lives in an environment of its own, so exercises read a pipeline by its syntax tree, as they do
a DAG file. The reader follows plain files: functions with `@dsl.component`,
`@dsl.container_component` and one with `@dsl.pipeline`, in which tasks are made by calls and bound
to names. What it cannot follow it reports as `unreadable` and does not guess.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from mlkit.frozen import dataclass
from mlkit.grading.listings.dag_names import name_problems
from mlkit.grading.listings.dag_values import plain_value
from mlkit.grading.listings.kfp_component import (
    Component,
    component_problems,
    decorator_of,
    read_component,
)
from mlkit.grading.listings.kfp_names import METHODS, OLD_METHODS, kfp_name_problems
from mlkit.grading.listings.listing import MOST_TASKS, Listing, Problem, Reader

__all__ = ["KFP_ADVICE", "KFP_REFUSED", "PipelineFile", "pipeline_problems", "read_pipeline"]

KFP_REFUSED = ("syntax", "import", "name", "annotation", "argument", "output", "method", "pipeline")
KFP_ADVICE = ("moved", "self_contained", "packages", "python_if", "unreadable")
_GROUPS = ("If", "Elif", "Else", "Condition", "ParallelFor", "ExitHandler")


@dataclass(frozen=True, kw_only=True)
class PipelineFile(Listing):
    """What stands in a pipeline file.

    Parameters
    ----------
    components : mapping of str to Component
        By name.
    settings, tasks, edges, problems
        As in every `Listing`: `settings` are the arguments of `@dsl.pipeline`; of a task there are
        `component`, `arguments`, `inside` (the groups around it), `retry`, `accelerator_limit`, ….
    """

    components: Mapping[str, Component]


def pipeline_problems(source: str) -> list[Problem]:
    """Everything that is wrong with the text of a kfp pipeline, by line.

    Parameters
    ----------
    source : str
        The text.
    """
    return list(read_pipeline(source).problems)


def read_pipeline(source: str) -> PipelineFile:
    """Read the text of a kfp pipeline; it raises nothing for a wrong one.

    Parameters
    ----------
    source : str
        The text.
    """
    reader = _Reader()
    reader.read(source, reader.file)
    return PipelineFile(components=reader.components, **reader.found())


class _Reader(Reader):
    """Walks a file: components first, then the pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.components: dict[str, Component] = {}
        self.bound: dict[str, str] = {}
        self.around: list[str] = []

    def file(self, tree: ast.Module) -> None:
        """Read the whole file."""
        self.problems += [*kfp_name_problems(tree), *name_problems(tree)]
        pipelines = []
        for node in tree.body:
            found = decorator_of(node) if isinstance(node, ast.FunctionDef) else None
            if found is None or not isinstance(node, ast.FunctionDef):
                continue
            kind, call = found
            if kind == "pipeline":
                pipelines.append((node, call))
                continue
            component = read_component(node, kind, call)
            self.components[node.name] = component
            self.problems += component_problems(node, component)
        if len(pipelines) != 1:
            what = "no function has @dsl.pipeline" if not pipelines else "there are two pipelines"
            self.note(1, "unreadable" if pipelines else "pipeline", what)
            return
        function, call = pipelines[0]
        keywords = call.keywords if call is not None else []
        self.settings = {k.arg: plain_value(k.value, {}) for k in keywords if k.arg}
        self.block(function.body)
        if not self.tasks:
            self.note(function.lineno, "pipeline", "the pipeline has no task")

    def block(self, body: list[ast.stmt]) -> None:
        """Read the statements of the pipeline, or of a `with` in it."""
        for statement in body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                task = self.expression(statement.value)
                for target in [*targets, getattr(statement, "target", None)]:
                    if isinstance(target, ast.Name) and task is not None:
                        self.bound[target.id] = task
            elif isinstance(statement, ast.Expr | ast.Return) and statement.value is not None:
                self.expression(statement.value)
            elif isinstance(statement, ast.With):
                self._with(statement)
            elif isinstance(statement, ast.If):
                text = "a Python 'if' is decided once, when the file is compiled: use dsl.If"
                self.note(statement.lineno, "python_if", text)
                self.block([*statement.body, *statement.orelse])
            elif isinstance(statement, ast.For | ast.While | ast.Try):
                what = type(statement).__name__.lower()
                self.note(statement.lineno, "unreadable", f"the reader does not follow {what!r}")

    def _with(self, statement: ast.With) -> None:
        for item in statement.items:
            call = item.context_expr
            name = ast.unparse(call.func).rpartition(".")[2] if isinstance(call, ast.Call) else ""
            if name not in _GROUPS:
                self.note(statement.lineno, "unreadable", "the reader does not follow this 'with'")
            elif isinstance(call, ast.Call):
                self._tasks_in(call)
                self._compared_tasks(call)
                self.around.append(name)
        self.block(statement.body)
        del self.around[len(self.around) - len(statement.items) :]

    def _compared_tasks(self, call: ast.Call) -> None:
        """A condition compares what a task gave; kfp's tasks themselves know no order."""
        for node in ast.walk(call):
            sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            for side in sides:
                if isinstance(side, ast.Name) and side.id in self.bound:
                    text = f"{side.id} is a task, and not what it gave: compare {side.id}.output"
                    self.note(side.lineno, "output", text)

    def expression(self, node: ast.expr) -> str | None:
        """Make the task that a call stands for; give its name."""
        if isinstance(node, ast.Name):
            return self.bound.get(node.id)
        if not isinstance(node, ast.Call):
            return None
        function = node.func
        if isinstance(function, ast.Name) and function.id in self.components:
            return self._task(self.components[function.id], node)
        if isinstance(function, ast.Attribute):
            if ast.unparse(function) == "kubernetes.add_node_selector":
                self._node_selector(node)
                return None
            task = self.expression(function.value)
            if task is not None:
                self._method(task, function.attr, node)
            return task
        return None

    def _task(self, component: Component, call: ast.Call) -> str | None:
        if len(self.tasks) >= MOST_TASKS:
            self.note(call.lineno, "unreadable", f"there are more than {MOST_TASKS} tasks")
            return None
        name, number = component.name, 2
        while name in self.tasks:
            name, number = f"{component.name}-{number}", number + 1
        given = {k.arg: k.value for k in call.keywords if k.arg}
        if call.args:
            text = f"{component.name} takes its arguments by name only"
            self.note(call.lineno, "argument", text)
        for extra in given.keys() - component.inputs.keys():
            self.note(call.lineno, "argument", f"{component.name} takes no argument {extra!r}")
        for missing in component.required - given.keys() if not call.args else ():
            self.note(call.lineno, "argument", f"{component.name} needs the argument {missing!r}")
        self.tasks[name] = {
            "component": component.name,
            "arguments": {key: ast.unparse(value) for key, value in given.items()},
            "inside": list(self.around),
        }
        for upstream in self._tasks_in(call):
            self.edges.add((upstream, name))
        return name

    def _tasks_in(self, call: ast.Call) -> list[str]:
        """The tasks whose outputs stand in the arguments of a call; notes wrong outputs."""
        found = []
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
            for node in ast.walk(argument):
                if isinstance(node, ast.Name) and node.id in self.bound:
                    found.append(self.bound[node.id])
                self._check_output(node)
        return list(dict.fromkeys(found))

    def _check_output(self, node: ast.AST) -> None:
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
            owner, wanted = node.value.value, plain_value(node.slice, {})
            outputs = self._outputs(owner) if node.value.attr == "outputs" else None
            if outputs is not None and wanted not in outputs:
                text = f"{ast.unparse(owner)} has no output {wanted!r}"
                self.note(node.lineno, "output", text)
        elif isinstance(node, ast.Attribute) and node.attr == "output":
            outputs = self._outputs(node.value)
            if outputs is not None and len(outputs) != 1:
                text = f"{ast.unparse(node.value)} has {len(outputs)} outputs: name one"
                self.note(node.lineno, "output", f"{text}, as in outputs['…']" if outputs else text)

    def _outputs(self, node: ast.expr) -> Mapping[str, str] | None:
        task = self.bound.get(node.id) if isinstance(node, ast.Name) else None
        return None if task is None else self.components[self.tasks[task]["component"]].outputs

    def _method(self, task: str, method: str, call: ast.Call) -> None:
        if method in OLD_METHODS:
            text = f"{method} is deprecated: use {OLD_METHODS[method]}"
            self.note(call.lineno, "moved", text)
        elif method not in METHODS:
            self.note(call.lineno, "method", f"a task has no {method}")
        elif method == "after":
            self.edges |= {(upstream, task) for upstream in self._tasks_in(call)}
        else:
            self._setting(task, method, call)

    def _setting(self, task: str, method: str, call: ast.Call) -> None:
        names = METHODS[method] or ()
        given = dict(zip(names, (plain_value(a, {}) for a in call.args), strict=False))
        given |= {k.arg: plain_value(k.value, {}) for k in call.keywords if k.arg}
        for extra in given.keys() - set(names):
            self.note(call.lineno, "method", f"{method} takes no argument {extra!r}")
        single = next(iter(given.values()), True) if len(names) <= 1 else given
        self.tasks[task][method.removeprefix("set_")] = single

    def _node_selector(self, call: ast.Call) -> None:
        task = self.expression(call.args[0]) if call.args else None
        given = {k.arg: plain_value(k.value, {}) for k in call.keywords if k.arg}
        if task is not None:
            key = str(given.get("label_key"))
            self.tasks[task].setdefault("node_selector", {})[key] = given.get("label_value")
