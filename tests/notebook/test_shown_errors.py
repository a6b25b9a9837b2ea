"""An error that a cell shows is a failure, however it came to be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mlkit.core.states import Status

if TYPE_CHECKING:
    from tests.notebook.conftest import Bench

pytestmark = pytest.mark.kernel

NEVER = "print('never')"

SHOWN = {
    "a script of %run": ("%run bad.py", "ConnectionError"),
    "a module of %run": ("%run -m bad", "ConnectionError"),
    "a script that exits": ("%run leaves.py", "SystemExit"),
    "%%capture": ("%%capture\nraise KeyError('k')", "KeyError"),
    "%%time": ("%%time\nraise KeyError('k')", "KeyError"),
    "a nested cell": ("get_ipython().run_cell('1/0')", "ZeroDivisionError"),
    "a syntax error in a nested cell": ("get_ipython().run_cell('1 +')", "SyntaxError"),
    "a hook after the cell": (
        "def hook(*_):\n    raise OSError('hook')\n"
        "get_ipython().events.register('post_run_cell', hook)",
        "OSError",
    ),
    "a hook after the execution": (
        "def hook(*_):\n    raise OSError('hook')\n"
        "get_ipython().events.register('post_execute', hook)",
        "OSError",
    ),
    "an error before something else": (
        "get_ipython().run_cell('1/0')\nprint('later')",
        "ZeroDivisionError",
    ),
    "an exception that is shown by hand": (
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    get_ipython().showtraceback()",
        "ZeroDivisionError",
    ),
    "a value that cannot be shown": (
        "class Value:\n    def __repr__(self):\n        return 1 / 0\nValue()",
        "ZeroDivisionError",
    ),
    "a value that can be shown as text alone": (
        "class Value:\n    def _repr_html_(self):\n        raise KeyError('k')\nValue()",
        "KeyError",
    ),
    "an error within an output widget": (
        "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    1 / 0\nout",
        "ZeroDivisionError",
    ),
}


def _scripts(bench: Bench) -> None:
    (bench.folder / "cwd").mkdir(exist_ok=True)
    for folder in (bench.folder, bench.folder / "cwd"):
        (folder / "bad.py").write_text("raise ConnectionError('no net')\n")
        (folder / "leaves.py").write_text("import sys\nsys.exit(3)\n")
        (folder / "skips.py").write_text("import mlkit\nmlkit.skip('why')\n")
        (folder / "ends.py").write_text("import sys\nsys.exit(0)\n")


@pytest.mark.parametrize("name", SHOWN)
def test_an_error_that_is_shown_fails_the_notebook(forked: Bench, name: str) -> None:
    """With its class, and nothing after it runs."""
    cell, kind = SHOWN[name]
    _scripts(forked)
    outcome = forked.run("a = 1", cell, NEVER)
    error = outcome.result.error
    assert (outcome.result.status, error and error.type) == (Status.FAILED, kind)
    assert error is not None
    assert error.cell == 1
    assert error.bases[0].rsplit(".", 1)[-1] == kind
    assert len(error.bases) > 1
    assert outcome.states == ["completed", "failed", None]
    assert "never" not in outcome.log


@pytest.mark.parametrize("name", [*SHOWN, "a raise"])
def test_a_tagged_cell_may_show_errors(forked: Bench, name: str) -> None:
    """The tag `raises-exception`: the next cell runs."""
    cell, _ = SHOWN.get(name, ("raise ValueError", ""))
    cell = cell.replace("register('post_run_cell', hook)", "register('post_run_cell', once)")
    cell = cell.replace("register('post_execute', hook)", "register('post_execute', once)")
    once = "def once(*_):\n    global hook\n    h, hook = hook, print\n    h()\n"
    _scripts(forked)
    tagged: dict[str, Any] = {
        "source": cell if cell.startswith("%") else once + cell,
        "metadata": {"tags": ["raises-exception"]},
    }
    outcome = forked.run(tagged, "print('after')")
    assert outcome.result.status is Status.SUCCEEDED
    assert outcome.states == ["completed", "completed"]
    assert "after" in outcome.log.splitlines()


@pytest.mark.parametrize(
    "cell",
    [
        "%run ends.py",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    import traceback; traceback.print_exc()",
        "from IPython.display import clear_output\nget_ipython().run_cell('1/0')\nclear_output()",
        "!false",
    ],
)
def test_what_shows_no_error_is_none(forked: Bench, cell: str) -> None:
    """A script that ended well; a text; an error that was cleared away."""
    _scripts(forked)
    outcome = forked.run(cell, "print('after')")
    assert outcome.result.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    "cell",
    [
        {"source": "import mlkit\nmlkit.skip('why')", "metadata": {"tags": ["raises-exception"]}},
        "get_ipython().run_cell(\"import mlkit; mlkit.skip('why')\")",
        "%%capture\nimport mlkit\nmlkit.skip('why')",
        "%run skips.py",
    ],
)
def test_a_skip_is_a_skip_wherever_it_is_raised(forked: Bench, cell: str | dict[str, Any]) -> None:
    """It is no error, and a tag that allows errors does not keep it from ending the stage."""
    _scripts(forked)
    outcome = forked.run(cell, NEVER)
    assert (outcome.result.status, outcome.result.reason) == (Status.SKIPPED, "why")


def test_what_a_cell_shows_stays_in_order(forked: Bench) -> None:
    """Captions stay with their figures."""
    outcome = forked.run(
        "import sys\nfor n in (1, 2):\n    print('caption', n)\n    print('more')\n    display(n)\n"
        "print('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\nprint('out again')"
    )
    shown = outcome.notebook["cells"][0]["outputs"]
    texts = [o.get("text") or o["data"]["text/plain"] for o in shown]
    assert texts == [
        *("caption 1\nmore\n", "1", "caption 2\nmore\n", "2"),
        *("out\n", "err\n", "out again\n"),
    ]


def test_what_child_processes_print_is_told_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what comes at the very end of a cell, through `sys.stdout`, and after the last cell."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # ipykernel watches no descriptors where it is set
    outcome = bench.run(
        "import os, subprocess, sys\nos.write(1, b'from C\\n')\nos.write(2, b'error from C\\n')",
        "subprocess.run(['echo', 'from below'])",
        "subprocess.run(['echo', 'through stdout'], stdout=sys.stdout)",
        "!echo shell",
        "subprocess.Popen(['sh', '-c', 'echo quick; sleep 0.4; echo late'])",
        "import time; time.sleep(0.8)",
        "subprocess.run(['echo', 'the end'])",
    )
    assert outcome.result.status is Status.SUCCEEDED
    lines = outcome.log.splitlines()
    wanted = ["from C", "error from C", "from below", "through stdout", "shell", "quick", "late"]
    assert {line: lines.count(line) for line in [*wanted, "the end"]} == dict.fromkeys(
        [*wanted, "the end"], 1
    )


@pytest.mark.parametrize("minor", [4, 5])
def test_cells_are_numbered_as_in_the_source(forked: Bench, minor: int) -> None:
    """The injected cell is not counted, nor does one that stood in the source shift anything."""
    from mlkit.notebook.injection import Assignment

    stale = {"source": "a = 5", "metadata": {"tags": ["injected-parameters"]}}
    outcome = forked.run(
        {"cell_type": "markdown", "source": "# Title"},
        {"source": "a = 1", "metadata": {"tags": ["parameters"]}},
        stale,
        "1 / a",
        "raise ValueError(a)",
        minor=minor,
        assignments=(Assignment(name="a", value=7),),
    )
    error = outcome.result.error
    assert error is not None
    assert (error.message, error.cell) == ("7", 4)
