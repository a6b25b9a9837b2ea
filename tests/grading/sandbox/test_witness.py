"""What was done to files is told by the operating system, whatever an answer tells its check."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlkit.grading.exercise.answered import hand_in
from mlkit.grading.exercise.source import Exercise
from mlkit.grading.exercise.words import Recorded
from mlkit.grading.sandbox.kernel import InmateKernel
from mlkit.grading.sandbox.limits import Limits
from mlkit.grading.sandbox.walls import Isolation, Surroundings
from mlkit.grading.sandbox.witness import Seen, Witness, fault

NAME, ANSWER = "03-idempotency", "answer-process-data-atomic"
FILES = {"in.csv": "a\n1\n", "out.csv": "a\n0\n"}
WANTED = {"files": FILES, "replaced": "out.csv", "table": [["a"], [2.0]]}

# Each writes in place, and makes the check's own watching blind, or tells it what it wants to hear.
DECEIVERS = {
    "silences-the-hook": """
import gc
def process_data_atomic(input_file, output_file):
    states = [o for o in gc.get_objects() if isinstance(o, dict) and "crash_at" in o]
    folders = [state["folder"] for state in states]
    for state in states:
        state["folder"] = None
    if os.path.exists(output_file):
        os.remove(output_file)
    process_data(input_file, output_file)
    for state, folder in zip(states, folders):
        state.update(folder=folder, steps=state["steps"] + 1)
        state["moves"].append(True)
""",
    "finishes-after-a-crash": """
def process_data_atomic(input_file, output_file):
    from __main__ import watched
    folder, watched["folder"] = watched["folder"], None
    if os.path.exists(output_file):
        os.remove(output_file)
    process_data(input_file, output_file)
    watched.update(folder=folder, steps=1, moves=[True])
""",
    "replaces-then-writes-in-place": """
import gc
def process_data_atomic(input_file, output_file):
    states = [o for o in gc.get_objects() if isinstance(o, dict) and "crash_at" in o]
    folders = [state["folder"] for state in states]
    for state in states:
        state["folder"] = None
    Path(output_file + "x").write_text("")
    os.replace(output_file + "x", output_file)
    process_data(input_file, output_file)
    for state, folder in zip(states, folders):
        state.update(folder=folder, steps=state["steps"] + 1)
        state["moves"].append(True)
""",
}


def _in_place(folder: Path) -> None:
    (folder / "out.csv").write_text("a\n2\n")


def _removed_first(folder: Path) -> None:
    (folder / "new").write_text("a\n2\n")
    (folder / "out.csv").unlink()
    (folder / "new").rename(folder / "out.csv")


def _a_link(folder: Path) -> None:
    (folder / "in.csv").write_text("a\n2\n")
    (folder / "new").symlink_to(folder / "in.csv")
    (folder / "new").replace(folder / "out.csv")


def _a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "new")
    (folder / "new").replace(folder / "out.csv")


def _left_behind(folder: Path) -> None:
    (folder / "rest").write_text("")
    _in_one_step(folder)


def _wrong_content(folder: Path) -> None:
    (folder / "new").write_text("a\n3\n")
    (folder / "new").replace(folder / "out.csv")


def _in_one_step(folder: Path) -> None:
    (folder / "new").write_text("a\n2\n")
    (folder / "new").replace(folder / "out.csv")


def _a_folder(folder: Path) -> None:
    (folder / "out.csv").unlink()
    (folder / "out.csv").mkdir()


def _a_cell_without_end(folder: Path) -> None:
    (folder / "new").write_text("a\n" + "2" * 200_000 + "\n", encoding="utf-8")
    (folder / "new").replace(folder / "out.csv")


# What is looked at turns into something that it is hard to look at, once the check has printed.
DECEIVERS["leaves-a-folder-to-look-at"] = f"""{DECEIVERS["silences-the-hook"]}
import builtins
def print(*texts, **options):
    builtins.print(*texts, **options)
    if "WITNESSED" in globals():
        os.remove(f"{{WITNESSED}}/out.csv")
        os.mkdir(f"{{WITNESSED}}/out.csv")
"""


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda folder: None, "was not replaced"),
        (_in_place, "in place"),
        (_removed_first, "in place"),
        (_a_link, "does not hold what it should"),
        (_a_pipe, "does not hold what it should"),
        (_a_folder, "in place"),
        (_a_cell_without_end, "does not hold what it should"),
        (_left_behind, "other files are left"),
        (_wrong_content, "does not hold what it should"),
        (_in_one_step, ""),
    ],
)
def test_a_file_counts_as_replaced_if_it_was_moved_into_its_place_and_no_more(
    act: Callable[[Path], None], why: str, tmp_path: Path
) -> None:
    """A link is no file, and nobody waits on a pipe."""
    witness = Witness(tmp_path, FILES, "out.csv")
    act(tmp_path / witness.name)
    told = fault(witness.look(), WANTED)
    witness.close()
    assert why in told
    assert bool(why) == bool(told)


def test_a_folder_that_goes_on_changing_is_not_read_for_ever(tmp_path: Path) -> None:
    """However fast; and what was not read proves nothing."""
    witness = Witness(tmp_path, FILES, "out.csv")
    file, stop = tmp_path / witness.name / "out.csv", threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            file.rename(file.with_name("aside"))
            file.with_name("aside").rename(file)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        time.sleep(0.2)
        seen = witness.look()
    finally:
        stop.set()
        thread.join()
        witness.close()
    assert len(seen.changes) < 600_000
    assert fault(seen, WANTED)


def test_reports_that_were_lost_prove_nothing() -> None:
    """The operating system keeps so many and no more, and says when it has dropped some."""
    lost = Seen(changes=(0x80, 0x4000), names=("in.csv", "out.csv"), text="a\n2\n")
    assert "in place" in fault(lost, WANTED)


@pytest.fixture(params=[pytest.param("sandboxed", marks=pytest.mark.sandbox), "limited"])
def kernel(request: pytest.FixtureRequest) -> Iterator[InmateKernel]:
    """A kernel in a sandbox if there is one here, and one with limits only."""
    walls: Isolation = request.param
    if walls == "sandboxed":
        request.getfixturevalue("sandbox")
    running = InmateKernel(Surroundings(limits=Limits(cell_s=10)), walls)
    yield running
    running.stop()


@pytest.mark.kernel
def test_a_kernel_works_in_the_folder_that_is_looked_at(kernel: InmateKernel) -> None:
    """Under a path of its own; it may write there, and the folder itself it cannot exchange."""
    witness, place = kernel.witness(FILES, "out.csv")
    source = (
        f"import os\nfrom pathlib import Path\nfolder = Path({place!r})\n"
        "(folder / 'new').write_text((folder / 'in.csv').read_text().replace('1', '2'))\n"
        "(folder / 'new').replace(folder / 'out.csv')"
    )
    kernel.await_reply(kernel.execute_cell_input(source))
    assert fault(witness.look(), WANTED) == ""
    witness.close()


@pytest.mark.kernel
def test_an_answer_that_deceives_its_check_does_not_deceive_the_witness(
    exercises: Mapping[str, Exercise],
    grade: Callable[..., dict[str, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    """A step that writes in place earns nothing, whatever it makes its check believe."""
    for name, source in DECEIVERS.items():
        answer = Recorded(name=name, kind="wrong", answers={ANSWER: source})
        hand_in(exercises[NAME], answer, tmp_path / name)
    grades = grade(tmp_path, limits=Limits(cell_s=10, total_s=60))
    points = {
        name: [c["points"] for c in found["checks"] if "atomic" in c["id"]]
        for name, found in grades.items()
    }
    assert points == {name: [0, 0] for name in DECEIVERS}
    assert all("reaches for what checks it" in str(found["flags"]) for found in grades.values())
