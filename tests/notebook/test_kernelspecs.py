"""The kernel that a notebook names is its own Python's, or the notebook is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mlkit.errors import NotebookError
from mlkit.load import load_pipeline
from mlkit.notebook.cells import parse_notebook
from mlkit.notebook.kernelspecs import check_kernel
from mlkit.testing import chain


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of kernels that Jupyter finds, and no other of the user's."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "jupyter" / "kernels"


def _install(kernels: Path, name: str, program: str, language: str = "python") -> None:
    (kernels / name).mkdir(parents=True)
    spec = {"argv": [program, "-m", "k", "-f", "{connection_file}"], "display_name": name}
    (kernels / name / "kernel.json").write_text(json.dumps({**spec, "language": language}))


def _asking_for(name: object) -> None:
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": name, "display_name": "x"}},
        "cells": [],
    }
    check_kernel(parse_notebook(json.dumps(document), Path("n.ipynb")))


@pytest.mark.parametrize("name", ["python3", "python", "Python3", "", None, 3])
def test_the_usual_names_ask_for_the_python_at_hand(installed: Path, name: object) -> None:
    """Also where a user has a kernel of that name: it is every Python's own."""
    _install(installed, "python3", "/usr/bin/other/python")
    _asking_for(name)


def test_this_environment_may_be_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its folder, with or without a dot, and as conda's launcher calls it."""
    monkeypatch.setattr(sys, "prefix", "/home/ann/proj/.venv")
    for name in (".venv", "venv", "Venv", "conda-env-.venv-py"):
        _asking_for(name)
    monkeypatch.setattr(sys, "prefix", "/opt/conda/envs/flights")
    for name in ("flights", "conda-env-flights-py"):
        _asking_for(name)
    with pytest.raises(NotebookError, match="'venv', which is not installed here"):
        _asking_for("venv")


@pytest.mark.parametrize(
    "program", [f"{sys.prefix}/bin/python3.11", sys.executable, "python", "python3.11"]
)
def test_a_kernel_of_this_python_is_taken(installed: Path, program: str) -> None:
    """Whatever its name: `ipykernel install --name flights` gives a team's notebooks theirs."""
    _install(installed, "flights", program)
    _asking_for("flights")


def test_another_environments_kernel_is_refused(installed: Path) -> None:
    """Also one whose interpreter leads to the same file: its packages are others."""
    other = installed.parent / "other" / "bin" / "python"
    other.parent.mkdir(parents=True)
    other.symlink_to(Path(sys.executable).resolve())
    _install(installed, "research", str(other))
    with pytest.raises(NotebookError) as caught:
        _asking_for("research")
    assert caught.value.message == (
        f"the notebook names the kernel 'research', which is another Python ({other}) than the "
        f"one that would run it ({sys.executable})"
    )
    assert "Choose 'Python 3 (ipykernel)'" in str(caught.value.remedy)


def test_another_languages_kernel_is_refused(installed: Path) -> None:
    """Though nothing in the notebook but its name says so."""
    _install(installed, "ir", "R", "R")
    with pytest.raises(NotebookError, match="'ir', which speaks R, not Python"):
        _asking_for("ir")


def test_a_kernel_that_is_not_installed_is_refused(installed: Path) -> None:
    """The remedy gives this Python the name, and works as it is printed."""
    with pytest.raises(NotebookError) as caught:
        _asking_for("myenv")
    assert caught.value.message == (
        "the notebook names the kernel 'myenv', which is not installed here"
    )
    command = f"{sys.executable} -m ipykernel install --sys-prefix --name myenv"
    assert str(caught.value.remedy).endswith(command)


def test_a_pipeline_is_refused_when_it_is_loaded(tmp_path: Path, installed: Path) -> None:
    """Before anything runs."""
    file = chain(tmp_path / "p", 1)
    notebook = next(file.parent.glob("*.ipynb"))
    document = json.loads(notebook.read_text())
    document["metadata"]["kernelspec"]["name"] = "myenv"
    notebook.write_text(json.dumps(document))
    with pytest.raises(NotebookError, match="the kernel 'myenv', which is not installed here"):
        load_pipeline(file)
