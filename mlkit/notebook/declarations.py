"""Read what a notebook's parameters cell declares, with `ast`: nothing is executed."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from mlkit.core.pipeline import Declaration
from mlkit.core.types import ANY, TypeSpec, ValueMismatchError, fit, infer
from mlkit.errors import NotebookError
from mlkit.notebook.annotations import UnknownAnnotationError, read_annotation
from mlkit.notebook.cells import Cell, NotebookSource

__all__ = ["PARAMETERS_TAG", "declarations"]

PARAMETERS_TAG = "parameters"

_MAKERS: Mapping[str, Callable[..., Any]] = {
    "date": dt.date,
    "datetime": dt.datetime,
    "Path": Path,
    "Secret": str,
    "float": float,
}


def declarations(notebook: NotebookSource) -> dict[str, Declaration]:
    """Read every parameter, input and output that a stage's notebook declares.

    Parameters
    ----------
    notebook : NotebookSource
        The notebook; its cell tagged `parameters` holds literal defaults.

    Returns
    -------
    dict of str to Declaration
        By name, in the order of the cell; empty if there is no such cell.

    Raises
    ------
    NotebookError
        If there are several such cells, or one holds anything but literal defaults.
    """
    cells = notebook.tagged(PARAMETERS_TAG)
    if not cells:
        return {}
    if len(cells) > 1:
        places = " and ".join(str(cell.index + 1) for cell in cells)
        raise NotebookError(
            f"cells {places} are both tagged 'parameters'",
            notebook.path,
            remedy="Keep one parameters cell",
        )
    return _Reader(notebook.path, cells[0]).read()


class _Reader:
    """Walks the statements of one parameters cell."""

    def __init__(self, path: Path, cell: Cell) -> None:
        self.path = path
        self.cell = cell
        self.found: dict[str, Declaration] = {}

    def read(self) -> dict[str, Declaration]:
        try:
            tree = ast.parse(self.cell.source)
        except (SyntaxError, ValueError) as error:
            self.fail(
                getattr(error, "lineno", None) or 1,
                f"the parameters cell is not plain Python ({getattr(error, 'msg', error)})",
                "Keep magics and shell commands in other cells",
            )
        for statement in tree.body:
            self.statement(statement)
        return self.found

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                self.annotated(name, annotation, value, node.lineno)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if not isinstance(target, ast.Name):
                        self.fail(
                            node.lineno,
                            f"'{ast.unparse(node)}' assigns to more than one plain name",
                            "Give each parameter a line of its own",
                        )
                    self.plain(target.id, value, node.lineno)
            case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Expr(value=ast.Constant()):
                return
            case _:
                self.fail(
                    node.lineno,
                    f"'{ast.unparse(node).splitlines()[0]}' is no parameter with a literal default",
                    "Move it to a later cell",
                )

    def annotated(self, name: str, annotation: ast.expr, value: ast.expr | None, line: int) -> None:
        try:
            spec = read_annotation(annotation)
        except UnknownAnnotationError as error:
            self.fail(line, f"parameter '{name}': {error}", error.remedy)
        if value is None:
            self.fail(
                line,
                f"parameter '{name}' has no default",
                "Give it one, so that the notebook also runs by hand",
            )
        default = self.literal(name, value, line)
        try:
            fitted = fit(default, spec)
        except ValueMismatchError as error:
            self.fail(
                line,
                f"parameter '{name}' is declared {spec}, but its default does not fit: {error}",
                f"Declare it '{name}: {spec} | None'"
                if default is None
                else "Change one of the two",
            )
        self.keep(Declaration(name=name, spec=spec, default=fitted, annotated=True, line=line))

    def plain(self, name: str, value: ast.expr, line: int) -> None:
        default = self.literal(name, value, line)
        maker = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
        spec = infer(default, maker)
        if maker.rsplit(".", 1)[-1] == "Secret":
            spec = TypeSpec(kind="Secret", source=maker)
        self.keep(Declaration(name=name, spec=spec or ANY, default=default, line=line))

    def keep(self, declaration: Declaration) -> None:
        if declaration.name in self.found:
            self.fail(declaration.line, f"parameter '{declaration.name}' is declared twice", None)
        self.found[declaration.name] = declaration

    def literal(self, name: str, node: ast.expr, line: int) -> Any:
        if isinstance(node, ast.Call) and not node.keywords:
            maker = _MAKERS.get(ast.unparse(node.func).rsplit(".", 1)[-1])
            if maker is not None:
                try:
                    return maker(*[ast.literal_eval(argument) for argument in node.args])
                except (ValueError, TypeError) as error:
                    self.fail(line, f"parameter '{name}': {error}", None)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.literal(name, node.operand, line)
            if isinstance(inner, int | float) and not isinstance(inner, bool):
                return -inner
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError):
            self.fail(
                line,
                f"parameter '{name}' has no literal default: '{ast.unparse(node)}'",
                "Write the value itself; what is derived from a parameter belongs in a later "
                "cell, because this cell runs before the values are injected",
            )

    def fail(self, line: int, fact: str, remedy: str | None) -> NoReturn:
        place = f"cell {self.cell.index + 1}, line {line}"
        raise NotebookError(f"{place}: {fact}", self.path, remedy=remedy)
