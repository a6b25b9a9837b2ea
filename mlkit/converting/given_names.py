"""Names that a conversion gives: of inputs and outputs, and of the modules that load and save.

None of them is one that the notebook uses: a value would be lost without a word.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping
from keyword import iskeyword

from mlkit.converting.named_files import FilePlan
from mlkit.converting.planning import Conversion
from mlkit.frozen import dataclass

__all__ = ["MODULES", "GivenNames", "given_names"]

MODULES = {
    "json": "import json",
    "Path": "from pathlib import Path",
    "random": "import random",
    "joblib": "import joblib",
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "os": "import os",
    "shutil": "import shutil",
}
"""What loading and saving needs, by the name that it is usually called by."""

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True)
class GivenNames:
    """The names that the notebooks of one conversion have in common.

    Parameters
    ----------
    inputs, outputs : mapping of str to str
        Of each value that crosses a cut, the names of the input and the output that hold its path.
    modules : mapping of str to str
        What each of `MODULES` is called.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    modules: Mapping[str, str]

    def into(self, value: str) -> str:
        """The input through which a value comes."""
        return self.inputs[value]

    def out_of(self, value: str) -> str:
        """The output through which a value goes."""
        return self.outputs[value]

    def import_of(self, module: str) -> str:
        """The statement that imports a module by the name that it has here."""
        name, text = self.modules[module], MODULES[module]
        if name == module:
            return text
        return f"{text.removesuffix(f' as {module}')} as {name}"


def given_names(conversion: Conversion, plans: Mapping[str, FilePlan]) -> GivenNames:
    """Choose names that neither the notebook nor a file's parameter has."""
    cells = [cell for stage in conversion.stages for cell in stage.part.code]
    used = {word for cell in cells for word in _IDENTIFIER.findall(cell.source)}
    used |= {name for plan in plans.values() for name in (*plan.inputs, *plan.outputs)}
    used |= set(dir(builtins))
    bound = {word for cell in cells if cell.is_opaque for word in _IDENTIFIER.findall(cell.source)}
    for cell in cells:
        for statement in cell.statements:
            bound |= _bound(statement.node)
    carried = list(
        dict.fromkeys(c.name for stage in conversion.stages for c in (*stage.takes, *stage.gives))
    )
    inputs = {name: _free(f"{name}_in", used) for name in carried}
    outputs = {name: _free(f"{name}_out", used) for name in carried}
    modules = {name: _free(f"_{name}", used) if name in bound else name for name in MODULES}
    return GivenNames(inputs=inputs, outputs=outputs, modules=modules)


def _free(name: str, used: set[str]) -> str:
    """A name that is not used yet; now it is."""
    while name in used or iskeyword(name):
        name += "_"
    used.add(name)
    return name


def _bound(node: ast.AST) -> set[str]:
    """Every name that a statement may bind on any level, unless it is the module of that name."""
    found: set[str] = set()
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name):
                found.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                found.add(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                found.add(name)
            case ast.Import() | ast.ImportFrom():
                found |= _imported(inner)
            case _:
                pass
    return found


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The names of MODULES that a statement binds to something else."""
    found = set()
    for alias in node.names:
        single = (
            ast.Import(names=[alias])
            if isinstance(node, ast.Import)
            else ast.ImportFrom(module=node.module, names=[alias], level=node.level)
        )
        name = alias.asname or alias.name.partition(".")[0]
        if alias.name == "*":
            found |= set(MODULES)
        elif MODULES.get(name) not in (None, ast.unparse(single)):
            found.add(name)
    return found
