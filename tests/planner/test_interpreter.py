"""What an interpreter says of itself, mlkit's own and another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy

from mlkit.planner.interpreter import interpreter


def test_mlkits_own_is_known_without_asking() -> None:
    """What is installed, and what is not."""
    own = interpreter()
    assert own is interpreter()
    assert own.version == ".".join(map(str, sys.version_info[:3]))
    for place in (
        str(Path(os.__file__).parent),
        str(Path(numpy.__file__).parent),
        "/x/python{}{}.zip".format(*sys.version_info),
    ):
        assert own.is_installed(place)
    assert not own.is_installed(str(Path(__file__).parent))
    assert "sys" in own.builtin
    assert {"sys", "json"} <= own.stdlib


def test_another_environment_is_asked_by_its_program(tmp_path: Path) -> None:
    """Its packages stand elsewhere, ours are none of its own; PYTHONPATH is looked at apart."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "e")], check=True)
    other = interpreter(str(tmp_path / "e" / "bin" / "python"))
    (site,) = (tmp_path / "e").glob("lib/python*/site-packages")
    assert other.version == interpreter().version
    assert other.is_installed(str(site))
    assert not other.is_installed(str(Path(numpy.__file__).parent))
    assert str(site) in other.own_path()
    linked = tmp_path / "linked"
    linked.mkdir()
    (site / "more.pth").write_text(f"{linked}\nimport os\n")
    assert str(linked) in other.own_path()


def test_what_is_no_python_says_nothing(tmp_path: Path) -> None:
    """Nor does one that is gone."""
    for program in (tmp_path / "a" / "gone", Path("/bin/true")):
        assert interpreter(str(program)).version == ""
