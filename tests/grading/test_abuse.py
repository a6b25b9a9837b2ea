"""Submissions that nobody should trust: none is rewarded, each is contained, the batch goes on."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.grading.authoring.shrugs import SHRUGS as TRIED
from mlkit.grading.authoring.shrugs import shrugs_at
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.memory import MemoryGroup
from tests.grading.abuse_elsewhere import ELSEWHERE, MISBEHAVIOUR, ONLY_WHERE_SHOWN, SHRUGS
from tests.grading.recorded import NAMES

NAME = "05-retries"
ANSWER = "answer-retry-with-backoff"
LIMITS = Limits(cell_s=4, total_s=12, memory_bytes=500_000_000)

_place = Path(__file__).with_name("abuse_answers.py")
_spec = importlib.util.spec_from_file_location("abuse_answers", _place)
assert _spec is not None
assert _spec.loader is not None
abuse = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(abuse)

Grades = dict[str, dict[str, Any]]
pytestmark = [pytest.mark.kernel, pytest.mark.sandbox]


def _processes() -> str:
    """The command lines of all processes."""
    lines = []
    for entry in Path("/proc").iterdir():
        try:
            lines.append((entry / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)


@pytest.fixture(scope="module")
def listener() -> Any:
    """A server of ours that a submission would like to reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture(scope="module")
def grades(
    tmp_path_factory: pytest.TempPathFactory,
    exercises: Mapping[str, Exercise],
    submit: Callable[..., Path],
    grade: Callable[..., Grades],
    listener: socket.socket,
) -> Grades:
    """One batch with all of them, and an honest submission first and last."""
    folder = tmp_path_factory.mktemp("class")
    port = str(listener.getsockname()[1])
    for name, source in {**abuse.CHEATS, **abuse.HARMS, **abuse.ESCAPES}.items():
        submit(folder / name, NAME, {ANSWER: source.replace("PORT", port)})
    right = exercises[NAME].solution[ANSWER]
    for name, more in {**abuse.HOARDS, **abuse.THRIFTY}.items():
        submit(folder / name, NAME, {ANSWER: f"{right}\n{more}"})
    for name, line in MISBEHAVIOUR.items():
        shown_only = f"{right}\n{ONLY_WHERE_SHOWN.format(line)}"
        submit(folder / f"where-shown-{name}", NAME, {ANSWER: shown_only})
    for name, (exercise, answers) in ELSEWHERE.items():
        submit(folder / name, exercise, answers)
    for name in ("an-honest-one", "zz-honest-too"):
        submit(folder / name, NAME, exercises[NAME].solution)
    os.environ["MLKIT_TEST_SECRET"] = "hunter2-of-the-grader"
    try:
        return grade(folder, limits=LIMITS, out=folder.parent / "grades", workers=2)
    finally:
        del os.environ["MLKIT_TEST_SECRET"]


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("name", sorted(abuse.CHEATS))
def test_a_cheat_earns_nothing(name: str, grades: Grades) -> None:
    """Whatever it does inside the kernel, the right facts about hidden inputs are not in there."""
    assert (grades[name]["score"], grades[name]["status"]) in [(0, "graded"), (0, "not_attempted")]


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("name", [*(f"where-shown-{name}" for name in MISBEHAVIOUR), *ELSEWHERE])
def test_neither_what_is_shown_nor_what_is_given_earns_anything(name: str, grades: Grades) -> None:
    """Right only where a visible check asks; or by what the exercise itself holds."""
    assert (grades[name]["score"], grades[name]["status"]) == (0, "graded")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("name", NAMES)
def test_a_shrug_earns_nothing_in_any_exercise(
    name: str,
    exercises: Mapping[str, Exercise],
    submit: Callable[..., Path],
    grade: Callable[..., Grades],
    tmp_path: Path,
) -> None:
    """The same for every function that is asked for: no check may take it for a solution."""
    bodies = {**SHRUGS, **{f"tried-{n}": body for n, body in enumerate(TRIED.values())}}
    for shrug in shrugs_at(exercises[name], bodies):
        submit(tmp_path / shrug.name, name, shrug.answers)
    graded = grade(tmp_path, limits=LIMITS, workers=2)
    earned = {
        shrug: [check["id"] for check in graded[shrug]["checks"] if check["points"]]
        for shrug in bodies
        if graded[shrug]["score"]
    }
    assert earned == {}


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("name", sorted(abuse.HARMS))
def test_harm_is_contained_and_earns_nothing(name: str, grades: Grades) -> None:
    """The kernel pays for it, the batch does not."""
    assert (grades[name]["score"], grades[name]["status"]) == (0, "graded")
    assert all(check["message"] for check in grades[name]["checks"])


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("name", sorted(abuse.HOARDS))
def test_a_hoard_is_counted_wherever_it_is_held(name: str, grades: Grades) -> None:
    """Without a control group memory files cannot be made at all, so that none are hoarded."""
    refused = "PermissionError" in grades[name]["checks"][0]["message"]
    group = MemoryGroup.make(10**9)
    if group is not None:
        group.remove()
    elif "memory-files" in name:
        assert refused or grades[name]["score"] == grades[name]["max"]
        return
    assert (grades[name]["score"], grades[name]["status"]) == (0, "graded")
    what = "more files than allowed" if "empty" in name else "more memory than allowed"
    assert what in grades[name]["checks"][0]["message"], grades[name]["checks"]


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("name", sorted(abuse.THRIFTY))
def test_what_only_looks_like_a_hoard_costs_nothing(name: str, grades: Grades) -> None:
    """Shared pages count once; of much output the beginning and the end are kept."""
    assert grades[name]["score"] == grades[name]["max"]


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("name", "status"),
    [("endless", "timeout"), ("swallows-interrupts", "timeout"), ("ends-the-process", "error")],
)
def test_the_status_says_what_happened(name: str, status: str, grades: Grades) -> None:
    """An endless loop is a timeout; an ended process is an error."""
    assert {check["status"] for check in grades[name]["checks"]} == {status}


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("reads-solutions", "found 0 []"),
        ("reads-environment", "nothing seen"),
        ("connects", "['refused']"),
        ("writes-outside", "written []"),
        ("fills-the-disk", "stopped True"),
        ("sees-processes", "few True"),
        ("holds-descriptors", "held []"),
        ("gains-rights", "gained [False, False, False, False]"),
    ],
)
def test_there_is_no_way_out(name: str, told: str, grades: Grades) -> None:
    """No solutions, no environment, no network, nothing to write to, nobody to meet."""
    assert told in grades[name]["checks"][0]["message"]


@pytest.mark.usefixtures("sandbox")
def test_the_honest_neighbours_have_full_marks(grades: Grades) -> None:
    """Neither those graded before the abuse nor those graded after it suffer."""
    assert [grades[name]["score"] for name in ("an-honest-one", "zz-honest-too")] == [
        grades["an-honest-one"]["max"]
    ] * 2


@pytest.mark.usefixtures("sandbox", "grades")
def test_no_process_outlives_its_submission(listener: socket.socket) -> None:
    """A background process in a session of its own ends with the sandbox.

    It is told from those of other suites on this machine by the port, which this one alone has.
    """
    assert f"time.sleep(611.{listener.getsockname()[1]})" not in _processes()


@pytest.mark.usefixtures("sandbox")
def test_what_is_kept_of_a_submission_is_short(grades: Grades) -> None:
    """However much it prints as facts: a class of such answers fills no memory of the grader."""
    folder = Path(grades["endless"]["path"]).parents[2] / "grades"
    assert max(path.stat().st_size for path in folder.glob("feedback/*/*.html")) < 100_000
    assert max(path.stat().st_size for path in folder.glob("verdicts/*")) < 100_000


@pytest.mark.usefixtures("sandbox")
def test_feedback_tells_nothing_of_hidden_checks(
    grades: Grades, exercises: Mapping[str, Exercise]
) -> None:
    """Neither their code nor what they should print."""
    folder = Path(grades["endless"]["path"]).parents[2] / "grades"
    pages = [path.read_text(encoding="utf-8") for path in folder.rglob("*.html")]
    pages.append((folder / "grades.json").read_text(encoding="utf-8"))
    secrets = [
        secret
        for check in exercises[NAME].checks
        if check.hidden
        for secret in (check.source[:60], *(json.dumps(v) for v in check.expected.values()))
        if len(secret) > 12
    ]
    assert len(pages) > len(abuse.CHEATS)
    secrets += ["backoff_factor-5", "backoff_factor-2", "backoff_factor-0"]
    assert [secret for secret in secrets for page in pages if secret in page] == []
