"""A stage that changes its input is found out, and the file is made good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlkit import RunOptions, load_pipeline, run
from mlkit.core.record import RunRecord
from mlkit.driver.services import Services
from mlkit.load.parameters import Layers
from mlkit.testing import FakeRunner, Sketch, run_fake, write_pipeline

PATIENCE_S = 60.0
ATTACKS = {
    "overwritten": "import os\nos.chmod(a, 0o644)\nopen(a, 'w').write('DAMAGED')",
    "same length": "import os\nos.chmod(a, 0o644)\nopen(a, 'w').write('A()')",
    "appended": "import os\nos.chmod(a, 0o644)\nopen(a, 'a').write('x')",
    "removed": "import os\nos.unlink(a)",
    "replaced": "import os\nos.unlink(a)\nopen(a, 'w').write('other')",
    "a folder": "import os\nos.unlink(a)\nos.mkdir(a)",
    "a link": "import os\nos.unlink(a)\nos.symlink('/dev/null', a)",
}


def _pipeline(tmp_path: Path, body: str) -> Path:
    return write_pipeline(
        tmp_path,
        Sketch(name="a"),
        Sketch(name="b", upstream=("a",), body=body + "\nopen(out, 'w').write('b')"),
        Sketch(name="c", upstream=("a",), keys={"after": ["b"], "trigger": "all_done"}),
    )


@pytest.mark.parametrize("body", ATTACKS.values(), ids=list(ATTACKS))
def test_a_changed_input_is_found_out_and_made_good(tmp_path: Path, body: str) -> None:
    """The stage has failed, its result is not used, and the next reader sees the true bytes."""
    file = _pipeline(tmp_path, body)
    record = run_fake(file)
    stage = record.stages["b"]
    assert stage.error is not None
    assert stage.error.type == "InputChanged"
    assert "changed its input" in stage.error.message
    assert Path(record.stages["a"].outputs["out"]).read_text() == "a()"
    assert Path(record.stages["c"].outputs["out"]).read_text() == "c(a())"
    assert record.warnings == (
        "stage 'b' changed its input a/a.txt; the file was made good from the store",
    )
    assert run_fake(file).stages["b"].status == "failed"


def test_only_verify_finds_a_change_that_keeps_size_and_time(tmp_path: Path) -> None:
    """`--verify` checks inputs by digest, after the attempt too."""
    body = (
        "import os\ns = os.stat(a)\nos.chmod(a, 0o644)\nopen(a, 'w').write('A()')\n"
        "os.utime(a, ns=(s.st_atime_ns, s.st_mtime_ns))"
    )
    file = _pipeline(tmp_path, body)
    assert run_fake(file, verify=True).stages["b"].status == "failed"


def test_a_damaged_link_is_repaired_in_every_run(tmp_path: Path) -> None:
    """Runs share the bytes of reused artifacts; all of them are whole afterwards."""
    file = write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b", upstream=("a",)))
    first = run_fake(file)
    text = (tmp_path / "b.ipynb").read_text()
    (tmp_path / "b.ipynb").write_text(
        text.replace(
            "from pathlib", "import os; os.chmod(a, 420); open(a, 'w').write('!')\\nfrom pathlib"
        )
    )
    second = run_fake(file)
    assert second.stages["b"].status == "failed"
    for record in (first, second):
        assert Path(record.stages["a"].outputs["out"]).read_text() == "a()"


def test_a_link_to_an_input_is_an_artifact_of_its_own(tmp_path: Path) -> None:
    """A stage may hand on its input by a hard or symbolic link; the store copies the bytes."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a"),
        Sketch(name="b", upstream=("a",), body="import os\nos.link(a, out)"),
        Sketch(name="c", upstream=("a",), body="import os\nos.symlink(a, out)"),
    )
    record = run_fake(file)
    paths = {Path(stage.outputs["out"]) for stage in record.stages.values()}
    assert [path.read_text() for path in paths] == ["a()"] * 3
    assert not any(path.is_symlink() for path in paths)
    assert len({path.stat().st_ino for path in paths}) == 3


def _racing() -> FakeRunner:
    """The reader reads while the damager has written; it ends after the file was made good."""
    reading, read = threading.Event(), threading.Event()

    def damage(request: Any) -> None:
        path = Path(next(i.value for i in request.assignments if i.name == "a"))
        assert reading.wait(PATIENCE_S)
        path.chmod(0o644)
        path.write_text("DAMAGED")
        assert read.wait(PATIENCE_S)

    def look(request: Any) -> None:
        path = Path(next(i.value for i in request.assignments if i.name == "a"))
        reading.set()
        wait_until(lambda: path.read_text() == "DAMAGED")
        read.set()
        wait_until(lambda: path.read_text() != "DAMAGED")

    def wait_until(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, "the other stage did not come"
            time.sleep(0.005)

    return FakeRunner({"damager": [damage], "reader": [look]})


@pytest.mark.parametrize("where", ["one run", "two runs"])
def test_who_read_the_damage_is_not_believed(tmp_path: Path, where: str) -> None:
    """Also if the file is whole again when the reader ends, and if another run did it."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a"),
        Sketch(name="damager", upstream=("a",)),
        Sketch(name="reader", upstream=("a",)),
    )
    run_fake(file, until="a")
    services = Services(runner=_racing())

    def go(until: str | None) -> RunRecord:
        options = RunOptions(workers=2, until=until)
        return run(file, options=options, layers=Layers(), services=services)

    if where == "one run":
        stages = dict(go(None).stages)
    else:
        found: list[RunRecord] = []
        other = threading.Thread(target=lambda: found.append(go("damager")))
        other.start()
        stages = dict(go("reader").stages)
        other.join()
        stages["damager"] = found[0].stages["damager"]
    for name in ("damager", "reader"):
        error = stages[name].error
        assert error is not None, name
        assert error.type == "InputChanged"


def test_a_file_from_outside_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """The result would belong to neither content: it is not used, and the file is left alone."""
    data = tmp_path / "data.txt"
    data.write_text("before")

    def edit(request: Any) -> None:
        data.write_text("after!")

    sketch = Sketch(
        name="a",
        body="open(out, 'w').write(open(table).read())",
        declares='table: str = ""',
        keys={"inputs": {"table": "file:data.txt"}},
    )
    file = write_pipeline(tmp_path, sketch)
    record = run_fake(file, runner=FakeRunner({"a": [edit]}))
    error = record.stages["a"].error
    assert error is not None
    assert error.message.startswith(f"the file {data} changed while the stage read it")
    assert data.read_text() == "after!"
    assert run_fake(file).stages["a"].status == "succeeded"


def test_a_file_of_the_users_is_never_restored(tmp_path: Path) -> None:
    """Even if the store holds its former bytes: what the user edits stays edited."""
    file = write_pipeline(tmp_path, Sketch(name="a"))
    copy = tmp_path / "mine.txt"
    copy.write_text(Path(run_fake(file).stages["a"].outputs["out"]).read_text())

    def edit(request: Any) -> None:
        copy.write_text("my edit")

    reader = Sketch(name="b", declares='mine: str = ""', keys={"inputs": {"mine": "file:mine.txt"}})
    file = write_pipeline(tmp_path, Sketch(name="a"), reader)
    run_fake(file, runner=FakeRunner({"b": [edit]}))
    assert copy.read_text() == "my edit"


@pytest.mark.parametrize("how", ["missing", "a folder"])
def test_an_outside_file_that_is_not_there_any_more(tmp_path: Path, how: str) -> None:
    """Fails its stage with the path, before a notebook starts."""
    data = tmp_path / "data.txt"
    data.touch()
    sketch = Sketch(
        name="a", declares='table: str = ""', keys={"inputs": {"table": "file:data.txt"}}
    )
    pipeline = load_pipeline(write_pipeline(tmp_path, sketch))
    data.unlink()
    if how == "a folder":
        data.mkdir()
    error = run_fake(pipeline).stages["a"].error
    state = "does not exist" if how == "missing" else "is not a file"
    assert error is not None
    assert error.message == f"the input 'table' ({tmp_path / 'data.txt'}) {state}"


GROWING = """import shutil
with open(source, 'a') as more:
    more.write('and a line\\n')
shutil.copyfile(source, out)
with open(source, 'a') as more:
    more.write('and another\\n')
"""


def test_a_source_that_grows_all_the_time_is_copied_first(tmp_path: Path) -> None:
    """The way that the error names: what the copy holds is what everybody behind it reads."""
    source = tmp_path / "events.log"
    source.write_text("first\n")
    declares, reads = 'source: str = ""', 'table: str = ""'
    direct = Sketch(
        name="a",
        body=GROWING.replace("source", "table"),
        declares=reads,
        keys={"inputs": {"table": f"file:{source}"}, "retry": {"max_retries": 2, "delay": "1s"}},
    )
    failed = run_fake(write_pipeline(tmp_path / "direct", direct)).stages["a"]
    assert failed.error is not None
    assert failed.error.type == "InputChanged"
    assert failed.attempts == 3
    assert (
        "copied first, by a stage with 'cache: false' that takes its path" in failed.error.message
    )
    copy = Sketch(
        name="copy",
        body=GROWING,
        declares=declares,
        keys={"cache": False, "parameters": {"source": str(source)}},
    )
    file = write_pipeline(tmp_path / "copied", copy, Sketch(name="b", upstream=("copy",)))
    for _ in range(2):
        record = run_fake(file)
        assert record.status == "succeeded"
        copied = Path(record.stages["copy"].outputs["out"]).read_text()
        assert source.read_text().startswith(copied)
        assert Path(record.stages["b"].outputs["out"]).read_text() == f"b({copied})"
