"""A watch runs what an edit affects, cancels what is stale, and ends with the tree's results."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlkit.api.watched_pipeline import Places, WatchSettings
from mlkit.api.watching import Notice, Watch
from mlkit.core.record import RunRecord
from mlkit.core.states import Status
from mlkit.driver.notifying import Notifier
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import PipelineError, UsageError
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import (
    Cancellation,
    ExecutionRequest,
    ExecutionResult,
    NotebookRunner,
    OnCell,
)
from mlkit.planner.stage_places import Sources
from mlkit.planner.trace import file_marks
from mlkit.testing import (
    FakeRunner,
    RecordingNotifier,
    Returns,
    Sketch,
    chain,
    run_fake,
    write_pipeline,
)

PATIENCE_S = 40.0


class Watched:
    """A watch in a thread of its own, and what it has told."""

    def __init__(
        self,
        file: Path,
        runner: NotebookRunner | None = None,
        options: RunOptions | None = None,
        notifier: Notifier | None = None,
        files: tuple[Path, ...] = (),
    ) -> None:
        self.file, self.notices = file, list[Notice]()
        self._told = threading.Condition()
        services = Services(
            runner=runner or FakeRunner(),
            environ={},
            notifier=notifier or RecordingNotifier(),
        )
        settings = WatchSettings(
            path=file,
            layers=lambda: Layers(environ={}, files=files),
            described=files,
            options=options or RunOptions(workers=2),
            runs_dir=file.parent / "runs",
        )
        self.watch = Watch(settings, self._take, lambda: contextlib.nullcontext(services))
        self.thread = threading.Thread(target=self.watch.run)

    def _take(self, notice: Notice) -> None:
        with self._told:
            self.notices.append(notice)
            self._told.notify_all()

    def until(self, kind: str, count: int = 1) -> Notice:
        """Wait until so many notices of a kind were told; gives the last one."""
        with self._told:
            assert self._told.wait_for(lambda: len(self.all(kind)) >= count, PATIENCE_S), (
                self.notices
            )
            return self.all(kind)[count - 1]

    def all(self, kind: str) -> list[Notice]:
        """The notices of a kind."""
        return [notice for notice in self.notices if notice.kind == kind]

    @property
    def last(self) -> RunRecord:
        """The record of the last round."""
        return self.watch.rounds[-1][1]

    def __enter__(self) -> Watched:
        """Start."""
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.watch.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


def edit(notebook: Path, text: str) -> None:
    """Add a line to the last cell, or replace the one that was added."""
    document = json.loads(notebook.read_text())
    cell = document["cells"][-1]
    cell["source"] = cell["source"].partition("\n#")[0] + f"\n# {text}"
    notebook.write_text(json.dumps(document, indent=1))


def states(record: RunRecord) -> dict[str, str]:
    """The states of a run's stages."""
    return {name: item.status.value for name, item in record.stages.items()}


def test_an_edit_runs_what_it_affects_and_says_why(tmp_path: Path) -> None:
    """One round for a save; the reason names file and cell; the record is a run like any other."""
    file = chain(tmp_path)
    with Watched(file) as watched:
        watched.until("waiting")
        edit(tmp_path / "s2.ipynb", "other")
        said = watched.until("round", 2)
        assert said.text == "s2.ipynb changed"
        assert said.reasons == ("s2: code changed: cell 2 (from pathlib import Path)",)
        watched.until("waiting", 2)
        assert states(watched.last) == {"s1": "cached", "s2": "succeeded", "s3": "cached"}
        assert watched.last.options["note"] == "watched: s2.ipynb changed"
        assert (tmp_path / "runs" / "latest").resolve().name == watched.last.run_id
        (tmp_path / "s2.ipynb").touch()
        assert watched.until("unchanged").text == "s2.ipynb saved, nothing changed"
    assert len(watched.watch.rounds) == 2
    assert not watched.watch.interrupted


HABITS: dict[str, Callable[[Path, str], None]] = {}


def habit(save: Callable[[Path, str], None]) -> Callable[[Path, str], None]:
    """A way in which an editor saves a file."""
    HABITS[save.__name__] = save
    return save


@habit
def in_place(file: Path, text: str) -> None:
    """As JupyterLab does, with its checkpoint."""
    file.write_text(text)
    (file.parent / ".ipynb_checkpoints").mkdir(exist_ok=True)
    (file.parent / ".ipynb_checkpoints" / f"{file.stem}-checkpoint.ipynb").write_text(text)


@habit
def aside_and_renamed(file: Path, text: str) -> None:
    """As PyCharm and many others do."""
    aside = file.with_name(f"{file.name}___jb_tmp___")
    aside.write_text(text)
    aside.replace(file)


@habit
def truncated_first(file: Path, text: str) -> None:
    """As VS Code may do."""
    file.write_text("")
    time.sleep(0.06)
    file.write_text(text)


@habit
def in_pieces(file: Path, text: str) -> None:
    """As an editor on a slow disk does."""
    with file.open("w") as stream:
        for place in range(0, len(text), 200):
            stream.write(text[place : place + 200])
            stream.flush()
            time.sleep(0.005)


@habit
def as_vim_does(file: Path, text: str) -> None:
    """A swap file, a probe, the old file away as a copy, and the new one in its place."""
    swap, probe, copy = (file.with_name(n) for n in (f".{file.name}.swp", "4913", f"{file.name}~"))
    swap.write_text("b0VIM")
    probe.write_text("")
    probe.unlink()
    file.rename(copy)
    file.write_text(text)
    copy.unlink()
    swap.unlink()


@habit
def twice(file: Path, text: str) -> None:
    """By hand and at once by itself."""
    file.write_text(text)
    time.sleep(0.01)
    file.write_text(text)


def test_each_save_is_one_round_whatever_editors_do(tmp_path: Path) -> None:
    """Also while a lock of another program lies beside the file."""
    file, notebook = chain(tmp_path, 2), tmp_path / "s2.ipynb"
    with Watched(file) as watched:
        watched.until("waiting")
        (tmp_path / ".~lock.s2.ipynb#").touch()
        for number, (name, save) in enumerate(HABITS.items(), start=2):
            text = notebook.read_text()
            document = json.loads(text)
            document["cells"][-1]["source"] = f"{document['cells'][-1]['source']}\n# {name}"
            other = json.dumps(document, indent=1)
            save(notebook, other)
            watched.until("waiting", number)
            time.sleep(0.4)
            assert len(watched.watch.rounds) == number, (name, watched.notices)
    assert [states(record)["s2"] for _, record in watched.watch.rounds] == ["succeeded"] * 7


def test_a_broken_pipeline_is_told_and_watching_goes_on(tmp_path: Path) -> None:
    """pipeline.yaml, a notebook that is away, one that comes later; then all is as it would be."""
    file = chain(tmp_path, 2)
    good, notebook = file.read_text(), tmp_path / "s2.ipynb"
    with Watched(file) as watched:
        watched.until("waiting")
        file.write_text(good + "  broken: [")
        assert str(file) in watched.until("broken").text
        edit(notebook, "meanwhile")
        watched.until("broken", 2)
        file.write_text(good)
        watched.until("waiting", 2)
        assert states(watched.last) == {"s1": "cached", "s2": "succeeded"}
        notebook.rename(tmp_path / "s3.ipynb")
        assert "s2.ipynb' does not exist" in watched.until("broken", 3).text
        file.write_text(good.replace("s2.ipynb", "s4.ipynb"))
        assert "s4.ipynb' does not exist" in watched.until("broken", 4).text
        file.write_text(good.replace("s1.ipynb", "s0.ipynb").replace("s2.ipynb", "s4.ipynb"))
        both = watched.until("broken", 5).text.splitlines()
        assert [line.count("does not exist") for line in both] == [1, 1]
        file.write_text(good.replace("s2.ipynb", "s4.ipynb"))
        watched.until("broken", 6)
        (tmp_path / "s3.ipynb").rename(tmp_path / "s4.ipynb")
        watched.until("unchanged")
        edit(tmp_path / "s4.ipynb", "under its new name")
        watched.until("waiting", 3)
        assert states(watched.last) == {"s1": "cached", "s2": "succeeded"}
    assert len(watched.all("broken")) == 6  # a new name elsewhere is no reason to say it again


def test_people_are_told_of_files(tmp_path: Path) -> None:
    """A stage may ask whether its folder is there; nobody saves a folder."""
    file, missing = tmp_path / "h.py", tmp_path / "later.py"
    file.touch()
    seen = Sources(files=frozenset(map(str, (tmp_path, file, missing))))
    assert Places(sources={"s": seen}).named == {str(file), str(missing)}


def test_a_failing_stage_runs_again_at_the_next_save(tmp_path: Path) -> None:
    """A syntax error leaves what is upstream; a file that nobody has read yet may mend it."""
    need = tmp_path / "need.txt"
    body = f"from pathlib import Path\nPath(out).write_text(Path({str(need)!r}).read_text())"
    file = write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b", upstream=("a",), body=body))
    with Watched(file) as watched:
        watched.until("ended")
        assert states(watched.last) == {"a": "succeeded", "b": "failed"}
        watched.until("waiting")
        time.sleep(0.6)  # as a person does, who has read what was told
        need.write_text("there")
        said = watched.until("round", 2)
        assert said.text == "need.txt changed"
        assert said.reasons == ("b: never run; failed in the last round",)
        watched.until("waiting", 2)
        assert states(watched.last) == {"a": "cached", "b": "succeeded"}
        edit(tmp_path / "a.ipynb", "\nnot python")
        watched.until("waiting", 3)
        assert states(watched.last) == {"a": "failed", "b": "upstream_failed"}
        (tmp_path / "a.ipynb").touch()
        time.sleep(0.2)
        assert len(watched.watch.rounds) == 3
        edit(tmp_path / "a.ipynb", "python")
        watched.until("waiting", 4)
        assert states(watched.last) == {"a": "succeeded", "b": "cached"}


class Slow:
    """Runs stages as a fake does; of those named, the next attempt waits until it is let go."""

    def __init__(self, *names: str) -> None:
        self.slow, self.fake = set(names), FakeRunner()
        self.begun = {name: threading.Event() for name in names}
        self.go_on = {name: threading.Event() for name in names}

    def execute(
        self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
    ) -> ExecutionResult:
        """Wait, or be cancelled."""
        name = str(request.metadata["stage"])
        if name in self.slow:
            self.slow.discard(name)
            cancellation.subscribe(self.go_on[name].set)
            self.begun[name].set()
            assert self.go_on[name].wait(PATIENCE_S)
            if cancellation.requested:
                return ExecutionResult(status=Status.CANCELLED)
        return self.fake.execute(request, on_cell, cancellation)


def test_a_save_cancels_what_it_makes_stale_and_nothing_else(tmp_path: Path) -> None:
    """Of two attempts under way one is about the edited notebook; the other comes to its end."""
    file = write_pipeline(tmp_path, *(Sketch(name=name) for name in ("stale", "other", "later")))
    runner = Slow("stale", "other")
    with Watched(file, runner) as watched:
        assert all(begun.wait(PATIENCE_S) for begun in runner.begun.values())
        edit(tmp_path / "stale.ipynb", "edited")
        assert watched.until("stale").text == "stale.ipynb changed: this round is withdrawn"
        assert runner.go_on["stale"].wait(PATIENCE_S)  # it was cancelled
        assert watched.all("ended") == []
        assert not runner.go_on["other"].is_set()
        runner.go_on["other"].set()
        ended = watched.until("ended")
        assert ended.is_withdrawn
        assert ended.record is not None
        assert states(ended.record) == {
            "stale": "cancelled",
            "other": "succeeded",
            "later": "cancelled",
        }
        watched.until("waiting")
        assert states(watched.last) == {
            "stale": "succeeded",
            "other": "cached",
            "later": "succeeded",
        }


def test_a_save_that_is_about_nothing_in_the_round_waits_for_its_end(tmp_path: Path) -> None:
    """With --until, what is downstream may be edited at will."""
    file, runner = chain(tmp_path, 3), Slow("s2")
    with Watched(file, runner, RunOptions(until="s2")) as watched:
        assert runner.begun["s2"].wait(PATIENCE_S)
        edit(tmp_path / "s3.ipynb", "edited")
        time.sleep(0.3)
        assert watched.all("stale") == []
        runner.go_on["s2"].set()
        assert watched.until("unchanged").text == "s3.ipynb saved, nothing changed"
        assert len(watched.watch.rounds) == 1


def test_a_stage_that_writes_what_it_reads_does_not_run_without_end(tmp_path: Path) -> None:
    """Its file changes in every round: the second time that starts nothing, and this is told."""
    log = tmp_path / "seen.txt"
    log.write_text("")
    body = (
        "from pathlib import Path\n"
        f"log = Path({str(log)!r})\n"
        "log.write_text(log.read_text() + 'x')\n"
        "Path(out).write_text('done')"
    )
    file = write_pipeline(tmp_path, Sketch(name="a", body=body))
    runner = FakeRunner({"a": [Returns(modules={"seen": str(log)})]})
    with Watched(file, runner) as watched:
        watched.until("waiting")
        time.sleep(1.0)
        assert len(watched.watch.rounds) <= 3
        count = len(watched.watch.rounds)
        edit(tmp_path / "a.ipynb", "edited")
        watched.until("round", count + 1)
        time.sleep(1.0)
        assert len(watched.watch.rounds) <= count + 3


def test_a_log_of_the_watch_in_the_project_starts_nothing(tmp_path: Path) -> None:
    """A stage has failed, any save there may mend it; but not the watch's own words."""
    file = write_pipeline(tmp_path, Sketch(name="a", body="1 / 0"))

    class Logged(Watched):
        """Writes every notice into a file beside pipeline.yaml, as a shell's `>` does."""

        def _take(self, notice: Notice) -> None:
            with (tmp_path / "told.txt").open("a") as log:
                log.write(f"{notice.text}\n")
            super()._take(notice)

    with Logged(file) as watched:
        watched.until("waiting")
        time.sleep(0.8)
        (tmp_path / "a.ipynb").touch()
        watched.until("unchanged")
        time.sleep(0.8)
        assert len(watched.watch.rounds) == 1


def test_what_was_saved_while_a_stage_read_it_is_read_again(tmp_path: Path) -> None:
    """Nobody knew the file before the stage ran; it runs once more, and not without end."""
    file, data = chain(tmp_path, 1), tmp_path / "data.json"
    data.write_text("0")
    fake, attempts = FakeRunner(), list[int]()

    class Reader:
        """Its first attempts read a file that is saved behind their backs."""

        def execute(
            self, request: ExecutionRequest, on_cell: OnCell, cancellation: Cancellation
        ) -> ExecutionResult:
            """Read, and be overtaken."""
            attempts.append(1)
            marks = file_marks(str(data))
            if len(attempts) == 1:
                data.write_text("12")
            result = fake.execute(request, on_cell, cancellation)
            begin = ["begin", 0, str(request.folder), [str(request.folder)]]
            return replace(result, records=(begin, ["read", str(data), None, marks]))

    with Watched(file, Reader()) as watched:
        watched.until("waiting")
        assert [notice.text for notice in watched.all("round")] == [
            "first round of sketched",
            "once more",
        ]
        assert len(attempts) == 2


def test_parameter_files_and_maps_are_watched(tmp_path: Path) -> None:
    """A value, another list, a comment; a round says so once for all instances."""
    values, folder = tmp_path / "values.yaml", tmp_path / "tree"
    values.write_text("level: 1")
    each = Sketch(
        name="each",
        body="from pathlib import Path\nPath(out).write_text(f'{level}{n}')",
        declares="level: int = 0\nn: int = 0",
        keys={"foreach": {"n": [1, 2]}},
    )
    file = write_pipeline(folder, each, parameters={"level": 0})
    with Watched(file, files=(values,)) as watched:
        watched.until("waiting")
        values.write_text("level: 2")
        said = watched.until("round", 2)
        assert said.text == "../values.yaml changed"
        assert said.reasons == ("each: parameter level: 1 → 2 (2 instances)",)
        watched.until("waiting", 2)
        values.write_text("level: 2  # as before")
        assert watched.until("unchanged").text == "../values.yaml saved, nothing changed"
        file.write_text(file.read_text().replace("- 2", "- 3"))
        assert watched.until("round", 3).reasons == ("each: never run", "each: is gone")
        watched.until("waiting", 3)
        assert states(watched.last) == {"each[1]": "cached", "each[3]": "succeeded"}
        values.write_text("level: [")
        assert "values.yaml" in watched.until("broken").text


def test_nobody_is_notified(tmp_path: Path) -> None:
    """Somebody looks on, and a failing edit is no alarm."""
    notifier = RecordingNotifier()
    notify = {"on_failure": ["json://localhost"], "on_success": ["json://localhost"]}
    file = write_pipeline(tmp_path, Sketch(name="a", keys={"notify": notify}))
    with Watched(file, notifier=notifier) as watched:
        watched.until("waiting")
        edit(tmp_path / "a.ipynb", "\n1 / 0")
        watched.until("waiting", 2)
    assert notifier.sent == []


def test_a_mistake_before_the_first_round_is_one(tmp_path: Path) -> None:
    """And a second watch of the same pipeline is refused."""
    file = chain(tmp_path, 1)
    with Watched(file) as watched:
        watched.until("waiting")
        with pytest.raises(UsageError, match="is watched already"):
            Watched(file).watch.run()
    file.write_text("name: [")
    with pytest.raises(PipelineError):
        Watched(file).watch.run()


def test_the_record_stays_compact(tmp_path: Path) -> None:
    """Ten rounds stay; the results of all stay, and go with the newest."""
    file = chain(tmp_path, 1)
    with Watched(file) as watched:
        for number in range(1, 13):
            watched.until("waiting", number)
            edit(tmp_path / "s1.ipynb", str(number % 12))
        watched.until("waiting", 13)
    runs = [place.name for place in (tmp_path / "runs").iterdir() if (place / "run.json").exists()]
    assert len(set(runs) - {"latest"}) == 10
    edit(tmp_path / "s1.ipynb", "1")
    again = run_fake(file, runs_dir=tmp_path / "runs")
    assert states(again) == {"s1": "cached"}


def _tree(folder: Path) -> Path:
    """Two notebooks that read a file each, one that joins them, and one that is there to print."""
    read = "from pathlib import Path\nPath(out).write_text(f'{name}{Path(given).read_text()}')"
    for name in ("left", "right"):
        (folder / f"{name}.txt").write_text("0")
    sketches = [
        Sketch(
            name=name,
            body=read,
            declares=f'name: str = "{name}"\nlevel: int = 1\ngiven: str = ""',
            keys={"inputs": {"given": f"file:{name}.txt"}},
        )
        for name in ("left", "right")
    ]
    join = Sketch(name="join", upstream=("left", "right"))
    last = Sketch(name="last", upstream=("join",), file="", body="print(join)")
    return write_pipeline(folder, *sketches, join, last, parameters={"level": 1})


def _edits(folder: Path, chance: random.Random) -> Iterator[str]:
    """Edits without end, some of which are taken back, and some of which break something."""
    file = folder / "pipeline.yaml"
    good = file.read_text()
    while True:
        kind = chance.choice(("notebook", "input", "parameter", "broken", "failing", "touch"))
        name, value = chance.choice(("left", "right", "join")), chance.randrange(3)
        if kind == "notebook":
            edit(folder / f"{name}.ipynb", str(value))
        elif kind == "input":
            (folder / f"{chance.choice(('left', 'right'))}.txt").write_text(str(value))
        elif kind == "parameter":
            file.write_text(good.replace("level: 1", f"level: {value}"))
        elif kind == "broken":
            file.write_text(good + "  what: [")
        elif kind == "failing":
            edit(folder / f"{name}.ipynb", "\n1 / 0")
        else:
            (folder / f"{name}.ipynb").touch()
        yield kind
        if kind == "broken":
            file.write_text(good)
        if kind == "failing":
            edit(folder / f"{name}.ipynb", "mended")


def _made(record: RunRecord) -> dict[str, tuple[str, dict[str, str]]]:
    return {
        name: (
            "fine" if item.status in (Status.SUCCEEDED, Status.CACHED) else item.status.value,
            {key: made.digest for key, made in item.artifacts.items()},
        )
        for name, item in record.stages.items()
    }


def test_after_any_edits_the_results_are_those_of_a_fresh_run(tmp_path: Path) -> None:
    """Whatever was saved in whatever haste, the last round has made what a fresh run makes."""
    seed = random.randrange(10**6)
    chance, folder = random.Random(seed), tmp_path / "tree"
    folder.mkdir()
    file = _tree(folder)
    edits = _edits(folder, chance)
    with Watched(file) as watched:
        watched.until("waiting")
        for number in range(8):
            done = [next(edits)]
            for _ in range(chance.randrange(4)):
                time.sleep(chance.choice((0, 0, 0.02, 0.1)))
                done.append(next(edits))
            if done[-1] in ("broken", "failing"):
                done.append(next(edits))
            if done[-1] == "broken":
                continue
            fresh = _made(run_fake(file, runs_dir=tmp_path / f"fresh-{number}"))
            deadline = time.monotonic() + PATIENCE_S
            while _made(watched.last) != fresh:
                assert time.monotonic() < deadline, (seed, done, watched.notices[-6:], fresh)
                time.sleep(0.02)
