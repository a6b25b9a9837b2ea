"""What a kernel tells of itself, also when odd things stand in `sys.modules`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

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
