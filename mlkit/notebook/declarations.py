"""Read what a notebook's parameters cell declares, with `ast`: nothing is executed."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from mlkit.core.parsing import parse
from mlkit.core.pipeline import Declaration
from mlkit.core.types import TypeSpec, ValueMismatchError, fit, infer, is_parameter_value
from mlkit.errors import NotebookError
from mlkit.notebook.annotations import UnknownAnnotationError, read_annotation
from mlkit.notebook.cells import Cell, NotebookSource
from mlkit.notebook.injection import PARAMETERS_TAG

__all__ = ["declarations"]


_MAKERS: Mapping[str, Callable[..., Any]] = {
    "date": dt.date,
    "datetime": dt.datetime,
    "Path": Path,
    "Secret": str,
    "float": float,
}


def declarations(notebook: NotebookSource, language: str = "python") -> dict[str, Declaration]:
    """Read every parameter, input and output that a stage's notebook declares.

    Parameters
    ----------
    notebook : NotebookSource
        The notebook; its cell tagged `parameters` holds literal defaults.
    language : str
        What its kernel speaks.

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
            code="E302",
        )
    if language != "python":
        # Most notebooks are in Python.
        from mlkit.notebook.foreign import foreign_declarations

        return foreign_declarations(notebook.path, cells[0], language)
    return _Reader(notebook.path, cells[0]).read()


class _Reader:
    """Walks the statements of one parameters cell."""

    def __init__(self, path: Path, cell: Cell) -> None:
        self.path = path
        self.cell = cell
        self.found: dict[str, Declaration] = {}

    def read(self) -> dict[str, Declaration]:
        try:
            tree = parse(self.cell.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
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
        self.keep(Declaration(name=name, spec=spec, default=default, line=line))

    def keep(self, declaration: Declaration) -> None:
        if declaration.name in self.found:
            self.fail(declaration.line, f"parameter '{declaration.name}' is declared twice", None)
        self.found[declaration.name] = declaration

    def literal(self, name: str, node: ast.expr, line: int) -> Any:
        try:
            value = _evaluate(node)
        except _MadeWronglyError as error:
            self.fail(line, f"parameter '{name}': {error}", None)
        except (ValueError, TypeError, RecursionError, MemoryError):
            self.fail(
                line,
                f"parameter '{name}' has no literal default: '{ast.unparse(node)}'",
                "Write the value itself; what is derived from a parameter belongs in a later "
                "cell, because this cell runs before the values are injected",
            )
        if not is_parameter_value(value):
            self.fail(
                line,
                f"parameter '{name}': {ast.unparse(node)} is no value of parameters",
                "Write a bool, int, float, str, list, dict, None, date, datetime or Path",
            )
        return value

    def fail(self, line: int, fact: str, remedy: str | None) -> NoReturn:
        place = f"cell {self.cell.index + 1}"
        if self.cell.line is not None:  # a text has lines that an editor can go to
            raise NotebookError(
                f"{place}: {fact}",
                self.path,
                self.cell.line + line - 1,
                remedy=remedy,
                code="E302",
            )
        raise NotebookError(f"{place}, line {line}: {fact}", self.path, remedy=remedy, code="E302")


class _MadeWronglyError(Exception):
    """A date, path or number that is written as a literal, but does not exist."""


def _evaluate(node: ast.expr) -> Any:
    """Evaluate literals, and dates, paths and floats made of literals, at any depth."""
    match node:
        case ast.Call(func=func, args=arguments, keywords=[]):
            maker = _MAKERS.get(ast.unparse(func).rsplit(".", 1)[-1])
            if maker is None:
                raise ValueError("no literal")
            values = [ast.literal_eval(argument) for argument in arguments]
            try:
                return maker(*values)
            except (ValueError, TypeError, OverflowError) as error:
                raise _MadeWronglyError(str(error)) from None
        case ast.UnaryOp(op=ast.USub(), operand=ast.Call() as operand):
            value = _evaluate(operand)
            if isinstance(value, float):
                return -value
        case ast.List(elts=items):
            return [_evaluate(item) for item in items]
        case ast.Dict(keys=keys, values=items) if None not in keys:
            return {
                _evaluate(key): _evaluate(item)
                for key, item in zip(keys, items, strict=True)
                if key is not None
            }
    return ast.literal_eval(node)
