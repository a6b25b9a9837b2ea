"""What may be imported ahead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlkit.notebook.kernels.mlkit_zygote.tried import NEVER, is_installed


@pytest.mark.parametrize("name", ["json", "os", "pandas", "sklearn.ensemble", "zmq"])
def test_the_standard_library_and_site_packages_are_installed(name: str) -> None:
    """Their code does not change between two kernels."""
    assert is_installed(name)


def test_a_project_module_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a module nor a package, with or without a file of its own."""
    (tmp_path / "house_rules.py").touch()
    (tmp_path / "house_package").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not is_installed("house_rules")
    assert not is_installed("house_package.inner")
    assert "house_rules" not in sys.modules


@pytest.mark.parametrize("name", sorted(NEVER))
def test_packages_that_register_with_the_running_kernel_are_never_preloaded(name: str) -> None:
    """Imported in the zygote, they would find no kernel to register with."""
    assert not is_installed(name)


def test_a_module_that_does_not_exist_is_tried_so_that_the_import_says_what_is_wrong() -> None:
    """It is not passed over in silence."""
    assert is_installed("no_such_module_anywhere")


def test_no_kernel_compiles_the_pattern_of_pythons_tokens_anew() -> None:
    """It takes 2 ms, and each cell's first step is to be cut into tokens."""
    program = (
        "import io, tokenize\n"
        "from mlkit.notebook.kernels.mlkit_zygote.preload import Imports\n"
        "imports = Imports([])\n"
        "while not imports.done:\n"
        "    imports.advance(None)\n"
        "before = tokenize._compile.cache_info().misses\n"
        "list(tokenize.generate_tokens(io.StringIO('x = 1').readline))\n"
        "print(tokenize._compile.cache_info().misses - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "0\n"
