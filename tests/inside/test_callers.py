"""Who is behind a call, as the stack tells."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlkit.inside.callers import Callers
from mlkit.inside.counting_places import installation

SITE = next(folder for folder in installation() if "site-packages" in folder)
CELL = "/tmp/ipykernel_12/3.py"
THROUGH = "def through(call):\n    return call()\n"


@pytest.fixture
def callers() -> Callers:
    """Of a kernel."""
    return Callers(installation(), in_kernel=True)


def function_of(file: str, name: str = "through") -> Callable[[Callable[[], Any]], Any]:
    """A function that calls what it is given, and seems to stand in a file."""
    space: dict[str, Any] = {}
    exec(compile(THROUGH.replace("through", name), file, "exec"), space)
    found: Callable[[Callable[[], Any]], Any] = space[name]
    return found


def stack(*files: str, ask: Callable[[], Any]) -> Any:
    """Ask from within functions of these files, the outermost first."""
    for file in reversed(files):
        ask = partial(function_of(file), ask)  # which has no frame of its own
    return ask()


@pytest.mark.parametrize(
    ("files", "asker"),
    [
        ([CELL], "own"),
        ([CELL, f"{SITE}pandas/io/common.py"], "package"),
        ([CELL, "<frozen importlib._bootstrap>", f"{SITE}pandas/__init__.py"], "import"),
    ],
)
def test_the_stack_tells_who_asks(callers: Callers, files: list[str], asker: str) -> None:
    """A package that a cell calls asks for itself; a module while it is imported, for nobody."""
    assert stack(*files, ask=callers.asker) == asker


def test_a_library_counts_as_a_package_where_a_variable_is_asked_for_by_name(
    callers: Callers,
) -> None:
    """Else what it asks is asked on its caller's behalf."""
    library = next(folder for folder in installation() if "site-packages" not in folder)
    files = [CELL, f"{library}tempfile.py"]
    assert stack(*files, ask=callers.asker) == "own"
    assert stack(*files, ask=partial(callers.asker, by_name=True)) == "package"


def test_a_package_that_opens_files_in_compiled_code_wants_what_a_file_holds(
    callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless a function of it is called that writes."""
    monkeypatch.setitem(sys.modules, "pandas", ModuleType("pandas"))  # without one nobody looks
    reader = f"{SITE}pandas/io/parquet.py"
    assert stack(CELL, reader, ask=callers.wants_content)
    assert not stack(CELL, f"{SITE}attr/_make.py", ask=callers.wants_content)
    writes = function_of(reader, "to_parquet")
    assert stack(CELL, ask=partial(writes, callers.is_written_natively))
    assert not stack(CELL, reader, ask=callers.is_written_natively)


def test_what_is_handed_to_a_package_is_the_callers_own_question(
    callers: Callers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that the package keeps for itself is not."""
    monkeypatch.setattr("mlkit.inside.callers.ELSEWHERE", ("/proc/",))
    space: dict[str, Any] = {}
    source = "def read(path, ask):\n    return ask()\n"
    exec(compile(source, f"{SITE}somebody/reading.py", "exec"), space)
    data = str(tmp_path / "data.csv")

    def asks(handed: str) -> Any:
        return stack(CELL, ask=partial(space["read"], handed, partial(callers.asks_itself, data)))

    assert asks(data)
    assert asks(str(tmp_path))
    assert not asks("elsewhere.csv")


@pytest.mark.parametrize(
    ("functions", "counts"),
    [
        (["iterdir"], True),
        (["walk"], True),
        (["walk", "_scandir"], True),
        (["glob"], False),
        (["glob", "walk", "_scandir"], False),
    ],
)
def test_who_walks_by_pathlib_is_told_all_names(
    callers: Callers, functions: list[str], *, counts: bool
) -> None:
    """A search by a pattern is not, though it lists folders by the same function."""
    library = next(folder for folder in installation() if "site-packages" not in folder)
    ask: Callable[[], Any] = partial(callers.is_asked_for, lists=True)
    for name in reversed(functions):
        ask = partial(function_of(f"{library}pathlib/_local.py", name), ask)
    assert stack(CELL, ask=ask) is counts
