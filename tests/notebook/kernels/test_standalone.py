"""Forked kernels without mlkit's driver: for jupyter_client, nbclient and Papermill as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

pytestmark = pytest.mark.kernel

CELL = (  # what was imported before the fork is frozen, and none of the collector's
    "import gc, os, pandas\n"
    "is_ahead = not any(each is vars(pandas) for each in gc.get_objects())\n"
    "print(is_ahead, os.environ['JPY_PARENT_PID'] == str(os.getppid()), os.getppid())"
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


IN_WORKERS = """
import sys, nbformat, nbclient
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
notebook = nbformat.read(sys.argv[1], as_version=4)
def execute(_=None):
    done = nbclient.NotebookClient(nbformat.from_dict(notebook), kernel_name=sys.argv[2])
    return done.execute().cells[0].outputs[0].text.split()[1]
print(execute(), flush=True)
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('fork')) as pool:
    print(*pool.map(execute, range(4)), flush=True)
print(execute(), flush=True)
"""
TALKING = """
import os, subprocess as s, sys, jupyter_client
CELL = "import os, sys; print(os.environ['JPY_PARENT_PID'] == str(os.getppid()));" \\
       "sys.__stderr__.write('err'); sys.__stderr__.flush()"
def talk(**streams):
    manager = jupyter_client.KernelManager(kernel_name=sys.argv[2])
    manager.start_kernel(**streams)
    client = manager.client(); client.start_channels(); client.wait_for_ready(timeout=60)
    said = []
    hook = lambda message: said.append(message['content'].get('text', ''))
    client.execute_interactive(CELL, output_hook=hook)
    client.stop_channels()
    process = manager.provisioner.process
    print(process.pid > 0, process.poll(), 'False' in ''.join(said))
    for stream in (process.stdout, process.stderr):
        print(stream and stream.name > 2)
    source = process.stderr or process.stdout
    print(source and b'err' in os.read(source.fileno(), 9999))
    manager.shutdown_kernel(now=True)
    print(process.poll() is not None)
talk(stdout=s.PIPE, stderr=s.PIPE)
talk(stdout=s.PIPE, stderr=s.STDOUT)
talk(stdout=s.DEVNULL, stderr=s.DEVNULL)
"""


def drive(program: str, folder: Path, *, name: str, **env: str) -> list[str]:
    """Run a program that executes a notebook of one cell; return the lines that it prints."""
    path = folder / "notebook.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])  # type: ignore[no-untyped-call] # nbformat has no types here
    path.write_text(nbformat.writes(notebook))  # type: ignore[no-untyped-call] # see above
    kept = {key: text for key, text in os.environ.items() if not key.startswith("PYTEST")}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, str(path), name],
            env={**kept, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        # jupyter_client can miss ZeroMQ's only notice of an answer (see `ReadyClient`), with stock
        # kernels too: once in some hundreds on a busy machine. What we lose would be lost again.
        if "didn't respond in" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
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


OPTIONS = ["-O", "-W", "error::RuntimeWarning", "-X", "utf8"]


def test_options_of_the_interpreter_are_obeyed(tmp_path: Path) -> None:
    """A forked kernel has its zygote's; with others it is a stock one."""
    place = tmp_path / "jupyter" / "kernels" / "forked"
    place.mkdir(parents=True)
    other = {**SPECIFICATION, "argv": ["python", *OPTIONS, *SPECIFICATION["argv"][1:]]}  # type: ignore[index] # a list
    (place / "kernel.json").write_text(json.dumps(other))
    program = BY_NBCLIENT.replace("for _", CELL_OF_FLAGS + "for _").replace("range(2)", "range(1)")
    lines = drive(program, tmp_path, name="forked", JUPYTER_PATH=str(tmp_path / "jupyter"))
    assert lines == ["1 1 ['error::RuntimeWarning']"]


CELL_OF_FLAGS = (
    "notebook.cells[0].source = "
    "'import sys; print(sys.flags.optimize, sys.flags.utf8_mode, sys.warnoptions)'\n"
)


def test_workers_that_are_forked_from_the_program_have_kernels_of_their_own(tmp_path: Path) -> None:
    """Nothing of the parent's zygote is theirs, and the parent's goes on."""
    lines = drive(
        IN_WORKERS, tmp_path, name="python3", JUPYTER_DEFAULT_PROVISIONER_NAME="mlkit-fork"
    )
    assert lines == ["False", "False False False False", "False"]


def test_streams_have_the_meaning_that_subprocess_gives_them(tmp_path: Path) -> None:
    """The process has the face of one that was started by it."""
    lines = drive(TALKING, tmp_path, name="python3", JUPYTER_DEFAULT_PROVISIONER_NAME="mlkit-fork")
    assert lines == [
        *("True None True", "True", "True", "True", "True"),
        *("True None True", "True", "None", "True", "True"),
        *("True None True", "None", "None", "None", "True"),
    ]


INDEPENDENT = """
import subprocess, sys, jupyter_client
manager = jupyter_client.KernelManager(kernel_name=sys.argv[2])
nowhere = subprocess.DEVNULL
manager.start_kernel(independent=True, stdout=nowhere, stderr=nowhere)
print(manager.provisioner.process.pid, flush=True)
import os; os._exit(0)
"""


def test_an_independent_kernel_outlives_its_starter(tmp_path: Path) -> None:
    """As jupyter_client promises."""
    lines = drive(
        INDEPENDENT, tmp_path, name="python3", JUPYTER_DEFAULT_PROVISIONER_NAME="mlkit-fork"
    )
    kernel = psutil.Process(int(lines[0]))
    time.sleep(2)
    assert kernel.is_running()
    assert kernel.status() != psutil.STATUS_ZOMBIE
    kernel.kill()


def test_a_kernel_that_was_never_started_can_be_cleaned_up(tmp_path: Path) -> None:
    """Some programs do, when something else has failed."""
    program = (
        "import sys, jupyter_client\n"
        "manager = jupyter_client.KernelManager(kernel_name=sys.argv[2])\n"
        "manager.pre_start_kernel(); manager.cleanup_resources(); print('clean')"
    )
    lines = drive(program, tmp_path, name="python3", JUPYTER_DEFAULT_PROVISIONER_NAME="mlkit-fork")
    assert lines == ["clean"]


LOGGING = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], as_version=4)
notebook.cells[0].source = (
    "from traitlets.config import Application; import sys\\n"
    "app = Application.instance(); app.log.warning('a line')\\n"
    "print(type(app).__name__)")
nbclient.NotebookClient(notebook, kernel_name=sys.argv[2]).execute()
print(*[o.text for o in notebook.cells[0].outputs], flush=True)
"""


def test_the_lines_of_its_log_begin_as_those_of_a_stock_one(tmp_path: Path) -> None:
    """Programs filter by that."""
    lines = drive(LOGGING, tmp_path, name="python3", JUPYTER_DEFAULT_PROVISIONER_NAME="mlkit-fork")
    assert "IPKernelApp" in "".join(lines)
    assert "Forked" not in "".join(lines)


def test_starting_does_not_wait_for_the_zygote(tmp_path: Path) -> None:
    """The connection file is told at once, and a signal on the way ends everything."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("PYTEST")}
    env = {
        **kept,
        "JUPYTER_DEFAULT_PROVISIONER_NAME": "mlkit-fork",
        "MLKIT_PRELOAD": "mlflow,sklearn.ensemble,matplotlib.pyplot",
        "JUPYTER_RUNTIME_DIR": str(tmp_path),
    }
    program = "from jupyter_client.kernelapp import main; main()"
    process = subprocess.Popen([sys.executable, "-c", program], env=env, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if b"Connection file" in line:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        assert any("mlkit_zygote" in " ".join(child.cmdline()) for child in children)
        process.terminate()
        assert process.wait(timeout=30) is not None
    finally:
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


def test_the_example_of_the_documentation_works(tmp_path: Path) -> None:
    """As it stands there, in a folder with a notebook."""
    page = Path(__file__).parents[3] / "docs" / "kernels.md"
    example = page.read_text().partition("```python\n")[2].partition("```")[0]
    drive("", tmp_path, name="python3")
    (tmp_path / "notebook.ipynb").rename(tmp_path / "analysis.ipynb")
    program = f"import os; os.chdir({str(tmp_path)!r})\n{example}\nprint(notebook.cells[0].outputs)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "True False" in done.stdout, done.stderr
