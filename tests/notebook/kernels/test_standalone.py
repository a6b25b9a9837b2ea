"""Forked kernels without mlkit's driver: for jupyter_client, nbclient and Papermill as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

pytestmark = pytest.mark.kernel

CELL = (
    "import os, sys; print('pandas' in sys.modules, 'JPY_PARENT_PID' in os.environ, os.getppid())"
)
SPECIFICATION = {
    "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Forked",
    "language": "python",
    "metadata": {
        "kernel_provisioner": {"provisioner_name": "mlkit-fork", "config": {"preload": ["pandas"]}}
    },
}
BY_NBCLIENT = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], as_version=4)
for _ in range(2):
    nbclient.NotebookClient(notebook, kernel_name=sys.argv[2]).execute()
    print(notebook.cells[0].outputs[0].text.strip(), flush=True)
"""
BY_PAPERMILL = """
import sys, papermill
for _ in range(2):
    options = {'kernel_name': sys.argv[2], 'progress_bar': False}
    done = papermill.execute_notebook(sys.argv[1], None, **options)
    print(done.cells[0].outputs[0].text.strip(), flush=True)
"""
RESTARTING = """
import jupyter_client, sys
manager = jupyter_client.KernelManager(kernel_name=sys.argv[2])
manager.start_kernel()
for number in range(2):
    client = manager.client(); client.start_channels(); client.wait_for_ready(timeout=60)
    client.execute_interactive("print('fresh' if 'seen' not in globals() else 'stale'); seen = 1")
    client.stop_channels()
    if not number:
        manager.restart_kernel()
manager.shutdown_kernel()
"""


def drive(program: str, folder: Path, *, name: str, **env: str) -> list[str]:
    """Run a program that executes a notebook of one cell; return the lines that it prints."""
    path = folder / "notebook.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])  # type: ignore[no-untyped-call] # nbformat has no types here
    path.write_text(nbformat.writes(notebook))  # type: ignore[no-untyped-call] # see above
    kept = {key: text for key, text in os.environ.items() if not key.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(path), name],
        env={**kept, **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("program", [BY_NBCLIENT, BY_PAPERMILL], ids=["nbclient", "papermill"])
def test_an_environment_variable_turns_it_on(program: str, tmp_path: Path) -> None:
    """No code and no kernel name changes; both kernels come from one zygote, which goes too."""
    lines = drive(
        program,
        tmp_path,
        name="python3",
        JUPYTER_DEFAULT_PROVISIONER_NAME="mlkit-fork",
        MLKIT_PRELOAD="pandas, json",
    )
    (one, other) = (line.split() for line in lines)
    assert one == other
    assert one[:2] == ["True", "False"]
    assert not psutil.pid_exists(int(one[2]))


def test_a_kernel_specification_turns_it_on(tmp_path: Path) -> None:
    """The configuration names what to import ahead."""
    place = tmp_path / "jupyter" / "kernels" / "forked"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(SPECIFICATION))
    lines = drive(BY_NBCLIENT, tmp_path, name="forked", JUPYTER_PATH=str(tmp_path / "jupyter"))
    assert [line.split()[:2] for line in lines] == [["True", "False"]] * 2


def test_a_restart_gives_a_fresh_kernel(tmp_path: Path) -> None:
    """As JupyterLab's button does."""
    lines = drive(
        RESTARTING, tmp_path, name="python3", JUPYTER_DEFAULT_PROVISIONER_NAME="mlkit-fork"
    )
    assert lines == ["fresh", "fresh"]


def test_a_kernel_of_another_command_is_started_as_ever(tmp_path: Path) -> None:
    """Only IPython kernels of this interpreter can be forked."""
    place = tmp_path / "jupyter" / "kernels" / "forked"
    place.mkdir(parents=True)
    wrapper = tmp_path / "wrapper.sh"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -m ipykernel_launcher "$@"\n')
    wrapper.chmod(0o755)
    other = {**SPECIFICATION, "argv": [str(wrapper), "-f", "{connection_file}"]}
    (place / "kernel.json").write_text(json.dumps(other))
    lines = drive(BY_NBCLIENT, tmp_path, name="forked", JUPYTER_PATH=str(tmp_path / "jupyter"))
    assert [line.split()[:2] for line in lines] == [["False", "True"]] * 2


def test_the_example_of_the_documentation_works(tmp_path: Path) -> None:
    """As it stands there, in a folder with a notebook."""
    page = Path(__file__).parents[3] / "docs" / "kernels.md"
    example = page.read_text().partition("```python\n")[2].partition("```")[0]
    drive("", tmp_path, name="python3")
    (tmp_path / "notebook.ipynb").rename(tmp_path / "analysis.ipynb")
    program = f"import os; os.chdir({str(tmp_path)!r})\n{example}\nprint(notebook.cells[0].outputs)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "True False" in done.stdout, done.stderr
