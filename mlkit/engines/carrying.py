"""What an exported file carries with it: functions of a real module, and the imports it needs.

An engine's `mlkit_*.py` is Python like any other: checked, typed and tested here, and run there.
It knows the engine and the standard library only. Either it stands beside the exported file as it
is, or the file holds copies of the functions that it calls; what a compiler writes itself are the
facts of one pipeline.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from importlib import resources

__all__ = ["carried", "identifiers", "imports", "module_text"]


def module_text(engine: str, module: str) -> str:
    """Read a module that an engine's exports carry."""
    place = resources.files("mlkit.engines").joinpath(engine, f"{module}.py")
    return place.read_text(encoding="utf-8")


def carried(source: str, text: str) -> str:
    """Copy out of a module the functions that a text calls, and those that they call in turn.

    Parameters
    ----------
    source : str
        The module.
    text : str
        What stands in the exported file already; what it defines itself is not copied.
    """
    lines = source.splitlines()
    there = {
        node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and f"def {node.name}(" not in text
    }
    wanted: set[str] = set()
    new = _used(text) & there.keys()
    while new:
        wanted |= new
        new = {name for known in new for name in _used(there[known])} & there.keys() - wanted
    return "\n\n\n".join(code for name, code in there.items() if name in wanted)


def imports(text: str, *offered: str) -> str:
    """Write the imports that a text uses, sorted as isort does.

    Parameters
    ----------
    text : str
        The rest of the file.
    *offered : str
        Modules, or single statements, whose imports it may use.
    """
    used = _used(text)
    whole: set[str] = set()
    parts: dict[str, set[str]] = {}
    for node in (node for source in offered for node in ast.parse(source).body):
        if isinstance(node, ast.Import):
            whole |= {alias.name for alias in node.names if alias.name in used}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) in used:
                    parts.setdefault(str(node.module), set()).add(ast.unparse(alias))
    groups = []
    for ours in (True, False):
        lines = [f"import {name}" for name in sorted(whole) if _is_standard(name) is ours]
        for module in sorted(parts):
            if _is_standard(module) is ours:
                lines.append(f"from {module} import {', '.join(sorted(parts[module], key=_rank))}")
        groups.append("\n".join(lines))
    return "\n\n".join(filter(None, groups))


def identifiers(sources: Iterable[str]) -> set[str]:
    """Every name that means something in some modules: who carries them leaves it alone."""
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}


def _used(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _rank(name: str) -> tuple[int, str]:
    """Constants come before classes, and these before functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
