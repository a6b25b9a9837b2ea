"""No command runs a file of the folder that it is called in, or called on, outside a sandbox.

The folder holds a trap for every module that Python or this installation could look for, and every
configuration file that a part of the kit has ever read. A trap writes down who ran it. Commands
that are there to run a pipeline's notebooks (`run`, `resume`, `sweep`, `backfill`, `serve`) run
them, with the notebook's folder on `sys.path`; they are left out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from mlkit.cli.main import COMMANDS
from mlkit.engines.registry import ENGINES
from mlkit.grading.exercise.source import Exercise, exercise_notebook

MLKIT = Path(sys.executable).with_name("mlkit")
NAME = "05-retries"
RUNNING = {"convert", "edit", "run", "resume", "sweep", "backfill", "serve"}

TRAP = """
import os as _os, sys as _sys
with open({heard!r}, "a") as _file:
    _file.write(__file__ + " ran in " + repr(_sys.argv[:1]) + chr(10))
"""
PROGRAM = '#!/bin/sh\necho "$0 was started" >> {heard}\n'
PIPELINE = """
name: theirs
stages:
  first:
    notebook: first.ipynb
    outputs: {made: made.json}
"""
STAGE = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        {
            "cell_type": "code",
            "id": "parameters",
            "metadata": {"tags": ["parameters"]},
            "source": 'made: str = "scratch/made.json"',
            "outputs": [],
            "execution_count": None,
        },
        {
            "cell_type": "code",
            "id": "body",
            "metadata": {},
            "source": 'open(made, "w").write("{}")',
            "outputs": [],
            "execution_count": None,
        },
    ],
}
CONFIGURATION = {
    "pytest.ini": "[pytest]\naddopts = -p trap_of_pytest\npython_files = *.py\n",
    "setup.cfg": "[tool:pytest]\naddopts = -p trap_of_pytest\n",
    "tox.ini": "[pytest]\naddopts = -p trap_of_pytest\n",
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p trap_of_pytest"\n'
    '[tool.prefect]\nlogging.config_path = "trap.yml"\n',
    ".env": "PYTHONPATH=.\nPYTHONSTARTUP=trap_of_pytest.py\n",
    ".pdbrc": "import trap_of_pytest\n",
    "matplotlibrc": "backend: module://trap_of_matplotlib\n",
    "docutils.conf": "[general]\nreport_level: 5\n",
    "lab/conf.json": '{"base_template": "base", "preprocessors": {"1": {"type": "trap_of_nb.P"}}}',
    "lab/index.html.j2": "{{ cycler.__init__.__globals__.os.system('touch trapped') }}",
}
SETTINGS = (
    *("jupyter_config", "jupyter_server_config", "jupyter_lab_config", "jupyter_notebook_config"),
    *("jupyter_nbconvert_config", "ipython_config", "ipython_kernel_config", "conf", "conftest"),
    *("sitecustomize", "usercustomize", "trap_of_pytest", "trap_of_matplotlib", "trap_of_nb"),
)


def _module_names() -> list[str]:
    """Every name at the top that an `import` of the kit could ask for."""
    installed = {name for name in packages_distributions() if name.isidentifier()}
    return sorted(sys.stdlib_module_names | installed | {"mlkit", *SETTINGS})


def _lay_traps(folder: Path, heard: Path) -> None:
    for name in _module_names():
        (folder / f"{name}.py").write_text(TRAP.format(heard=str(heard)), encoding="utf-8")
    package = folder / "mlkit" / "grading"
    package.mkdir(parents=True)
    for place in (folder / "mlkit" / "__init__.py", package / "__init__.py", package / "worker.py"):
        place.write_text(TRAP.format(heard=str(heard)), encoding="utf-8")
    for name, text in CONFIGURATION.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for engine in ENGINES:
        program = folder / f".venv-{engine}" / "bin" / "python"
        program.parent.mkdir(parents=True)
        program.write_text(PROGRAM.format(heard=heard), encoding="utf-8")
        program.chmod(0o755)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody else's folder: a pipeline that was run, an exercise, solutions, and the traps."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    (folder / "first.ipynb").write_text(json.dumps(STAGE), encoding="utf-8")
    done = subprocess.run([MLKIT, "run"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _lay_traps(folder, folder.with_name("heard"))
    return folder


@pytest.fixture(scope="module")
def submission(theirs: Path, exercises: Mapping[str, Exercise]) -> Path:
    """A right answer, and a solution by which everything would be wrong."""
    exercise = exercises[NAME]
    notebook = exercise_notebook(exercise)
    for cell in notebook["cells"]:
        cell["source"] = exercise.solution.get(cell["id"], cell["source"])
    path = theirs / "exercises" / f"{NAME}.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(notebook), encoding="utf-8")
    forged = json.loads(json.dumps(exercise.notebook))
    for cell in forged["cells"]:
        cell["metadata"].get("mlkit", {}).pop("points", None)
    (theirs / "solutions").mkdir()
    (theirs / "solutions" / f"{NAME}.ipynb").write_text(json.dumps(forged), encoding="utf-8")
    return path


def _call(folder: Path, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Call the command from inside the folder; no trap may have fired."""
    heard = folder.with_name("heard")
    done = subprocess.run(
        [MLKIT, *words],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    fired = heard.read_text(encoding="utf-8") if heard.exists() else ""
    heard.unlink(missing_ok=True)
    assert fired == ""
    assert not list(folder.rglob("trapped"))
    assert "inside mlkit" not in done.stderr
    return done


def test_the_traps_are_set(theirs: Path) -> None:
    """Python itself falls into them where nobody minds the folder that it is started in."""
    heard = theirs.with_name("heard")
    line = [sys.executable, "-m", "pytest", "--version"]
    subprocess.run(line, cwd=theirs, capture_output=True, check=False)
    assert "ran in" in heard.read_text(encoding="utf-8")
    heard.unlink()


CALLS: Mapping[str, tuple[str, ...]] = {
    "init": ("init", "out-first"),
    "add": ("add", "second"),
    "plan": ("plan",),
    "runs": ("runs",),
    "show": ("show", "latest"),
    "label": ("label", "latest", "mine"),
    "unlabel": ("unlabel", "mine"),
    "promote": ("promote", "latest"),
    "compare": ("compare", "latest", "latest"),
    "graph": ("graph",),
    "report": ("report", "latest"),
    "debug": ("debug", "latest", "first", "--json"),
    "kernels": ("kernels", "--json"),
    "export": ("export", "airflow", "--to", "out-airflow"),
    "notify": ("notify", "latest", "first"),
    "clean": ("clean",),
    "render": ("render", ".", "--to", "site"),
    "learn": ("learn", "out-kit"),
    "check": ("check", "01-dags"),
    "exercise": ("exercise", "check"),
    "doctor": ("doctor",),
    "explain": ("explain", "E201"),
    "schema": ("schema",),
    "completion": ("completion", "bash"),
    "class": ("class", "collect", "."),
}


@pytest.mark.kernel
@pytest.mark.parametrize("command", sorted(CALLS))
def test_a_command_runs_nothing_of_the_folder(command: str, theirs: Path) -> None:
    """From inside it and on it; what it answers is another matter."""
    _call(theirs, *CALLS[command])


@pytest.mark.parametrize("words", ["show ", "run --only ", "run -p ", "check ", "exercise check "])
def test_tab_runs_nothing_of_the_folder(words: str, theirs: Path) -> None:
    """It reads the pipeline that stands there."""
    asked = {"COMP_WORDS": f"mlkit {words}", "COMP_CWORD": str(len(words.split()) + 1)}
    assert _call(theirs, _MLKIT_COMPLETE="complete_bash", **asked).returncode == 0


@pytest.mark.kernel
@pytest.mark.parametrize("engine", ["airflow", "dagster", "kubeflow", "prefect", "stepfunctions"])
def test_no_python_of_the_folder_is_started_for_an_engine(engine: str, theirs: Path) -> None:
    """A folder's own `.venv-…` is anybody's program."""
    _call(theirs, "export", engine, "--to", f"out-{engine}")


def test_every_command_is_called_here() -> None:
    """A new command is tried on the traps, or runs notebooks by its very purpose."""
    assert set(CALLS) | RUNNING | {"grade", "exercises"} == set(COMMANDS)


@pytest.mark.kernel
@pytest.mark.sandbox
@pytest.mark.parametrize("path", [".", "exercises", f"exercises/{NAME}.ipynb"])
@pytest.mark.parametrize("environ", [{}, {"PYTEST_ADDOPTS": "-p trap_of_pytest"}])
def test_a_submission_is_graded_from_inside_its_folder(
    path: str,
    environ: Mapping[str, str],
    theirs: Path,
    submission: Path,
    exercises: Mapping[str, Exercise],
) -> None:
    """By the kit's own solutions, which the command names."""
    shutil.rmtree(theirs / "grades", ignore_errors=True)
    done = _call(theirs, "grade", path, "--json", **environ)
    document = json.loads(done.stdout)
    mine = [s for s in document["submissions"] if s["path"] == str(submission)]
    assert [s["score"] for s in mine] == [exercises[NAME].max_points]
    own = Path(__file__).resolve().parents[2] / "solutions"
    assert document["solutions"] == str(own)
    assert f"Graded by the solutions in {own}." in done.stderr
    assert f"{theirs / 'solutions'} was not used" in done.stderr


@pytest.mark.kernel
@pytest.mark.usefixtures("submission")
def test_progress_is_told_from_inside_the_folder(theirs: Path) -> None:
    """Of the folder that was named, by the kit's own solutions."""
    done = _call(theirs, "exercises", "--folder", "exercises", "--json")
    rows = {row["name"]: row["status"] for row in json.loads(done.stdout)["exercises"]}
    assert rows[NAME] == "solved"


@pytest.mark.kernel
def test_a_relative_pythonpath_names_no_code_of_the_kit(theirs: Path, tmp_path: Path) -> None:
    """`PYTHONPATH=:lib` is common; its empty entry is the folder that one works in.

    What Python itself imports before any program can have a say is beyond us: the traps here are
    for the packages that the kit asks for later.
    """
    heard = tmp_path / "heard"
    here = tmp_path / "here"
    here.mkdir()
    for name in packages_distributions():
        if name.isidentifier() and name not in {"mlkit", "sitecustomize", "_distutils_hack"}:
            (here / f"{name}.py").write_text(TRAP.format(heard=str(heard)), encoding="utf-8")
    shutil.copyfile(theirs / "pipeline.yaml", here / "pipeline.yaml")
    shutil.copyfile(theirs / "first.ipynb", here / "first.ipynb")
    for words in (["plan"], ["doctor"], ["grade", "first.ipynb", "--trust"]):
        _call(here, *words, PYTHONPATH=os.pathsep)
    assert not heard.exists()
