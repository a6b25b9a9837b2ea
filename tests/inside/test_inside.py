"""What a notebook itself calls."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import mlkit.ml.gate
from mlkit.inside import in_kernel
from mlkit.inside.injected import injected
from mlkit.inside.secret import Secret
from mlkit.inside.skipping import StageSkipped, skip


def test_a_secret_is_a_text_that_does_not_show_itself() -> None:
    """Only `repr` hides it; it survives a pickle."""
    token = Secret("hunter22")
    assert (f"{token}", token + "x", len(token)) == ("hunter22", "hunter22x", 8)
    assert (repr(token), repr([token]), f"{token!r}") == (
        *("Secret('***')", "[Secret('***')]"),
        "Secret('***')",
    )
    assert repr(Secret("")) == "Secret('')"
    again = pickle.loads(pickle.dumps(token))
    assert (again == token, type(again)) == (True, Secret)


def test_skip_passes_through_handlers_of_exceptions() -> None:
    """A cell's own `except Exception` does not swallow it."""

    def careful() -> None:
        try:
            skip("nothing new")
        except Exception as error:  # pragma: no cover - this is what must not happen
            raise AssertionError from error

    with pytest.raises(StageSkipped, match="nothing new") as caught:
        careful()
    assert caught.value.reason == "nothing new"
    assert caught.value._render_traceback_() == ["Stage skipped: nothing new"]


def test_injected_values_come_from_the_environment() -> None:
    """A text as a secret, others as JSON carries them; without one it says so."""
    values = {"MLKIT_INJECTED_a": json.dumps("hunter22"), "MLKIT_INJECTED_b": json.dumps([1])}
    with mock.patch.dict(os.environ, values):
        assert (injected("a"), type(injected("a")), injected("b")) == ("hunter22", Secret, [1])
    with pytest.raises(LookupError, match="no hidden value for the parameter 'a'"):
        injected("a")


def test_begin_puts_the_notebooks_folder_first(tmp_path: Path) -> None:
    """Once, however often it is called."""
    with mock.patch.object(sys, "path", ["/x", str(tmp_path), "/y"]):
        in_kernel.begin(str(tmp_path))
        in_kernel.begin(str(tmp_path))
        assert sys.path == [str(tmp_path), "/x", "/y"]


def facts(tmp_path: Path) -> dict[str, object]:
    """What the kernel tells at the end."""
    path = tmp_path / "facts.json"
    in_kernel.end(str(path))
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_end_tells_which_project_modules_were_imported(tmp_path: Path) -> None:
    """Those outside the standard library and site-packages, and of mlkit only the helpers."""
    (tmp_path / "own_module_of_a_test.py").write_text("import wave\n")
    with mock.patch.object(sys, "path", [str(tmp_path), *sys.path]):
        in_kernel.begin(str(tmp_path))
        __import__("own_module_of_a_test")
    try:
        found = facts(tmp_path)
    finally:
        del sys.modules["own_module_of_a_test"]
    modules = found["modules"]
    assert isinstance(modules, dict)
    assert modules["own_module_of_a_test"] == str(tmp_path / "own_module_of_a_test.py")
    assert modules["mlkit.ml.gate"] == mlkit.ml.gate.__file__
    assert not {"json", "pytest", "mlkit", "mlkit.inside.in_kernel"} & set(modules)
    imported = found["imported"]
    assert isinstance(imported, list)
    assert {"json", "own_module_of_a_test", "wave", "mlkit"} <= set(imported)


def test_end_tells_what_was_raised(tmp_path: Path) -> None:
    """The class and all its bases, with their modules."""
    with mock.patch.object(sys, "last_value", FileNotFoundError("x"), create=True):
        assert facts(tmp_path)["bases"] == [
            *("builtins.FileNotFoundError", "builtins.OSError"),
            *("builtins.Exception", "builtins.BaseException"),
        ]
    with mock.patch.object(sys, "last_value", None, create=True):
        assert facts(tmp_path)["bases"] == []


def test_end_tells_what_was_used(tmp_path: Path) -> None:
    """CPU seconds, and memory in bytes."""
    found = facts(tmp_path)
    cpu, memory = found["cpu_s"], found["peak_memory_bytes"]
    assert isinstance(cpu, float)
    assert isinstance(memory, int)
    assert cpu > 0
    assert memory > 10_000_000


def test_it_is_cheap_to_import() -> None:
    """A kernel imports it before the first cell."""
    code = (
        "import sys; before = set(sys.modules); import mlkit.inside, mlkit.inside.in_kernel; "
        "import mlkit.inside.injected; print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pandas", "numpy", "papermill", "jupyter_client", "pathlib", "mlkit.load", "re"}
    assert not heavy & set(run.stdout.split()) - {"pathlib", "re"}
