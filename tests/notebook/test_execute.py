"""Notebooks executed on real kernels, forked and stock."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import nbformat
import pytest

from mlkit.core.states import Status
from mlkit.notebook.execute import PapermillRunner
from mlkit.notebook.injection import Assignment
from mlkit.notebook.kernels import KernelKind, Kernels
from mlkit.notebook.notebook_runner import Cancellation, ExecutionRequest, ExecutionResult

pytestmark = pytest.mark.kernel

HIDDEN = "hunter22'\"ü"
NO_CELL_LEFT = "import time\ntime.sleep(60)"


class Outcome(Protocol):
    """What `Bench.run` gives."""

    result: ExecutionResult
    folder: Path
    log: str
    notebook: dict[str, Any]
    states: list[str | None]
    cells_told: list[tuple[int, int]]
    seconds: float


class Bench(Protocol):
    """What the fixtures `bench` and `forked` give."""

    folder: Path
    cancellation: Cancellation

    def run(self, *cells: str | dict[str, Any], **request: Any) -> Outcome:
        """Execute cells."""
        ...

    def cancel_after(self, seconds: float) -> None:
        """Ask for the end."""
        ...


def outputs(outcome: Outcome, index: int) -> list[dict[str, Any]]:
    """The outputs of the code cell with that index."""
    code = [cell for cell in outcome.notebook["cells"] if cell["cell_type"] == "code"]
    found: list[dict[str, Any]] = code[index]["outputs"]
    return found


def error_of(outcome: Outcome) -> tuple[str, str, int | None]:
    """Type, message and cell of the error."""
    error = outcome.result.error
    assert outcome.result.status is Status.FAILED
    assert error is not None
    return error.type, error.message, error.cell


def test_success(bench: Bench) -> None:
    """Values injected, folder and working directory as promised, facts learned, files written."""
    (bench.folder / "own_module.py").write_text("import wave\n")
    outcome = bench.run(
        {"source": ["a = 1\n", "b = 2"], "metadata": {"tags": ["parameters"]}},
        {"cell_type": "markdown", "source": "# Prose"},
        "import os, sys, own_module\nprint(a, b, os.getcwd(), sys.path[0])",
        "",
        "a + b",
        assignments=(Assignment(name="a", value=40),),
        title="Injected here",
        metadata={"run_id": "r"},
    )
    result = outcome.result
    assert (result.status, result.error) == (Status.SUCCEEDED, None)
    assert outcome.log == f"40 2 {bench.folder / 'cwd'} {bench.folder}\n"
    assert outcome.cells_told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert outcome.states == [*["completed"] * 3, None, "completed"]
    assert result.modules == {"own_module": str(bench.folder / "own_module.py")}
    read = [record[1] for record in result.records if record[0] == "read"]
    assert read == [str(bench.folder / "own_module.py")]
    assert {"own_module", "wave"} <= set(result.imported)
    assert result.cpu_s is not None
    assert result.peak_memory_bytes is not None
    assert outputs(outcome, 4)[0]["data"] == {"text/plain": "42"}
    notebook = outcome.notebook
    assert notebook["metadata"]["mlkit"] == {"run_id": "r"}
    assert notebook["cells"][1]["source"] == "# Injected here\na = 40"
    left = {path.name for path in bench.folder.iterdir()} - {"__pycache__"}
    assert left == {"cwd", "log.txt", "notebook.ipynb", "own_module.py"}
    nbformat.validate(nbformat.from_dict(notebook))  # type: ignore[no-untyped-call] # untyped


def test_an_error_is_recorded_with_its_bases(bench: Bench) -> None:
    """Cells after it did not run and do not look as if they had."""
    outcome = bench.run(
        "class MyError(ConnectionError):\n    pass",
        "print('before')\nraise MyError('no \\x1b[31mway')",
        "print('never')",
    )
    assert error_of(outcome) == ("MyError", "no way", 1)
    error = outcome.result.error
    assert error is not None
    assert [name.rsplit(".", 1)[-1] for name in error.bases] == [
        *("MyError", "ConnectionError", "OSError", "Exception", "BaseException")
    ]
    assert "MyError" in error.traceback
    assert "\x1b" not in error.traceback + outcome.log
    assert outcome.log.startswith("before\n")
    assert "MyError: no way" in outcome.log
    assert outcome.states == ["completed", "failed", None]
    assert outputs(outcome, 2) == []
    assert outcome.notebook["cells"][2]["execution_count"] is None


@pytest.mark.parametrize(
    ("cell", "kind", "message"),
    [
        ("raise SystemExit", "SystemExit", ""),
        ("import sys\nsys.exit(0)", "SystemExit", "0"),
        ("import sys\nsys.exit('so long')", "SystemExit", "so long"),
        ("exit()", "SystemExit", "the notebook ended its own kernel"),
        ("quit", "SystemExit", "the notebook ended its own kernel"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("x = = 1", "SyntaxError", "invalid syntax"),
        ("await nothing()", "NameError", "name 'nothing' is not defined"),
        (
            "input('name? ')",
            *("StdinNotImplementedError", "raw_input was called, but this frontend does not"),
        ),
        ("raise Exception", "Exception", ""),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
    ],
)
def test_ways_to_fail(forked: Bench, cell: str, kind: str, message: str) -> None:
    """`SystemExit` is a failure whatever its code; nobody waits for an answer."""
    outcome = forked.run(cell, "print('never')")
    found, text, place = error_of(outcome)
    assert (found, place) == (kind, 0)
    assert text.startswith(message)
    assert outcome.states == ["failed", None]
    assert "never" not in outcome.log
    assert outcome.seconds < 20


def test_exit_is_a_failure_on_stock_kernels_too(bench: Bench) -> None:
    """The kernel ends itself while the cell's reply is under way."""
    assert error_of(bench.run("exit()", "print('never')"))[0] == "SystemExit"


def test_skip(bench: Bench) -> None:
    """The reason is told; it is no error, in the log neither."""
    outcome = bench.run("import mlkit\nmlkit.skip('nothing new')", "print('never')")
    assert (outcome.result.status, outcome.result.reason) == (Status.SKIPPED, "nothing new")
    assert outcome.result.error is None
    assert outcome.log.strip() == "Stage skipped: nothing new"
    assert outcome.states == ["skipped", None]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "import os\nos._exit(3)",
            "the kernel died in cell 2: its process ended with exit status 3",
        ),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
            *("the kernel died in cell 2: SIGSEGV (a segmentation fault in a compiled library)",),
        ),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            *(
                "the kernel died in cell 2: SIGKILL "
                "(killed from outside, often because memory ran out)",
            ),
        ),
    ],
)
def test_a_dead_kernel_is_noticed_at_once(bench: Bench, cell: str, message: str) -> None:
    """And named; what was printed before is kept."""
    outcome = bench.run("print('alive')", cell, "print('never')")
    assert error_of(outcome) == ("DeadKernel", message, 1)
    assert outcome.log.startswith("alive\n")
    assert outcome.states == ["completed", "failed", None]
    assert outcome.seconds < 10


def test_a_deadline_interrupts(bench: Bench) -> None:
    """The cell that ran has failed, what follows never ran."""
    outcome = bench.run("print('first')", NO_CELL_LEFT, "print('never')", timeout_s=6)
    kind, message, cell = error_of(outcome)
    assert (kind, message) == ("StageTimeout", "the deadline of 6.0 s passed, in cell 2")
    assert cell == 1
    error = outcome.result.error
    assert error is not None
    assert "builtins.TimeoutError" in error.bases
    assert outcome.states == ["completed", "failed", None]
    assert "first" in outcome.log
    assert outcome.seconds < 20


def test_a_deadline_kills_what_swallows_interrupts(forked: Bench) -> None:
    """The kernel is gone soon after."""
    cell = (
        "import time\nwhile True:\n    try:\n        time.sleep(60)\n"
        "    except BaseException:\n        print('no', flush=True)"
    )
    outcome = forked.run(cell, "print('never')", timeout_s=1)
    assert error_of(outcome)[0] == "StageTimeout"
    assert outcome.states == ["failed", None]
    assert outcome.seconds < 12


def test_a_cell_that_does_not_stop_at_its_interrupt_is_the_last(forked: Bench) -> None:
    """A cell that catches the interrupt and ends well does not let the next one start."""
    cell = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('caught')"
    outcome = forked.run(cell, "print('never')", timeout_s=1)
    assert error_of(outcome)[0] == "StageTimeout"
    assert "never" not in outcome.log
    assert outcome.states[1] is None


def test_cancellation(bench: Bench) -> None:
    """From another thread; no error is recorded."""
    bench.cancel_after(1.5)
    outcome = bench.run("print('first')", NO_CELL_LEFT, "print('never')")
    assert (outcome.result.status, outcome.result.error) == (Status.CANCELLED, None)
    assert outcome.states[-1] is None
    assert outcome.seconds < 10


def test_a_cancelled_execution_does_not_start(forked: Bench) -> None:
    """If it was asked for before."""
    forked.cancellation.request()
    outcome = forked.run("print('never')")
    assert outcome.result.status is Status.CANCELLED
    assert (outcome.log, outcome.cells_told, outcome.states) == ("", [], [None])


def test_a_cell_that_is_allowed_to_raise_is_passed_over(forked: Bench) -> None:
    """The tag `raises-exception`: the stage goes on and succeeds."""
    outcome = forked.run(
        {"source": "raise ValueError('shown')", "metadata": {"tags": ["raises-exception"]}},
        "print('after')",
    )
    assert outcome.result.status is Status.SUCCEEDED
    assert "ValueError: shown" in outcome.log
    assert outcome.log.endswith("after\n")


def test_what_is_printed_reaches_the_log(bench: Bench) -> None:
    """Progress bars as their last state; from C and from subprocesses, too."""
    outcome = bench.run(
        "import sys\nfor n in range(50):\n    print(f'\\r{n}%', end='', flush=True)\nprint()",
        "print('to stderr', file=sys.stderr)",
        "import os, subprocess\nos.write(1, b'from C\\n')\nos.write(2, b'also from C\\n')\n"
        "subprocess.run(['echo', 'from below'])\nimport time\ntime.sleep(0.3)",
    )
    lines = outcome.log.splitlines()
    assert lines[:2] == ["49%", "to stderr"]
    assert {"from C", "also from C", "from below"} <= set(lines)
    assert "Debugger" not in outcome.log
    assert outcome.result.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("cell", "name", "why"),
    [
        (
            "sys.stdout = open('l', 'w')\nsys.stdout.close()",
            "stdout",
            "I/O operation on closed file",
        ),
        ("class Tee: write = print\nsys.stdout = Tee()", "stdout", "'Tee' object has no attribute"),
        ("sys.stderr = None", "stderr", "'NoneType' object has no attribute"),
    ],
)
def test_a_stream_that_cannot_be_flushed_hangs_no_kernel(
    bench: Bench, cell: str, name: str, why: str
) -> None:
    """Without it ipykernel never answers; the notebook's own is back, and it says so."""
    outcome = bench.run(f"import sys\n{cell}", f"print('seen', file=sys.{name})")
    assert outcome.result.error is None
    assert outcome.log.count("\n") == 2, outcome.log
    told, seen = outcome.log.splitlines()
    assert told.startswith(f"mlkit: sys.{name} cannot be flushed ({why}")
    assert seen == "seen"


def test_an_error_is_shown_although_nothing_can_be_printed(bench: Bench) -> None:
    """Showing it flushes, too."""
    outcome = bench.run("import sys\nsys.stdout = open('l', 'w')\nsys.stdout.close()\n1 / 0")
    assert error_of(outcome)[0] == "ZeroDivisionError"


@pytest.mark.parametrize("last", ["1", "1 / 0"])
def test_what_the_kernel_could_not_write_down_is_no_error_of_the_notebook(
    forked: Bench, last: str
) -> None:
    """A full disk tears it, as a limit does here; the notebook's own verdict stands."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))"
    outcome = forked.run(limit, last)
    raised = outcome.result.error and outcome.result.error.type
    assert raised == {"1": None, "1 / 0": "ZeroDivisionError"}[last]
    assert outcome.states[0] == "completed"
    assert not outcome.result.told


def test_a_notebook_of_200_cells(forked: Bench) -> None:
    """In order, each told and executed once."""
    outcome = forked.run(*[f"print({n})" for n in range(200)])
    assert outcome.log == "".join(f"{n}\n" for n in range(200))
    assert outcome.cells_told == [(n, 200) for n in range(1, 201)]
    assert outcome.states == ["completed"] * 200


def test_many_outputs_arrive_whole(forked: Bench) -> None:
    """5 MB printed at once."""
    outcome = forked.run("for n in range(50_000):\n    print('x' * 99)")
    assert len(outcome.log) == 5_000_000


def test_one_long_line_is_no_trouble(forked: Bench) -> None:
    """Five million characters without a line break arrive whole, and hold nobody up."""
    outcome = forked.run("x = 'x' * 5_000_000", "print(x)", timeout_s=60)
    assert outcome.result.status is Status.SUCCEEDED
    assert outputs(outcome, 1)[0]["text"] == "x" * 5_000_000 + "\n"
    assert outcome.log == "x" * 5_000_000 + "\n"


def test_widgets_keep_their_state(forked: Bench) -> None:
    """So that the report can show them."""
    outcome = forked.run("import ipywidgets\nipywidgets.IntSlider(value=7)")
    state = outcome.notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]
    assert any(item["state"].get("value") == 7 for item in state["state"].values())


def test_a_notebook_of_format_4_4(forked: Bench) -> None:
    """Without ids; the executed one is valid, too."""
    outcome = forked.run(
        {"source": "a = 1", "metadata": {"tags": ["parameters"]}},
        "print(a)",
        minor=4,
        assignments=(Assignment(name="a", value=2),),
    )
    assert outcome.log == "2\n"
    nbformat.validate(nbformat.from_dict(outcome.notebook))  # type: ignore[no-untyped-call] # untyped


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "gone"}},
        {"kernelspec": None},
        {"kernelspec": "python3"},
        {"kernelspec": {"display_name": "Python 3"}},
        {"language_info": {}},
    ],
)
def test_the_kernel_that_a_notebook_names_does_not_matter(
    forked: Bench, metadata: dict[str, Any]
) -> None:
    """It runs on this very Python."""
    outcome = forked.run("import sys\nprint(sys.version_info[:2])", notebook_metadata=metadata)
    assert outcome.result.status is Status.SUCCEEDED


@pytest.mark.parametrize("minor", [None, "5"])
def test_nulls_and_a_lost_minor_version_are_no_failure_of_the_stage(
    forked: Bench, minor: str | None
) -> None:
    """Programs that write notebooks write a null for what is not there."""
    code: dict[str, Any] = {
        "cell_type": "code",
        "outputs": None,
        "execution_count": None,
        "metadata": {},
    }
    cells = [
        {**code, "source": "print(1)", "metadata": {"tags": None}},
        {"cell_type": "markdown", "source": "", "metadata": {}, "attachments": None},
        {**code, "source": "print(2)"},
    ]
    outcome = forked.run(document={"nbformat": 4, "nbformat_minor": minor, "cells": cells})
    assert outcome.result.error is None
    assert outcome.log == "1\n2\n"
    nbformat.validate(nbformat.from_dict(outcome.notebook))  # type: ignore[no-untyped-call] # untyped


def test_cells_of_one_id_get_the_same_ones_in_every_execution(
    forked: Bench, recwarn: pytest.WarningsRecorder
) -> None:
    """A copied cell may have its original's id; nobody is warned of it in words of nbformat."""
    cells = [{"source": f"print({number})", "id": "same"} for number in range(3)]
    ids = [
        [cell["id"] for cell in forked.run(*copy.deepcopy(cells)).notebook["cells"]]
        for _ in range(2)
    ]
    assert ids == [["same", "same-2", "same-3"]] * 2
    assert not [each for each in recwarn if "cell id" in str(each.message)]


def test_earlier_outputs_and_values_are_dropped(forked: Bench) -> None:
    """An executed notebook can be executed again."""
    tags = {"tags": ["injected-parameters"]}
    outcome = forked.run(
        {"source": "a = 1", "metadata": {"tags": ["parameters"]}},
        {"source": "a = 'stale'", "metadata": tags},
        "print(a)",
        assignments=(Assignment(name="a", value=2),),
    )
    assert outcome.log == "2\n"
    assert len(outcome.notebook["cells"]) == 3


def test_secrets_are_scrubbed(bench: Bench) -> None:
    """Printed, in pieces, displayed, encoded, raised: in neither the notebook nor the log."""
    outcome = bench.run(
        "import os, json, time\nfrom urllib.parse import quote\nt = os.environ['TOKEN_X']",
        "print(t)\nprint(repr([t]), json.dumps({t: 1}), quote(t))",
        "print('<', t[:4], sep='', end='', flush=True)\ntime.sleep(0.4)\nprint(t[4:], '>')",
        "from IPython.display import HTML, display\ndisplay(HTML(f'<b>{t}</b>'))\nt",
        "os.write(1, t.encode() + b'\\n')\ntime.sleep(0.3)",
        "raise ValueError(t)",
        secrets=(HIDDEN,),
        env={"TOKEN_X": HIDDEN},
    )
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"log.txt", "notebook.ipynb"}
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "hunter22" not in text
        assert "***" in text
    assert outcome.result.error is not None


def test_the_notebook_can_be_watched(forked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written while it runs, always whole."""
    monkeypatch.setattr("mlkit.notebook.session.SAVE_EVERY_S", 0.1)
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        path = forked.folder / "notebook.ipynb"
        while not stop.wait(0.05):
            if path.exists():
                document = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # untyped
                seen.append(sum(len(cell.outputs) for cell in document.cells))

    watcher = threading.Thread(target=watch)
    watcher.start()
    forked.run(*["import time\nprint('x')\ntime.sleep(0.4)"] * 4)
    stop.set()
    watcher.join()
    assert seen == sorted(seen)
    assert {1, 2} & set(seen)


def test_two_at_once_do_not_disturb_each_other(
    kernels_of_kind: Callable[[KernelKind], Kernels], tmp_path: Path
) -> None:
    """Each has its own working directory and log."""
    kernels = kernels_of_kind("fork")

    def execute(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        source = f"import os, time\ntime.sleep(0.2)\nprint({number}, os.path.basename(os.getcwd()))"
        cells = [{"cell_type": "code", "source": source}]
        request = ExecutionRequest(
            document={"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells},
            cwd=folder,
            folder=folder,
            env=os.environ,
            notebook=folder / "n.ipynb",
            log=folder / "log.txt",
            facts=folder / "facts.json",
        )
        PapermillRunner(kernels).execute(request, lambda news: None, Cancellation())
        return request.log.read_text()

    with ThreadPoolExecutor(4) as pool:
        logs = list(pool.map(execute, range(4)))
    assert logs == [f"{number} {number}\n" for number in range(4)]


@pytest.mark.parametrize("minor", [4, 5])
def test_the_executed_notebook_does_not_hold_itself_once_more(bench: Bench, minor: int) -> None:
    """Papermill notes where a notebook came from; of one that is handed to it that is all of it."""
    outcome = bench.run("x = 'a long text'\nx", minor=minor)
    text = (outcome.folder / "notebook.ipynb").read_text()
    assert text.count("a long text") == 2  # the cell and what it shows
    assert '"papermill"' in text
    assert "input_path" not in text
