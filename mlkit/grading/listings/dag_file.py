"""Read an Airflow DAG file without running it: its settings, tasks, edges, and what is wrong.

Airflow lives in an environment of its own, so exercises read a DAG file by its syntax tree. The
reader follows plain files: one DAG, operators or `@task` functions bound to names, edges by `>>`,
`<<`, `chain`, `set_upstream` and `set_downstream`, and by results handed on. What it cannot follow
(a loop that makes tasks, say) it reports as `unreadable` and does not guess.
"""

from __future__ import annotations

import ast
import itertools
from typing import Any

from mlkit.grading.listings.airflow_names import (
    DAG_ARGUMENTS,
    OPERATOR_ARGUMENTS,
    REQUIRED,
    TASK_ARGUMENTS,
    TRIGGER_RULES,
)
from mlkit.grading.listings.dag_names import import_problems, name_problems
from mlkit.grading.listings.dag_values import plain_value
from mlkit.grading.listings.listing import MOST_TASKS, Listing, Problem, Reader

__all__ = ["DagFile", "Problem", "read_dag"]

Settings = dict[str, Any]

MOST_EDGES = 5_000


class DagFile(Listing):
    """What stands in a DAG file; a task's `operator` is what makes it, `settings` are the DAG's."""


def read_dag(source: str) -> DagFile:
    """Read the text of a DAG file; it raises nothing for a wrong file.

    Parameters
    ----------
    source : str
        The text.
    """
    reader = _Reader()
    reader.read(source, reader.file)
    return DagFile(**reader.found())


class _Reader(Reader):
    """Walks the statements of a DAG file."""

    def __init__(self) -> None:
        super().__init__()
        self.has_dag = False
        self.values: Settings = {}
        self.bound: dict[str, list[str]] = {}
        self.factories: dict[str, tuple[str, Settings]] = {}
        self.dag_functions: dict[str, ast.FunctionDef] = {}

    def file(self, tree: ast.Module) -> None:
        """Read the whole file."""
        self.problems += [*import_problems(tree), *name_problems(tree)]
        self.block(tree.body)
        if not self.has_dag:
            self.note(1, "dag", "the file makes no DAG")

    def block(self, body: list[ast.stmt]) -> None:
        """Read the statements of the file, of a `with`, or of a `@dag` function."""
        for statement in body:
            if isinstance(statement, ast.FunctionDef):
                self._function(statement)
            elif isinstance(statement, ast.With):
                for item in statement.items:
                    found = self.evaluate(item.context_expr)
                    if isinstance(item.optional_vars, ast.Name):
                        self.bound[item.optional_vars.id] = found
                self.block(statement.body)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                self._assign(statement)
            elif isinstance(statement, ast.Expr):
                self.evaluate(statement.value)
            elif isinstance(statement, ast.For | ast.While | ast.If | ast.Try | ast.ClassDef):
                what = type(statement).__name__.lower()
                self.note(statement.lineno, "unreadable", f"the reader does not follow {what!r}")

    def _assign(self, statement: ast.Assign | ast.AnnAssign) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        found = [] if statement.value is None else self.evaluate(statement.value)
        for target in targets:
            if isinstance(target, ast.Name) and statement.value is not None:
                self.bound[target.id] = found
                self.values[target.id] = plain_value(statement.value, self.values)

    def _function(self, function: ast.FunctionDef) -> None:
        """A `@dag` or `@task` function; any other is somebody's callable."""
        for decorator in function.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            name = ast.unparse(call.func if call else decorator)
            given = self._arguments(call) if call else {}
            if name == "dag":
                self._dag({"dag_id": function.name, **given}, function.lineno)
                self.dag_functions[function.name] = function
            elif name == "task" or name.startswith("task."):
                self.factories[function.name] = (name, {"task_id": function.name, **given})

    def evaluate(self, node: ast.expr) -> list[str]:
        """The tasks that an expression stands for; makes tasks and edges on the way."""
        if isinstance(node, ast.Name):
            return self.bound.get(node.id, [])
        if isinstance(node, ast.List | ast.Tuple):
            found = [task for element in node.elts for task in self.evaluate(element)]
            return list(dict.fromkeys(found))
        if isinstance(node, ast.Attribute | ast.Subscript):
            return self.evaluate(node.value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift | ast.LShift):
            if _is_list(node.left) and _is_list(node.right):
                self.note(node.lineno, "edge", "a list cannot lead to a list: use cross_downstream")
            left, right = self.evaluate(node.left), self.evaluate(node.right)
            forward = isinstance(node.op, ast.RShift)
            self._link(left if forward else right, right if forward else left)
            return right
        return self._call(node) if isinstance(node, ast.Call) else []

    def _call(self, call: ast.Call) -> list[str]:
        name = ast.unparse(call.func)
        last = name.rpartition(".")[2]
        if last == "DAG":
            if len(call.args) > 1:
                self.note(call.lineno, "argument", "DAG takes its dag_id alone by position")
            self._dag(self._arguments(call, "dag_id"), call.lineno)
            return []
        if name in self.dag_functions:
            self.block(self.dag_functions.pop(name).body)
            return []
        if last in ("chain", "cross_downstream", "set_downstream", "set_upstream"):
            return self._linked_by_call(call, last)
        if last.endswith(("Operator", "Sensor")):
            return self._task(last, self._arguments(call), call)
        function = call.func
        changed: Settings = {}
        if isinstance(function, ast.Call) and ast.unparse(function.func).endswith(".override"):
            changed = self._arguments(function)
            function = function.func.value if isinstance(function.func, ast.Attribute) else function
        if isinstance(function, ast.Name) and function.id in self.factories:
            maker, settings = self.factories[function.id]
            return self._made(maker, {**settings, **changed}, call)
        return []

    def _made(self, maker: str, settings: Settings, call: ast.Call) -> list[str]:
        """Call a `@task` function: a task, after those whose results it is given."""
        number, name = 1, settings["task_id"]
        while settings["task_id"] in self.tasks:
            settings = {**settings, "task_id": f"{name}__{number}"}
            number += 1
        made = self._task(maker, settings, call)
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
            self._link(self.evaluate(argument), made)
        return made

    def _linked_by_call(self, call: ast.Call, name: str) -> list[str]:
        groups = [self.evaluate(argument) for argument in call.args]
        if name.startswith("set_") and isinstance(call.func, ast.Attribute):
            here, others = self.evaluate(call.func.value), [t for group in groups for t in group]
            down = name == "set_downstream"
            self._link(here if down else others, others if down else here)
            return []
        lists = all(map(_is_list, call.args))
        for left, right in itertools.pairwise(groups):
            if name == "chain" and lists and len(left) == len(right):
                self.edges |= set(zip(left, right, strict=True))
            else:
                self._link(left, right)
        return []

    def _link(self, upstream: list[str], downstream: list[str]) -> None:
        if len(self.edges) > MOST_EDGES:
            return
        self.edges |= {(up, down) for up in upstream for down in downstream}
        if len(self.edges) > MOST_EDGES:
            self.note(1, "unreadable", f"there are more than {MOST_EDGES} edges")

    def _dag(self, settings: Settings, line: int) -> None:
        if self.has_dag:
            self.note(line, "unreadable", "the reader follows one DAG a file")
        self.has_dag, self.settings = True, settings
        if not settings.get("dag_id"):
            self.note(line, "argument", "DAG needs the argument 'dag_id'")
        if "code" in (settings.get("default_args") or {}):
            self.note(line, "unreadable", "the reader does not follow these default_args")
        for name in settings.keys() - DAG_ARGUMENTS:
            self.note(line, "argument", f"DAG takes no argument {name!r} in Airflow 3")

    def _task(self, operator: str, settings: Settings, call: ast.Call) -> list[str]:
        defaults = self.settings.get("default_args", {})
        task = str(settings.pop("task_id", ""))
        if not task:
            self.note(call.lineno, "task_id", f"{operator} is given no task_id")
            return []
        if task in self.tasks:
            self.note(call.lineno, "task_id", f"a second task has the task_id {task!r}")
            return [task]
        if len(self.tasks) >= MOST_TASKS:
            self.note(call.lineno, "unreadable", f"there are more than {MOST_TASKS} tasks")
            return []
        allowed = OPERATOR_ARGUMENTS.get(operator)
        for name in settings.keys() - TASK_ARGUMENTS:
            if allowed is not None and name not in allowed:
                self.note(call.lineno, "argument", f"{operator} takes no argument {name!r}")
        for name in REQUIRED.get(operator, ()):
            if name not in settings:
                self.note(call.lineno, "argument", f"{operator} needs the argument {name!r}")
        inherited = defaults if isinstance(defaults, dict) else {}
        self.tasks[task] = {"operator": operator, **inherited, **settings}
        rule = self.tasks[task].get("trigger_rule", "all_success")
        if isinstance(rule, str) and rule not in TRIGGER_RULES:
            self.note(call.lineno, "trigger_rule", f"Airflow has no trigger rule {rule!r}")
        return [task]

    def _arguments(self, call: ast.Call, *positional: str) -> Settings:
        given = dict(zip(positional, (self._value(a) for a in call.args), strict=False))
        return given | {k.arg: self._value(k.value) for k in call.keywords if k.arg}

    def _value(self, node: ast.expr) -> Any:
        return plain_value(node, self.values)


def _is_list(node: ast.expr) -> bool:
    """Whether an expression is a list of tasks; `a >> [b]` is one too."""
    if isinstance(node, ast.BinOp):
        return _is_list(node.right)
    return isinstance(node, ast.List | ast.Tuple)
