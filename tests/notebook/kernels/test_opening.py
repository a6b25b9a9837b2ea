"""Forked where it can be, stock where not, and people are told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlkit.notebook.kernels import open_kernels


def test_elsewhere_than_on_linux_kernels_are_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so."""
    monkeypatch.setattr(sys, "platform", "darwin")
    said: list[str] = []
    with open_kernels("fork", say=said.append) as kernels:
        assert kernels.kind == "spawn"
    assert said == ["kernels are not forked on darwin; stock kernels are used"]


def test_spawn_is_obeyed_in_silence() -> None:
    """Who asks for stock kernels gets them."""
    said: list[str] = []
    with open_kernels("spawn", say=said.append) as kernels:
        kernels.prepare(3)
        assert kernels.kind == "spawn"
    assert said == []


def test_opening_imports_neither_jupyter_nor_papermill() -> None:
    """So the zygote's imports and the driver's go on at the same time."""
    program = (
        "import sys; from mlkit.notebook.kernels import open_kernels\n"
        "open_kernels('fork').close()\n"
        "print({'zmq', 'jupyter_client', 'papermill', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() in {"set()", "{'asyncio'}"}
