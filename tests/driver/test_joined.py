"""`--only`, `--until` and `--run-id`: parts of a run, also from many processes."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlkit import RunOptions, find_run, load_pipeline, run
from mlkit.api.old_runs import clean
from mlkit.core.events import EventKind
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.driver.joined import joined_status, with_uncalled
from mlkit.errors import UsageError
from mlkit.load.parameters import Layers
from mlkit.notebook.notebook_runner import ExecutionRequest
from mlkit.testing import (
    FakeRunner,
    Raises,
    RecordingObserver,
    Sketch,
    branching,
    chain,
    diamond,
    dynamic_map,
    fan_out_fan_in,
    mapped,
    run_fake,
    write_notebook,
    write_pipeline,
)
from mlkit.testing.engine_pipelines import chains
from mlkit.testing.running import fake_services


def _join(file: Path, stage: str, **rest: Any) -> RunRecord:
    return run_fake(file, only=stage, run_id="joined", **rest)


def test_an_orchestrators_run_id_is_taken_as_it_is(tmp_path: Path) -> None:
    """Airflow's hold colons and plus signs."""
    run_id = "scheduled__2026-01-01T00:00:00+00:00"
    record = run_fake(chain(tmp_path, 1), only="s1", run_id=run_id)
    assert record.run_id == run_id
    assert (tmp_path / "runs" / run_id / "s1" / "s1.txt").is_file()


def test_a_run_is_put_together_stage_by_stage(tmp_path: Path) -> None:
    """It is one record, running until the last has ended, and then the latest run."""
    file = diamond(tmp_path)
    for stage in ("top", "left", "right"):
        assert _join(file, stage).status == "running"
    record = _join(file, "bottom")
    assert record.status == "succeeded"
    assert list(record.stages) == ["top", "left", "right", "bottom"]
    assert find_run("latest", tmp_path / "runs").stages == record.stages
    document = json.loads((tmp_path / "runs" / "joined" / "run.json").read_text())
    assert document == record.to_full_json()


def test_a_stage_that_has_ended_in_the_run_is_not_repeated(tmp_path: Path) -> None:
    """The task of an orchestrator may be called twice."""
    file = chain(tmp_path, 2)
    _join(file, "s1")
    runner = FakeRunner()
    _join(file, "s1", runner=runner)
    assert runner.stages == []


@pytest.mark.parametrize(
    ("first", "second", "fact"),
    [
        ({"x": 1}, {"x": 2}, "began with x=1, and this call has x=2"),
        ({}, {"x": 2}, "began with x=0, and this call has x=2"),
        ({"y": "a"}, {"y": "b"}, 'began with y="a", and this call has y="b"'),
        ({"b.x": 1}, {"b.x": 2}, "began with b.x=1, and this call has b.x=2"),
    ],
)
def test_a_run_is_not_joined_with_other_parameters(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], fact: str
) -> None:
    """Its record shows one value for all of its stages; the same ones again are welcome."""
    stages = [Sketch(name=n, declares="x: int = 5\ny: str = 'b'") for n in ("a", "b")]
    file = write_pipeline(tmp_path, *stages, parameters={"x": 0})
    _join(file, "a", parameters=first)
    runner = FakeRunner()
    for stage in ("a", "b"):
        with pytest.raises(UsageError, match=fact) as caught:
            _join(file, stage, parameters=second, runner=runner)
        assert "another --run-id" in str(caught.value)
    assert runner.stages == []
    assert _join(file, "b", parameters=first).status == "succeeded"


def test_a_call_has_the_parameters_with_which_its_run_began(tmp_path: Path) -> None:
    """It need not say them again; what is new in it is a matter of its own stage."""
    writes = "open(out, 'w').write(f'{x} {y}')"
    stages = [Sketch(name=n, declares="x: int = 5\ny: str = 'b'", body=writes) for n in "abc"]
    file = write_pipeline(tmp_path, *stages, parameters={"x": 0})
    _join(file, "a", parameters={"x": 1, "c.y": "own"})
    _join(file, "b", parameters={"b.y": "new"})
    record = _join(file, "c")
    found = [Path(stage.outputs["out"]).read_text() for stage in record.stages.values()]
    assert found == ["1 b", "1 new", "1 own"]
    assert record.parameters["x"] == 1


def test_a_secret_is_given_to_the_calls_that_need_it(tmp_path: Path) -> None:
    """No record shows it, and it counts for no result."""
    stages = [Sketch(name=n, declares="t: mlkit.Secret = ''") for n in ("a", "b", "c")]
    file = write_pipeline(tmp_path, *stages)
    _join(file, "a", parameters={"t": "hunter22"})
    _join(file, "b", parameters={"t": "another-one"})
    assert _join(file, "c").status == "succeeded"


def test_a_default_that_changes_meanwhile_is_todays_code(tmp_path: Path) -> None:
    """An orchestrator's run goes on after an edit, as a resumed one does."""
    stages = [Sketch(name=n, declares="x: int = 5") for n in ("a", "b")]
    file = write_pipeline(tmp_path, *stages, parameters={"x": 0})
    _join(file, "a")
    file.write_text(file.read_text().replace("x: 0", "x: 1"))
    assert _join(file, "b").status == "succeeded"


def test_a_missing_upstream_is_refused(tmp_path: Path) -> None:
    """With what has to be run first; it has to be in this very run."""
    file = chain(tmp_path, 2)
    run_fake(file)
    with pytest.raises(UsageError) as caught:
        _join(file, "s2")
    assert str(caught.value) == (
        "stage 's2' reads s1.out, but in run joined stage 's1' has not run. "
        "Run it first: --only 's1' --run-id joined"
    )


@pytest.mark.parametrize("kind", ["one", "mapped", "chained"])
def test_what_a_stage_only_comes_after_may_not_have_begun(tmp_path: Path, kind: str) -> None:
    """Its trigger rule says whether that matters; a value that the list lacks is another thing."""
    over = {"foreach": {"x": ["p", "q"]}}
    first = Sketch(name="a", declares='x: str = ""', keys={} if kind == "one" else over)
    after: dict[str, Any] = {"after": ["a", "c"], "trigger": "always"}
    if kind == "chained":
        after |= {"after": ["a[x]", "c"], **over}
    last = Sketch(name="b", declares='x: str = ""', keys=after)
    name = "b[q]" if kind == "chained" else "b"
    for trigger, begins in (("always", True), ("one_success", True), ("all_done", False)):
        last = replace(last, keys={**after, "trigger": trigger})
        file = write_pipeline(tmp_path / trigger, first, Sketch(name="c"), last)
        _join(file, "c")
        if begins:
            record = _join(file, name)
            assert record.stages[name].status == "succeeded"
            assert (record.status, list(record.stages)) == ("running", ["c", name])
            continue
        missing = {"one": "a", "mapped": r"a\[p\]", "chained": r"a\[q\]"}[kind]
        with pytest.raises(UsageError, match=f"comes after .*stage '{missing}' has not run. Run"):
            _join(file, name)


@pytest.mark.parametrize("values", [["p", "q"], "top.out"])
def test_a_map_that_has_begun_in_part_has_not_ended(tmp_path: Path, values: Any) -> None:
    """Whether its values stand in the file or in an artifact: what comes after it waits for all."""
    over = {"foreach": {"x": values}}
    for trigger, begins in (("all_success", False), ("all_done", False), ("one_success", True)):
        file = write_pipeline(
            tmp_path / trigger,
            Sketch(name="top", body="open(out, 'w').write('[\"p\", \"q\"]')", file="list.json"),
            Sketch(name="a", declares='x: str = ""', keys=over),
            Sketch(name="b", keys={"after": ["a"], "trigger": trigger}),
        )
        _join(file, "top")
        _join(file, "a[q]")
        if begins:
            assert _join(file, "b").stages["b"].status == "succeeded"
            continue
        with pytest.raises(UsageError, match=r"comes after a\[p\], .* stage 'a\[p\]' has not run"):
            _join(file, "b")
        _join(file, "a[p]")
        assert _join(file, "b").status == "succeeded"


def test_every_instance_has_to_be_there(tmp_path: Path) -> None:
    """A stage that reads a mapped one does not go on with half of it."""
    file = mapped(tmp_path)
    _join(file, "each[c]")
    _join(file, "each[a]")
    with pytest.raises(UsageError, match=r"stage 'each\[b\]' has not run"):
        _join(file, "all")
    _join(file, "each[b]")
    record = _join(file, "all")
    assert Path(record.stages["all"].outputs["out"]).read_text() == "a,b,c"
    assert list(record.stages) == ["each[a]", "each[b]", "each[c]", "all"]
    assert record.status == "succeeded"


def test_instances_of_a_list_from_an_artifact(tmp_path: Path) -> None:
    """One that the list does not have is refused; of an empty list, each is skipped."""
    file = dynamic_map(tmp_path)
    _join(file, "choose")
    with pytest.raises(UsageError, match=r"stage 'each' has no instance 'each\[z\]'"):
        _join(file, "each[z]")
    for value in ("b", "c", "a"):
        _join(file, f"each[{value}]")
    assert Path(_join(file, "all").stages["all"].outputs["out"]).read_text() == "a,b,c"
    empty = dynamic_map(tmp_path / "empty", [])
    _join(empty, "choose")
    assert _join(empty, "each[a]").stages["each"].status == "skipped"


def test_a_failure_fails_the_run_until_it_is_repeated(tmp_path: Path) -> None:
    """The orchestrator decides whether it tries again; mlkit's own retries stay out of it."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", keys={"retry": {"max_retries": 3}}),
        Sketch(name="b", upstream=("a",)),
    )
    runner = FakeRunner({"a": [Raises()]})
    assert _join(file, "a", runner=runner).status == "failed"
    assert runner.executed == [("a", 1)]
    with pytest.raises(UsageError, match="stage 'a' is failed"):
        _join(file, "b")
    again = _join(file, "a")
    assert [a.number for a in again.stages["a"].history] == [1, 2]
    assert _join(file, "b").status == "succeeded"


def test_a_stage_that_its_trigger_rule_skips_is_skipped(tmp_path: Path) -> None:
    """Whatever became of what it would read: nothing that is run first would let it start."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", body="1 / 0", keys={"critical": False}),
        Sketch(name="b"),
        Sketch(name="c", upstream=("a", "b"), keys={"trigger": "all_failed"}),
    )
    for stage in ("a", "b"):
        _join(file, stage)
    record = _join(file, "c")
    assert record.stages["c"].status == "skipped"
    assert (record.status, run_fake(file, runs_dir=tmp_path / "here").status) == (
        *("succeeded", "succeeded"),
    )


def test_a_trigger_that_allows_it_goes_on_after_a_failure(tmp_path: Path) -> None:
    """The input arrives as None."""
    file = write_pipeline(
        tmp_path, Sketch(name="a"), Sketch(name="b", upstream=("a",), keys={"trigger": "all_done"})
    )
    _join(file, "a", runner=FakeRunner({"a": [Raises()]}))
    assert _join(file, "b").stages["b"].status == "succeeded"


def test_a_branch_that_is_not_taken_ends_the_run_all_the_same(tmp_path: Path) -> None:
    """Also if the orchestrator never asks for what is downstream of a skip."""
    file = branching(tmp_path)
    _join(file, "decide")
    assert _join(file, "no").stages["no"].status == "skipped"
    _join(file, "yes")
    assert _join(file, "finish").status == "succeeded"


def test_what_an_orchestrator_skips_counts_as_ended(tmp_path: Path) -> None:
    """By the trigger rules, as the loop itself would have it. Pure."""
    pipeline = load_pipeline(chain(tmp_path, 3))

    def record(name: str, status: Status) -> StageRecord:
        return StageRecord(id=name, stage=name, status=status)

    skipped = {"s1": record("s1", Status.SKIPPED)}
    assert joined_status(pipeline, skipped) is RunStatus.SUCCEEDED
    assert joined_status(pipeline, {"s1": record("s1", Status.SUCCEEDED)}) is RunStatus.RUNNING
    assert joined_status(pipeline, {"s1": record("s1", Status.FAILED)}) is RunStatus.FAILED
    assert joined_status(pipeline, {}) is RunStatus.RUNNING


def test_a_list_is_in_order_whichever_was_first(tmp_path: Path) -> None:
    """Machines tell of their instances as these end. Pure."""
    pipeline = load_pipeline(mapped(tmp_path))
    ended = {
        key: StageRecord(id=key, stage="each", status=Status.SUCCEEDED)
        for key in ("each[c]", "each[a]", "each[b]")
    }
    assert list(with_uncalled(pipeline, ended)) == ["each[a]", "each[b]", "each[c]"]


def test_one_value_of_a_chain_is_settled_by_itself(tmp_path: Path) -> None:
    """Although the other values have not begun: nothing that it refers to is still to come."""
    file = chains(tmp_path)
    _join(file, "decide")
    _join(file, "collect[3]", runner=FakeRunner({"collect[3]": [Raises()]}))
    record = _join(file, "tidy[3]")
    assert {key: item.status.value for key, item in record.stages.items()} == {
        **{"decide": "succeeded", "collect[3]": "failed", "tidy[3]": "succeeded"},
        **dict.fromkeys(
            ('train[3,"tree, small"]', "train[3,linear]", "best[3]"), "upstream_failed"
        ),
    }


def _in_a_process(file: str, stage: str) -> None:
    _join(Path(file), stage)


def _together(file: Path, stages: list[str]) -> list[int | None]:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_in_a_process, args=(str(file), s)) for s in stages]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    return [worker.exitcode for worker in workers]


def test_many_processes_join_one_run_at_once(tmp_path: Path) -> None:
    """Each stage ends once, the same stage wanted twice too, and the record is whole."""
    file = fan_out_fan_in(tmp_path, 3)
    assert _together(file, ["source", "source"]) == [0, 0]
    assert _together(file, ["mid1", "mid2", "mid3", "mid2"]) == [0] * 4
    record = _join(file, "sink")
    assert record.status == "succeeded"
    assert {stage.attempts for stage in record.stages.values()} == {1}
    assert find_run("joined", tmp_path / "runs").status == "succeeded"
    assert json.loads((tmp_path / "runs" / "joined" / "run.json").read_text())["ended"]


def test_a_join_behind_a_branch_that_an_orchestrator_skipped(tmp_path: Path) -> None:
    """Nobody called the skipped stage; its record is written, and what comes behind it runs."""
    body = "from pathlib import Path\nPath(out).write_text(f'{yes is None} {no is None}')"
    file = branching(tmp_path)
    text = file.read_text().replace(
        "  finish:\n", "  finish:\n    inputs: {yes: yes.out, no: no.out}\n"
    )
    file.write_text(text)
    write_notebook(
        tmp_path / "finish.ipynb",
        body,
        parameters='yes: str | None = None\nno: str | None = None\nout: str = "scratch/f.txt"',
    )
    for stage in ("decide", "yes"):
        assert _join(file, stage).status == "running"
    record = _join(file, "finish")
    assert (record.status, record.stages["no"].status) == ("succeeded", Status.SKIPPED)
    assert record.stages["no"].reason == 'decide.out is "yes", not "no"'
    assert Path(record.stages["finish"].outputs["out"]).read_text() == "False True"
    assert run_fake(file).stages["no"].reason == record.stages["no"].reason


def test_an_empty_list_needs_no_call(tmp_path: Path) -> None:
    """What reads the mapped stage receives an empty list."""
    file = dynamic_map(tmp_path, ())
    _join(file, "choose")
    record = _join(file, "all")
    assert (record.status, record.stages["each"].status) == ("succeeded", Status.SKIPPED)
    assert Path(record.stages["all"].outputs["out"]).read_text() == ""


def test_what_was_worked_out_is_forgotten_when_a_retry_succeeds(tmp_path: Path) -> None:
    """First its failure settles what is behind it; then it succeeds after all."""
    file = chain(tmp_path, 3)
    failed = _join(file, "s1", runner=FakeRunner({"s1": [Raises()]}))
    assert failed.stages["s3"].status is Status.UPSTREAM_FAILED
    assert list(_join(file, "s1").stages) == ["s1"]
    _join(file, "s2")
    assert _join(file, "s3").status == "succeeded"


def test_the_record_keeps_the_engines_ids(tmp_path: Path) -> None:
    """Of the run, and of the task of each stage; also in run.json."""
    environ = {
        "MLKIT_ENGINE": "airflow",
        "MLKIT_ENGINE_RUN_ID": "manual__1",
        "MLKIT_ENGINE_TASK_ID": "s1",
    }
    file = chain(tmp_path, 1)
    services = replace(fake_services(), environ=environ)
    record = run(
        file,
        layers=Layers(),
        options=RunOptions(only="s1", run_id="joined"),
        services=services,
    )
    assert record.engine == {"name": "airflow", "run_id": "manual__1"}
    kept = find_run("joined", tmp_path / "runs")
    assert (kept.engine, kept.stages["s1"].engine_task) == (record.engine, "s1")
    document = json.loads((tmp_path / "runs" / "joined" / "run.json").read_text())
    assert document["engine"] == record.engine
    assert document["stages"]["s1"]["engine_task"] == "s1"


def test_a_task_that_a_person_clears_does_its_stage_anew(tmp_path: Path) -> None:
    """A retry of the engine's keeps what has succeeded; a new round of it does it once more."""
    file = chain(tmp_path, 1)

    def call(round_: int, *raises: Raises) -> list[str]:
        environ = {"MLKIT_ENGINE": "airflow", "MLKIT_ENGINE_ROUND": str(round_)}
        services = replace(fake_services(runner=FakeRunner({"s1": list(raises)})), environ=environ)
        options = RunOptions(only="s1", run_id="joined")
        record = run(file, layers=Layers(), options=options, services=services)
        return [attempt.status.value for attempt in record.stages["s1"].history]

    assert call(1) == ["succeeded"]
    assert call(1) == ["succeeded"]
    assert call(2, Raises()) == ["succeeded", "failed"]
    assert call(2) == ["succeeded", "failed", "succeeded"]  # the engine's retry of the new round
    assert call(2) == ["succeeded", "failed", "succeeded"]
    kept = find_run("joined", tmp_path / "runs")
    assert kept.stages["s1"].engine_round == 2


def test_a_sensor_gives_up_at_once_where_the_engine_has_waited(tmp_path: Path) -> None:
    """The record says the same as if mlkit had waited."""
    sensor = {"path": "nothing.txt", "every": "1s", "timeout": "1h"}
    file = write_pipeline(tmp_path, Sketch(name="s", keys={"wait_for": sensor}))
    environ = {"MLKIT_ENGINE": "prefect", "MLKIT_ENGINE_WAITED": "1"}
    services = replace(fake_services(), environ=environ)
    options = RunOptions(only="s", run_id="joined")
    record = run(file, layers=Layers(), options=options, services=services)
    error = record.stages["s"].error
    assert error is not None
    assert (error.type, error.message.endswith(" in 1 h 00 min")) == ("SensorTimeout", True)
    assert record.seconds < 60


def test_a_value_that_the_list_does_not_have_fails_its_reader(tmp_path: Path) -> None:
    """As in a run of its own: it is no artifact that could still be made."""
    one = Sketch(name="one", declares="x: str = ''", keys={"inputs": {"x": "each[z].out"}})
    choose = Sketch(
        name="choose",
        body="from pathlib import Path\nPath(out).write_text('[\"a\"]')",
        file="values.json",
    )
    each = Sketch(name="each", declares="v: str = ''", keys={"foreach": {"v": "choose.out"}})
    file = write_pipeline(tmp_path, choose, each, one)
    for stage in ("choose", "each[a]"):
        _join(file, stage)
    record = _join(file, "one").stages["one"]
    assert record.error is not None
    assert record.error == run_fake(file).stages["one"].error


def test_one_stage_of_a_run_gets_a_kernel_of_its_own(tmp_path: Path) -> None:
    """A process to fork others from would be started for nothing."""
    record = _join(chain(tmp_path, 1), "s1")
    assert record.options["start"] == "spawn"


def _events(tmp_path: Path, run_id: str) -> list[dict[str, Any]]:
    text = (tmp_path / "runs" / run_id / "events.jsonl").read_text("utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def _ends(tmp_path: Path, run_id: str) -> list[str]:
    return [e["status"] for e in _events(tmp_path, run_id) if e["event"] == "run_finished"]


class _Task:
    """A process of an orchestrator, in a thread: it enters its stage, and leaves it when told."""

    def __init__(self, file: Path, stage: str) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        self.seen = RecordingObserver()

        def wait(request: ExecutionRequest) -> None:
            self.entered.set()
            assert self.leave.wait(30)

        runner = FakeRunner({stage: [wait]})
        self.thread = threading.Thread(
            target=lambda: run_fake(
                file, only=stage, run_id="joined", runner=runner, observers=[self.seen]
            )
        )

    def start(self) -> None:
        self.thread.start()
        assert self.entered.wait(30)

    def end(self) -> None:
        self.leave.set()
        self.thread.join(30)


@pytest.mark.parametrize("order", sorted(set(itertools.permutations("aabb"))))
def test_a_run_of_many_processes_ends_once(tmp_path: Path, order: tuple[str, ...]) -> None:
    """However they overlap; each process's own observers are told of its end."""
    file = write_pipeline(tmp_path, Sketch(name="a"), Sketch(name="b"))
    tasks = {name: _Task(file, name) for name in "ab"}
    steps = {name: iter((task.start, task.end)) for name, task in tasks.items()}
    for name in order:
        next(steps[name])()
    assert _ends(tmp_path, "joined") == ["succeeded"]
    assert _events(tmp_path, "joined")[-1]["event"] == "run_finished"
    assert find_run("joined", tmp_path / "runs").status is RunStatus.SUCCEEDED
    for task in tasks.values():
        assert [e.kind for e in task.seen.events].count(EventKind.RUN_FINISHED) == 1


def test_a_joined_run_ends_when_nothing_is_to_come(tmp_path: Path) -> None:
    """A failure alone does not end it; a task that is tried again reopens it."""
    file = write_pipeline(
        tmp_path, Sketch(name="a"), Sketch(name="b"), Sketch(name="c", upstream=("a",))
    )
    run_fake(file, only="a", run_id="joined", runner=FakeRunner({"a": [Raises()]}))
    assert _ends(tmp_path, "joined") == []
    record = find_run("joined", tmp_path / "runs")
    assert (record.status, record.ended) == (RunStatus.FAILED, None)
    run_fake(file, only="b", run_id="joined")
    assert _ends(tmp_path, "joined") == ["failed"]
    run_fake(file, only="a", run_id="joined")
    run_fake(file, only="c", run_id="joined")
    assert _ends(tmp_path, "joined") == ["failed", "succeeded"]


def test_a_joined_run_that_is_cleaned_is_named(tmp_path: Path) -> None:
    """A task that comes after the stated time is told what is missing."""
    file = chain(tmp_path, 2)
    run_fake(file, only="s1", run_id="R1")
    clean(tmp_path / "runs", keep=0, dry_run=False, unfinished_for_s=0.0)
    with pytest.raises(UsageError):
        run_fake(file, only="s2", run_id="R1")
