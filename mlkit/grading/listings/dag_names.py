"""Names in a DAG file: those that Airflow 3 does not have, and those that nothing defines. Pure."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from mlkit.grading.listings.airflow_names import HOMES, PRESENT, RENAMED
from mlkit.grading.listings.listing import Problem

__all__ = ["import_problems", "name_problems"]


def import_problems(tree: ast.Module) -> Iterator[Problem]:
    """Airflow's modules and names must exist in Airflow 3, and be imported from their new homes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow"):
            for alias in node.names:
                yield from _imported(node.lineno, node.module or "", alias.name)


def _imported(line: int, module: str, name: str) -> Iterator[Problem]:
    home = HOMES.get(RENAMED.get(name, name))
    if name in HOMES and module == home:
        return
    advice = f"; in Airflow 3 take {RENAMED.get(name, name)} from {home}" if home else ""
    if name in PRESENT.get(module, ()):
        if module != "airflow":
            text = f"{name} has moved away from {module}{advice}"
            yield Problem(rule="moved", line=line, text=text)
    elif home or not module.startswith(("airflow.sdk", "airflow.providers")):
        text = f"Airflow 3 has no {name} in {module}{advice}"
        yield Problem(rule="import", line=line, text=text)


def name_problems(tree: ast.Module) -> Iterator[Problem]:
    """Every name that is used must be bound somewhere in the file."""
    known = {*dir(builtins), "__file__", "__doc__", "__name__", *_bound_names(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known:
            known.add(node.id)
            text = f"the name {node.id!r} is not defined"
            yield Problem(rule="name", line=node.lineno, text=text)


def _bound_names(tree: ast.Module) -> Iterator[str]:
    """Names that anything in a file binds: assignments, imports, functions, arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
