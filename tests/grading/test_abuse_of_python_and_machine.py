"""More that nobody should trust: answers that reach into Python, or that burden a machine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.core.harmless_text import harmless
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.sandbox.limits import Limits
from tests.grading.abuse_by_patching import PATCHES
from tests.grading.abuse_of_machine import BURDENS, HIDDEN_HOARDS, PICKLED, WAYS_OUT, WAYS_TOLD

NAME = "05-retries"
ANSWER = "answer-retry-with-backoff"
LIMITS = Limits(cell_s=3, total_s=9, memory_bytes=500_000_000)

Grades = dict[str, dict[str, Any]]
pytestmark = [pytest.mark.kernel, pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]


@pytest.fixture(scope="module")
def port() -> Any:
    """A number that this suite alone has on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture(scope="module")
def grades(
    tmp_path_factory: pytest.TempPathFactory,
    exercises: Mapping[str, Exercise],
    submit: Callable[..., Path],
    grade: Callable[..., Grades],
    port: str,
) -> Grades:
    """One batch with all of them, and an honest submission first and last."""
    folder = tmp_path_factory.mktemp("class")
    for name, source in {**PATCHES, **BURDENS, **WAYS_OUT}.items():
        submit(folder / name, NAME, {ANSWER: source.replace("PORT", port)})
    right = exercises[NAME].solution[ANSWER]
    for name, more in HIDDEN_HOARDS.items():
        submit(folder / name, NAME, {ANSWER: f"{right}\n{more}"})
    for name in ("0-honest", "zz-honest"):
        submit(folder / name, NAME, exercises[NAME].solution)
    return grade(folder, limits=LIMITS, out=folder.parent / "grades", workers=2)


@pytest.mark.parametrize("name", sorted(PATCHES))
def test_what_reaches_into_python_earns_nothing(name: str, grades: Grades) -> None:
    """Tracers, hooks, importers, builtins, types, streams, and the kernel's own parts."""
    assert (grades[name]["score"], grades[name]["status"]) in [(0, "graded"), (0, "not_attempted")]


@pytest.mark.parametrize("name", sorted(BURDENS))
def test_a_burden_is_contained_and_earns_nothing(name: str, grades: Grades) -> None:
    """The kernel pays for it, and its author is told something."""
    assert (grades[name]["score"], grades[name]["status"]) == (0, "graded")
    assert all(check["message"] for check in grades[name]["checks"])


@pytest.mark.parametrize("name", sorted(WAYS_OUT))
def test_there_is_no_other_way_out(name: str, grades: Grades) -> None:
    """No sockets, rights, devices or files but those that are meant, and nothing of others."""
    assert WAYS_TOLD[name] in grades[name]["checks"][0]["message"]


@pytest.mark.parametrize("name", sorted(HIDDEN_HOARDS))
def test_what_nobody_holds_is_counted_too(name: str, grades: Grades) -> None:
    """By the operating system, or by ourselves."""
    what = "more files than allowed" if "files" in name else "more memory than allowed"
    assert grades[name]["score"] == 0
    assert what in grades[name]["checks"][0]["message"]


def test_honest_neighbours_keep_their_marks(grades: Grades) -> None:
    """The first and the last."""
    assert [grades[name]["score"] for name in ("0-honest", "zz-honest")] == [
        grades["0-honest"]["max"]
    ] * 2


@pytest.mark.usefixtures("grades")
def test_no_child_outlives_its_submission(port: str) -> None:
    """Not even one of a session of its own that heeds no signal."""
    lines = []
    for entry in Path("/proc").iterdir():
        try:
            lines.append((entry / "cmdline").read_bytes())
        except OSError:
            continue
    assert f"outlives-{port}".encode() not in b"".join(lines)


@pytest.mark.usefixtures("grades")
def test_nothing_that_an_answer_sends_is_run() -> None:
    """A pickle in the place of a message would write a file where the grader runs."""
    assert not Path(PICKLED).exists()


def test_what_is_written_of_them_draws_on_no_terminal_and_runs_in_no_page(grades: Grades) -> None:
    """Names of exceptions and printed texts hold anything; they are told as what they are."""
    folder = Path(grades["0-honest"]["path"]).parents[2] / "grades"
    pages = "".join(p.read_text(encoding="utf-8") for p in folder.rglob("*.html"))
    assert "<script>alert" not in pages
    table = (folder / "grades.csv").read_text(encoding="utf-8")
    for text in (pages, table):
        assert harmless(text) == text
    assert "alert(1)" in pages
    assert max(len(check["message"]) for g in grades.values() for check in g["checks"]) < 2_000
