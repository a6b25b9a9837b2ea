"""What a learner may touch: `mlkit`, `mlkit.ml`, `mlkit.widgets` and `mlkit.testing`."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlkit.api
import mlkit.ml

ROOT = Path(__file__).parents[1]
PAGES = {"mlkit": "python.md", "mlkit.widgets": "widgets.md", "mlkit.testing": "testing.md"}
"""The pages that list what there is: a name that goes from one breaks somebody's notebook."""
LAZY = [*PAGES, "mlkit.api"]
NOTEBOOKS = sorted(
    path
    for folder in ("notebooks", "exercises", "solutions", "mlkit/grading/authoring/template")
    for path in (ROOT / folder).rglob("*.ipynb")
    if not {".ipynb_checkpoints", "runs"} & set(path.parts)
)


@pytest.mark.parametrize("package", PAGES)
def test_what_is_exported_is_listed_loads_and_is_documented(package: str) -> None:
    """In the tables of its page, by a docstring of its own, and in order."""
    module = importlib.import_module(package)
    assert _listed(PAGES[package]) == sorted(module.__all__, key=str.lower)
    assert [name for name in module.__all__ if not inspect.getdoc(getattr(module, name))] == []
    assert module.__all__ == sorted(module.__all__)


def _listed(page: str) -> list[str]:
    """The names in the first column of those of a page's tables that list names or views."""
    names: list[str] = []
    inside = False
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        first = line.split("|")[1].strip() if line.startswith("|") else ""
        inside = bool(first) and (inside or first in ("name", "view", "picture"))
        names += re.findall(r"`(\w+)(?:\(.*?\))?`", first) if inside else []
    return sorted(names, key=str.lower)


def test_mlkit_exports_at_most_31_names() -> None:
    """More would not be learned."""
    assert len(mlkit.__all__) <= 31


def test_every_module_of_ml_is_documented() -> None:
    """With each name that it offers; the page lists the modules."""
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    for found in pkgutil.iter_modules(mlkit.ml.__path__):
        module = importlib.import_module(f"mlkit.ml.{found.name}")
        assert module.__all__ == sorted(module.__all__), found.name
        functions = [getattr(module, name) for name in module.__all__]
        assert [f for f in functions if callable(f) and not inspect.getdoc(f)] == []
        assert f"`mlkit.ml.{found.name}`" in page


@pytest.mark.parametrize("package", LAZY)
def test_type_checkers_read_the_names_that_there_are(package: str) -> None:
    """A name that is imported when it is used stands twice in its package: the two agree."""
    module = importlib.import_module(package)
    tree = ast.parse(inspect.getsource(module))
    checked = {
        (name.asname, node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 0
        for name in node.names
        if name.asname is not None
    }
    assert checked == set(vars(module)["_HOMES"].items())
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing


def test_import_is_cheap() -> None:
    """`import mlkit` imports none of its own modules."""
    program = "import sys, mlkit; print([m for m in sys.modules if m.startswith('mlkit.')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_notebooks_import_from_the_public_face_alone(notebook: Path) -> None:
    """What learners see and copy is what is promised to stay."""
    public = ("mlkit", "mlkit.widgets", "mlkit.testing")
    strange = [
        name
        for name in _imported(notebook)
        if name.split(".")[0] == "mlkit" and name not in public and not name.startswith("mlkit.ml")
    ]
    assert strange == []


def _imported(notebook: Path) -> Iterator[str]:
    """The modules that a notebook's cells import, with the names that they take from mlkit.

    A stage in another language imports nothing of Python's.
    """
    content = json.loads(notebook.read_text(encoding="utf-8"))
    language = content["metadata"].get("kernelspec", {}).get("language", "python")
    for cell in content["cells"] if language == "python" else ():
        if cell["cell_type"] != "code":
            continue
        lines = "".join(cell["source"]).splitlines()
        code = "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""
