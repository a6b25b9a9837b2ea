"""What a statement binds, needs and changes, told by its syntax tree alone."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterable
from dataclasses import field
from typing import Any

from mlkit.frozen import dataclass

__all__ = ["Names", "evaluated_names", "names_of", "names_of_all"]

BUILTINS = frozenset(dir(builtins)) | {"get_ipython", "display", "In", "Out", "_", "__file__"}

_MUTATING = frozenset(
    {
        *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update"),
        *("add", "discard", "setdefault", "popitem", "appendleft", "popleft", "most_common"),
        *("fit", "partial_fit", "fit_transform", "set_params", "fill", "resize", "put", "shuffle"),
        *("write", "writelines", "close", "load_state_dict", "train", "step", "seed"),
    }
)
"""Methods that change the object that they are called on, in Python, NumPy and scikit-learn."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names at a cell's top level that some code has to do with.

    Parameters
    ----------
    binds : frozenset of str
        Names that have a value afterwards.
    needs : frozenset of str
        Names that must have one before.
    changes : frozenset of str
        Names whose objects it changes in place.
    builtins : frozenset of str
        Names that it needs and that Python has, unless the notebook gives them another meaning.
    """

    binds: frozenset[str] = field(default=frozenset())
    needs: frozenset[str] = field(default=frozenset())
    changes: frozenset[str] = field(default=frozenset())
    builtins: frozenset[str] = field(default=frozenset())


def names_of(node: ast.stmt) -> Names:
    """The names of one statement."""
    return names_of_all([node])


def names_of_all(nodes: Iterable[ast.stmt]) -> Names:
    """The names of statements that follow each other."""
    walker = _Walker()
    walker.block(nodes)
    return Names(
        binds=frozenset(walker.bound),
        needs=frozenset(walker.needed - BUILTINS),
        changes=frozenset(walker.changed - BUILTINS),
        builtins=frozenset(walker.needed & BUILTINS),
    )


class _Walker(ast.NodeVisitor):
    """Walks in the order of evaluation; what is bound on every way is known, the rest is needed."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.bound: set[str] = set()
        self.needed: set[str] = set()
        self.changed: set[str] = set()

    def block(self, nodes: Iterable[ast.stmt]) -> None:
        for node in nodes:
            self.visit(node)

    def bind(self, name: str) -> None:
        self.known.add(name)
        self.bound.add(name)

    def need(self, name: str) -> None:
        if name not in self.known:
            self.needed.add(name)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.need(node.id)
        elif isinstance(node.ctx, ast.Store):
            self.bind(node.id)
        else:
            self.need(node.id)
            self.known.discard(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)
        self.visit(node.annotation)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.need(node.target.id)
            self.changed.add(node.target.id)
        self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)
        if not isinstance(node.ctx, ast.Load):
            self._change(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        self.visit(node.slice)
        if not isinstance(node.ctx, ast.Load):
            self._change(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute):
            inplace = any(
                word.arg in ("inplace", "out")
                and not (isinstance(word.value, ast.Constant) and not word.value.value)
                for word in node.keywords
            )
            if node.func.attr in _MUTATING or inplace:
                self._change(node.func.value)

    def _change(self, node: ast.expr) -> None:
        while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            node = node.func if isinstance(node, ast.Call) else node.value
        if isinstance(node, ast.Name):
            self.changed.add(node.id)

    def _branches(self, *blocks: Iterable[ast.stmt]) -> None:
        before, ends = set(self.known), []
        for block in blocks:
            self.known = set(before)
            self.block(block)
            ends.append(self.known)
        self.known = set.intersection(*ends)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches(node.body, node.orelse)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        before = set(self.known)
        self.visit(node.target)
        self.block(node.body)
        self.known = before
        self.block(node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815 - ast's name

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._branches(node.body, [])
        self.block(node.orelse)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        self.block(node.body)

    visit_AsyncWith = visit_With  # noqa: N815 - ast's name

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        before = set(self.known)
        self.block(node.body)
        done = self.known
        for handler in node.handlers:
            self.known = set(before)
            if handler.type is not None:
                self.visit(handler.type)
            if handler.name is not None:
                self.known.add(handler.name)
            self.block(handler.body)
        self.known = done & self.known if node.handlers else done
        self.block(node.orelse)
        self.block(node.finalbody)

    visit_TryStar = visit_Try  # noqa: N815 - ast's name

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before = set(self.known)
        for case in node.cases:
            self.known = set(before)
            for inner in ast.walk(case.pattern):
                name = getattr(inner, "name", None) or getattr(inner, "rest", None)
                if isinstance(name, str):
                    self.bind(name)
            if case.guard is not None:
                self.visit(case.guard)
            self.block(case.body)
        self.known = before

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.bind(alias.asname or alias.name.partition(".")[0])

    visit_ImportFrom = visit_Import  # noqa: N815 - ast's name

    def visit_FunctionDef(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> None:
        inside = {each.name for each in getattr(node, "type_params", ())} - self.known
        self.known |= inside  # bases may name them: `class Box[T](Sequence[T])`, since Python 3.12
        for outer in _evaluated_outside(node):
            self.visit(outer)
        self.known -= inside
        self._scope(node)
        self.bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name
    visit_ClassDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_TypeAlias(self, node: Any) -> None:  # ast has the class since Python 3.12
        self.visit(node.name)
        self._scope(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        self._scope(ast.copy_location(ast.Expr(value=node), node))

    def _scope(self, node: ast.stmt) -> None:
        """What a function's or class's body takes from outside; it is needed when it is called."""
        text = ast.unparse(ast.fix_missing_locations(ast.Module(body=[node], type_ignores=[])))
        own = getattr(node, "name", None)
        for name in _globals_below(symtable.symtable(text, "<cell>", "exec")):
            if name != own:
                self.need(name)

    def _comprehension(self, node: ast.expr, *elements: ast.expr) -> None:
        before = set(self.known)
        for generator in node.generators:  # type: ignore[attr-defined]  # all comprehensions have them
            self.visit(generator.iter)
            for inner in ast.walk(generator.target):
                if isinstance(inner, ast.Name):
                    self.known.add(inner.id)
            for test in generator.ifs:
                self.visit(test)
        for element in elements:
            self.visit(element)
        self.known = before | (self.known & self.bound)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> None:
        self._comprehension(node, node.elt)

    visit_SetComp = visit_ListComp  # noqa: N815 - ast's name
    visit_GeneratorExp = visit_ListComp  # noqa: N815 - ast's name

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node, node.key, node.value)


def evaluated_names(node: ast.stmt) -> set[str]:
    """The names that a definition needs where it stands, not only when it is called."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return set(names_of(node).needs) if not _is_lambda(node) else set()
    outside = list(_evaluated_outside(node))
    if isinstance(node, ast.ClassDef):  # its body runs at once
        return set(names_of(node).needs)
    return {n for expr in outside for n in names_of(ast.Expr(value=expr)).needs}


def _is_lambda(node: ast.stmt) -> bool:
    return isinstance(getattr(node, "value", None), ast.Lambda)


def _evaluated_outside(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
) -> list[ast.expr]:
    """What of a definition is evaluated where it stands."""
    outside = list(node.decorator_list)
    if isinstance(node, ast.ClassDef):
        return [*outside, *node.bases, *(word.value for word in node.keywords)]
    outside += [*node.args.defaults, *(item for item in node.args.kw_defaults if item is not None)]
    return outside


def _globals_below(table: symtable.SymbolTable) -> set[str]:
    """Names that inner scopes take from the module's, or bind there by `global`."""
    found: set[str] = set()
    for child in table.get_children():
        found |= {s.get_name() for s in child.get_symbols() if s.is_global()}
        found |= _globals_below(child)
    return found
