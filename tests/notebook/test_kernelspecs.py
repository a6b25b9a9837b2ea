"""Which kernel runs a notebook: the one that is named, if there is one of that name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mlkit.core.pipeline import Kernel
from mlkit.errors import NotebookError, PipelineError
from mlkit.load import load_pipeline
from mlkit.notebook.cells import parse_notebook
from mlkit.notebook.kernelspecs import find_kernel, kernel_of_notebook
from mlkit.testing import chain, write_notebook


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


def _asking_for(name: object, **further: object) -> Kernel | None:
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": name, "display_name": "x"}, **further},
        "cells": [],
    }
    return kernel_of_notebook(parse_notebook(json.dumps(document), Path("n.ipynb")))


@pytest.mark.parametrize("name", ["python3", "python", "Python3", "", None, 3])
def test_the_usual_names_ask_for_the_python_at_hand(installed: Path, name: object) -> None:
    """Also where a user has a kernel of that name: it is every Python's own."""
    _install(installed, "python3", "/usr/bin/other/python")
    assert _asking_for(name) is None


def test_this_environment_may_be_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its folder, with or without a dot, and as conda's launcher calls it."""
    monkeypatch.setattr(sys, "prefix", "/home/ann/proj/.venv")
    for name in (".venv", "venv", "Venv", "conda-env-.venv-py"):
        assert _asking_for(name) is None
    monkeypatch.setattr(sys, "prefix", "/opt/conda/envs/flights")
    for name in ("flights", "conda-env-flights-py"):
        assert _asking_for(name) is None
    with pytest.raises(NotebookError, match="'venv', which is not installed here"):
        _asking_for("venv")


@pytest.mark.parametrize(
    "program", [f"{sys.prefix}/bin/python3.11", sys.executable, "python", "python3.11"]
)
def test_a_kernel_of_this_python_is_taken(installed: Path, program: str) -> None:
    """Whatever its name: `ipykernel install --name flights` gives a team's notebooks theirs."""
    _install(installed, "flights", program)
    assert _asking_for("flights") is None
    assert find_kernel("flights") is None


def test_another_environments_kernel_is_another_python(installed: Path) -> None:
    """Also one whose interpreter leads to the same file: its packages are others."""
    other = installed.parent / "other" / "bin" / "python"
    other.parent.mkdir(parents=True)
    other.symlink_to(Path(sys.executable).resolve())
    _install(installed, "research", str(other))
    assert _asking_for("research") == Kernel(name="research", program=str(other))
    assert _asking_for("Research") == Kernel(name="Research", program=str(other))


def test_another_languages_kernel_speaks_that_language(installed: Path) -> None:
    """Though nothing in the notebook but its name says so."""
    _install(installed, "ir", "R", "R")
    assert _asking_for("ir") == find_kernel("ir") == Kernel(name="ir", language="R")


def test_a_notebook_in_another_language_has_to_name_a_kernel(installed: Path) -> None:
    """Mlkit's own Python would run it otherwise."""
    with pytest.raises(NotebookError) as caught:
        _asking_for("python3", language_info={"name": "julia"})
    assert caught.value.message == (
        "the notebook is written in julia, not in Python, and names no kernel for it"
    )
    assert "pipeline.yaml by 'kernel:'" in str(caught.value.remedy)


def test_a_kernel_that_is_not_installed_is_refused(installed: Path) -> None:
    """The remedy gives this Python the name, and works as it is printed."""
    with pytest.raises(NotebookError) as caught:
        _asking_for("myenv")
    assert caught.value.message == (
        "the notebook names the kernel 'myenv', which is not installed here"
    )
    assert str(caught.value.remedy).startswith("Installed are: ")
    command = f"{sys.executable} -m ipykernel install --sys-prefix --name myenv"
    assert str(caught.value.remedy).endswith(command)


def test_a_pipeline_is_refused_when_it_is_loaded(tmp_path: Path, installed: Path) -> None:
    """Before anything runs; the error says which kernels there are."""
    _install(installed, "shell", "bash", "bash")
    file = chain(tmp_path / "p", 1)
    notebook = next(file.parent.glob("*.ipynb"))
    document = json.loads(notebook.read_text())
    document["metadata"]["kernelspec"]["name"] = "myenv"
    notebook.write_text(json.dumps(document))
    with pytest.raises(NotebookError, match="the kernel 'myenv', which is not installed here"):
        load_pipeline(file)
    text = file.read_text()
    line = text[: text.index("notebook:")].count("\n") + 1
    file.write_text(text.replace("notebook:", "kernel: shel\n    notebook:", 1))
    with pytest.raises(PipelineError, match="there is no kernel 'shel'") as caught:
        load_pipeline(file)
    assert caught.value.line == line
    assert str(caught.value.remedy).startswith("Installed are: ")
    assert "shell" in str(caught.value.remedy)


def test_the_stages_key_comes_before_what_the_notebook_names(
    tmp_path: Path, installed: Path
) -> None:
    """Also where it asks for mlkit's own Python, or the notebook's kernel does not exist."""
    _install(installed, "shell", "bash", "bash")
    write_notebook(tmp_path / "n.ipynb", "echo", parameters="n=1")
    file = tmp_path / "pipeline.yaml"
    file.write_text("name: p\nstages:\n  n: {notebook: n.ipynb, kernel: shell}\n")
    stage = load_pipeline(file).stages["n"]
    assert stage.kernel == Kernel(name="shell", language="bash")
    assert stage.declared["n"].default == 1
    path = write_notebook(tmp_path / "n.ipynb", "1")
    path.write_text(path.read_text().replace('"python3"', '"nowhere"'))
    file.write_text("name: p\nstages:\n  n: {notebook: n.ipynb, kernel: python3}\n")
    assert load_pipeline(file).stages["n"].kernel is None
