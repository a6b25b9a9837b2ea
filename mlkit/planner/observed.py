"""What a result was seen to depend on when it was computed, and whether that still holds."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlkit.notebook.cells import NotebookSource
from mlkit.notebook.execution import ExecutionResult
from mlkit.planner.packages import installed_version, packages_of
from mlkit.store.artifacts import Marks, digest_file, marks_of

__all__ = ["changes_since", "imported_names", "observe", "syntax_tree"]

_UNKNOWN = "?"
"""In place of a module's name: the kernel did not tell what the notebook had imported."""

_UNSTABLE = "changed while it ran"
"""In place of a digest: which text was imported is not known, so nothing equals it."""


def syntax_tree(source: str) -> ast.AST:
    """Parse a piece of Python whose magics are passed over; one that is no Python gives nothing."""
    plain = "\n".join(
        "pass" if line.lstrip().startswith(("%", "!", "?")) else line
        for line in source.splitlines()
    )
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def imported_names(source: str) -> set[str]:
    """The top-level modules that a piece of Python imports anywhere."""
    tree = syntax_tree(source)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def observe(
    result: ExecutionResult, notebook: NotebookSource, folder: Path, since: float
) -> dict[str, Any]:
    """Say what a finished execution depended on.

    Parameters
    ----------
    result : ExecutionResult
        What the kernel told at its end.
    notebook : NotebookSource
        The notebook that was executed.
    folder : Path
        The pipeline's folder: modules below it are recorded relative to it.
    since : float
        When the execution began; a module changed later was perhaps read before the change.

    Returns
    -------
    dict
        `modules`: name to path, digest and marks; `packages`: name to version; `roots`: the
        top-level names imported.
    """
    modules: dict[str, Any] = {} if result.told else {_UNKNOWN: None}
    sources = [cell.source for cell in notebook.code_cells]
    for name, file in sorted(result.modules.items()):
        path = Path(file)
        marks = marks_of(path)
        if marks is None:
            continue
        changed = path.stat().st_mtime > since
        modules[name] = {
            "path": _relative(path, folder, name),
            "digest": _UNSTABLE if changed else digest_file(path),
            "marks": [marks.size_bytes, marks.mtime_ns, marks.inode],
        }
        if path.suffix == ".py":
            sources.append(path.read_text(encoding="utf-8", errors="replace"))
    roots = {name for source in sources for name in imported_names(source)}
    own = {name.partition(".")[0] for name in modules}
    named = (roots | set(result.fresh)) - own - set(sys.stdlib_module_names)
    return {
        "modules": modules,
        "packages": packages_of(sorted(named | ({"mlkit"} & roots)), result.imported),
        "roots": sorted(roots - set(sys.stdlib_module_names)),
    }


def changes_since(
    observed: Mapping[str, Any], folder: Path, notebook_folder: Path
) -> tuple[str, ...]:
    """Say what has changed since a result was computed; empty if all of it still holds."""
    return (
        *_module_changes(observed["modules"], folder),
        *_shadow_changes(observed, notebook_folder),
        *_package_changes(observed["packages"]),
    )


def _module_changes(modules: Mapping[str, Any], folder: Path) -> Iterable[str]:
    if _UNKNOWN in modules:
        yield "what it imported is not known: its kernel did not tell"
        return
    for name, item in modules.items():
        path = _absolute(item["path"], folder)
        marks = marks_of(path)
        if marks is None:
            yield f"module {name} is gone ({item['path']})"
        elif not _is_unchanged(item, marks) and digest_file(path) != item["digest"]:
            yield f"module {name} changed ({item['path']})"


def _is_unchanged(item: Mapping[str, Any], now: Marks) -> bool:
    """Whether a module's file looks as it did, so that it need not be read."""
    size_bytes, mtime_ns, inode = item["marks"]
    recorded = Marks(size_bytes=size_bytes, mtime_ns=mtime_ns, inode=inode)
    return now == recorded and item["digest"] != _UNSTABLE


def _shadow_changes(observed: Mapping[str, Any], notebook_folder: Path) -> Iterable[str]:
    """Files that a rerun would import in place of what was imported."""
    known = {name.partition(".")[0] for name in observed["modules"]}
    for name in observed["roots"]:
        if name not in known and (
            (notebook_folder / f"{name}.py").is_file()
            or (notebook_folder / name / "__init__.py").is_file()
        ):
            yield f"module {name} now comes from the notebook's folder"


def _package_changes(packages: Mapping[str, str]) -> Iterable[str]:
    for name, version in packages.items():
        now = installed_version(name)
        if now != version:
            yield f"package {name}: {version} → {now or 'not installed'}"


def _relative(path: Path, folder: Path, name: str) -> str:
    if name == "mlkit.ml" or name.startswith("mlkit.ml."):
        return "mlkit:" + path.relative_to(_mlkit_folder()).as_posix()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _absolute(text: str, folder: Path) -> Path:
    if text.startswith("mlkit:"):
        return _mlkit_folder() / text.removeprefix("mlkit:")
    return folder / text


def _mlkit_folder() -> Path:
    return Path(__file__).parents[1]
