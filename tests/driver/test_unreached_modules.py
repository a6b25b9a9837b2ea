"""A module that a relative entry of `sys.path` reaches by hand alone is pointed out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.core.record import ErrorRecord
from mlkit.driver.unreached_modules import with_module_found
from mlkit.testing import Sketch, run_fake, write_pipeline

MISSING = "No module named"


def _project(root: Path, *files: str) -> Path:
    """A project whose notebooks stand in `notebooks/`; it gives that folder."""
    for name in (*files, "notebooks/kept"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root / "notebooks"


def _message(name: str, notebooks: Path, root: Path) -> str:
    error = ErrorRecord(
        type="ModuleNotFoundError",
        message=f"{MISSING} '{name}'",
        bases=("builtins.ModuleNotFoundError",),
    )
    found = with_module_found(error, notebooks, root)
    assert found is not None
    return found.message


def test_a_package_below_src_is_to_be_installed(tmp_path: Path) -> None:
    """That is what a folder with a pyproject.toml is for."""
    notebooks = _project(tmp_path, "pyproject.toml", "src/churn/__init__.py")
    message = _message("churn", notebooks, tmp_path)
    assert message.startswith(f"{MISSING} 'churn' (install the project: pip install -e .; it ")
    assert "it stands in src, and a stage works in a folder of its own" in message


@pytest.mark.parametrize("module", ["tools.py", "lib/tools.py", "src/tools/inner.py"])
def test_a_loose_module_is_reached_by_pythonpath(tmp_path: Path, module: str) -> None:
    """A file, in the project's folder or below it; a package without `__init__.py`, too."""
    notebooks = _project(tmp_path, module)
    place = tmp_path / Path(module).parts[0] if "/" in module else tmp_path
    assert f"PYTHONPATH={place}," in _message("tools", notebooks, tmp_path)
    named = "tools.inner" if module.endswith("inner.py") else "tools"
    assert f"PYTHONPATH={place}," in _message(named, notebooks, tmp_path)


def test_the_pipeline_may_stand_beside_the_notebooks(tmp_path: Path) -> None:
    """Then the project begins one folder above it."""
    notebooks = _project(tmp_path, "setup.py", "src/churn/model.py")
    assert "pip install -e ..;" in _message("churn.model", notebooks, notebooks)


@pytest.mark.parametrize("name", ["pandsa", "churn.nothing", "beside", "kept"])
def test_other_imports_stay_as_they_are(tmp_path: Path, name: str) -> None:
    """A package that is not installed, a module that is not there, one that was reached."""
    notebooks = _project(tmp_path, "src/churn/__init__.py", "notebooks/beside.py")
    assert _message(name, notebooks, tmp_path) == f"{MISSING} '{name}'"


def test_a_run_says_so(tmp_path: Path) -> None:
    """In the error that the terminal, the record and the log show."""
    notebooks = _project(tmp_path, "pyproject.toml", "src/nowhere_else/__init__.py")
    body = "import sys\nsys.path.append('../src')\nimport nowhere_else"
    file = write_pipeline(notebooks, Sketch(name="a", body=body))
    error = run_fake(file).stages["a"].error
    assert error is not None
    assert "pip install -e .." in error.message
