"""What a result was seen to depend on, and whether that still holds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from mlkit.core.states import Status
from mlkit.notebook.cells import read_notebook
from mlkit.notebook.execution import ExecutionResult
from mlkit.planner.observed import changes_since, imported_names, observe
from mlkit.planner.packages import installed_version
from mlkit.testing import write_notebook


def _observe(tmp_path: Path, code: str, **facts: Any) -> dict[str, Any]:
    notebook = read_notebook(write_notebook(tmp_path / "n.ipynb", code))
    result = ExecutionResult(status=Status.SUCCEEDED, **facts)
    return observe(result, notebook, tmp_path, time.time() + 1)


def test_packages_count_by_version(tmp_path: Path) -> None:
    """A third-party package that the notebook imports stands there with its version."""
    facts = _observe(tmp_path, "import yaml, numpy", imported=("numpy",), fresh=("numpy",))
    assert facts["packages"]["numpy"] == installed_version("numpy")
    assert changes_since(facts, tmp_path, tmp_path) == ()
    facts["packages"]["numpy"] = "0.1"
    now = installed_version("numpy")
    assert changes_since(facts, tmp_path, tmp_path) == (f"package numpy: 0.1 → {now}",)


def test_a_package_that_is_gone_is_named(tmp_path: Path) -> None:
    """A result computed with it does not hold any more."""
    facts = _observe(tmp_path, "1")
    facts["packages"]["nowhere-to-be-had"] = "1.0"
    assert changes_since(facts, tmp_path, tmp_path) == (
        "package nowhere-to-be-had: 1.0 → not installed",
    )


def test_the_standard_library_is_no_package(tmp_path: Path) -> None:
    """Python's version stands for it."""
    facts = _observe(tmp_path, "import json, os", imported=("json", "os"), fresh=("json",))
    assert facts["packages"] == {}


def test_a_module_edited_while_it_ran_is_never_trusted(tmp_path: Path) -> None:
    """Which text was imported is not known."""
    module = tmp_path / "own.py"
    module.write_text("x = 1")
    later = time.time() + 60
    os.utime(module, (later, later))
    facts = _observe(tmp_path, "import own", modules={"own": str(module)})
    assert changes_since(facts, tmp_path, tmp_path) == ("module own changed (own.py)",)


def test_a_module_that_would_now_come_first_is_seen(tmp_path: Path) -> None:
    """A new file in the notebook's folder shadows an installed package."""
    facts = _observe(tmp_path, "import numpy", imported=("numpy",), fresh=("numpy",))
    (tmp_path / "numpy.py").write_text("")
    assert changes_since(facts, tmp_path, tmp_path) == (
        "module numpy now comes from the notebook's folder",
    )


def test_helpers_of_mlkit_count_by_source(tmp_path: Path) -> None:
    """`mlkit.ml` is part of the project; the rest of mlkit counts by version."""
    import mlkit.ml as ml

    facts = _observe(tmp_path, "import mlkit.ml", modules={"mlkit.ml": str(ml.__file__)})
    assert facts["modules"]["mlkit.ml"]["path"] == "mlkit:ml/__init__.py"
    assert changes_since(facts, tmp_path, tmp_path) == ()


def test_modules_are_recorded_relative_to_the_pipeline(tmp_path: Path) -> None:
    """A pipeline that is moved with its runs keeps its results."""
    (tmp_path / "old").mkdir()
    module = tmp_path / "old" / "own.py"
    module.write_text("x = 1")
    facts = _observe(tmp_path / "old", "import own", modules={"own": str(module)})
    (tmp_path / "old").rename(tmp_path / "new")
    assert changes_since(facts, tmp_path / "new", tmp_path / "new") == ()


def test_imports_are_found_beside_magics() -> None:
    """`%` and `!` lines are passed over; broken code names nothing."""
    assert imported_names("%matplotlib inline\n!ls\nimport a.b\nfrom c import d") == {"a", "c"}
    assert imported_names("import (") == set()


def test_a_kernel_that_tells_nothing_is_never_reused(tmp_path: Path) -> None:
    """What a result depends on is not known, so nothing can be said to be unchanged."""
    facts = _observe(tmp_path, "import own", told=False)
    assert changes_since(facts, tmp_path, tmp_path) == (
        "what it imported is not known: its kernel did not tell",
    )
