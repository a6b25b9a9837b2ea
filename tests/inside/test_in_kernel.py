"""What a kernel tells of itself, also when odd things stand in `sys.modules`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import mlkit.ml.gate
from mlkit.inside import in_kernel


class Lazy:
    """An object that refuses every question, as lazily imported modules do."""

    def __getattr__(self, name: str) -> Any:
        raise ImportError(f"{name} is not to be had")


def test_an_object_that_refuses_questions_does_not_stop_the_telling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules beside it are still told."""
    own = tmp_path / "own_module.py"
    own.write_text("x = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("get_data", "set_data"):
        monkeypatch.setattr(SourceFileLoader, name, getattr(SourceFileLoader, name))
    in_kernel.begin(str(tmp_path))
    __import__("own_module")
    monkeypatch.setitem(sys.modules, "refusing", Lazy())
    in_kernel.end(str(tmp_path / "facts.json"))
    facts = json.loads((tmp_path / "facts.json").read_text(encoding="utf-8"))
    assert facts["modules"]["own_module"] == str(own)
    assert "own_module" in facts["imported"]
    assert facts["cpu_s"] > 0


def test_a_module_edited_within_a_second_is_imported_as_it_stands(tmp_path: Path) -> None:
    """A compiled copy of the same second and size is passed over, and none is left behind."""
    own = tmp_path / "own_module.py"
    own.write_text("x = 1\n", encoding="utf-8")
    plain = [sys.executable, "-c", "import own_module; print(own_module.x)"]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    options = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True, "check": True}
    assert subprocess.run(plain, **options).stdout == "1\n"  # type: ignore[call-overload] # one table for all
    stat = own.stat()
    own.write_text("x = 2\n", encoding="utf-8")
    os.utime(own, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert subprocess.run(plain, **options).stdout == "1\n"  # type: ignore[call-overload] # the trap
    begun = f"from mlkit.inside import in_kernel; in_kernel.begin({str(tmp_path)!r}); "
    command = [sys.executable, "-c", begun + plain[2]]
    assert subprocess.run(command, **options).stdout == "2\n"  # type: ignore[call-overload] # as above
    (tmp_path / "other_module.py").write_text("y = 1\n", encoding="utf-8")
    command = [sys.executable, "-c", begun + "import other_module"]
    subprocess.run(command, **options)  # type: ignore[call-overload] # as above
    assert not list((tmp_path / "__pycache__").glob("other_module*"))


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
