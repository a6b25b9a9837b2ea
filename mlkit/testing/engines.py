"""The contract of engines: what every engine must do, run for real.

An engine passes by subclassing: `class TestAirflow(EngineContract): engine = "airflow"`, and
`own_states`, which asks the engine itself how its tasks ended. Each test writes a small pipeline of
real notebooks, runs it here and on the engine, and holds the two records against each other:
states, attempts, and the digest of every artifact.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mlkit.api.engine_runs import run_on
from mlkit.api.exports import export, write_export
from mlkit.api.local_run import run
from mlkit.api.records import find_run
from mlkit.api.resuming import resume
from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.states import RunStatus, Status
from mlkit.driver.options import RunOptions
from mlkit.engines.environments import core_executable, engine_python
from mlkit.engines.launching import Order
from mlkit.engines.registry import engine_named, launcher_of
from mlkit.errors import UnsupportedByEngineError
from mlkit.load.parameters import Layers
from mlkit.testing.engine_pipelines import (
    chains,
    decided_elsewhere,
    dynamic_chain,
    empty_list,
    endless,
    everything,
    flaky,
    held_up,
    many_failures,
    never_comes,
    no_lists,
    not_critical,
    told,
    typed,
)
from mlkit.testing.shapes import branching, chain, diamond, dynamic_map, mapped, product

__all__ = ["EngineContract", "digests", "reasons", "statuses"]


def digests(record: RunRecord) -> dict[str, dict[str, str]]:
    """The digest of every artifact of a run, by instance and output."""
    return {
        key: {name: artifact.digest for name, artifact in item.artifacts.items()}
        for key, item in record.stages.items()
    }


def statuses(record: RunRecord) -> dict[str, str]:
    """How every stage ended; a reused result counts as a success."""
    return {key: _plain(item) for key, item in record.stages.items()}


def reasons(record: RunRecord) -> dict[str, str]:
    """Why every stage ran, or did not."""
    return {key: item.reason for key, item in record.stages.items()}


def _plain(item: StageRecord) -> str:
    status = Status.SUCCEEDED if item.status is Status.CACHED else item.status
    return status.value


class EngineContract(ABC):
    """Subclass it, name the engine, and say how to ask the engine for its own states."""

    engine: ClassVar[str]
    loops_after_failures: ClassVar[bool] = True
    """Whether a stage over a list in an artifact may run although something failed."""

    @abstractmethod
    def own_states(self, record: RunRecord) -> Mapping[str, str]:
        """Ask the engine how a run's tasks ended.

        Parameters
        ----------
        record : RunRecord
            The run; its folder holds what the engine left in `engine/`.

        Returns
        -------
        mapping of str to str
            Instance id to `success`, `failed`, `skipped`, or another word of the engine's.
        """

    @pytest.fixture
    def shared_url(self, tmp_path: Path) -> str:
        """The URL of an empty place; a suite that has a store of its own gives that one's."""
        return f"file://{tmp_path}/shared"

    def on_engine(self, file: Path, runs_dir: Path, **parameters: Any) -> RunRecord:
        """Run a pipeline on the engine."""
        options = RunOptions(workers=2)
        layers = Layers(environ={}, values=parameters)
        return run_on(file, self.engine, layers=layers, runs_dir=runs_dir, options=options)

    def here(self, file: Path, runs_dir: Path, **parameters: Any) -> RunRecord:
        """Run a pipeline in this process."""
        return run(file, layers=Layers(environ={}, values=parameters), runs_dir=runs_dir)

    def both(self, file: Path, **parameters: Any) -> tuple[RunRecord, RunRecord]:
        """Run a pipeline here and on the engine, in a runs folder each; see that they agree."""
        local = self.here(file, file.parent / "here", **parameters)
        there = self.on_engine(file, file.parent / "there", **parameters)
        assert (there.status, statuses(there)) == (local.status, statuses(local)), there.warnings
        assert digests(there) == digests(local)
        assert there.engine is not None
        assert there.engine["name"] == self.engine
        assert there.engine["run_id"]
        ran = [item for item in there.stages.values() if item.history]
        assert all(item.engine_task for item in ran)
        return local, there

    def test_everything_at_once(self, tmp_path: Path) -> None:
        """Chain, diamond, branch, join, both kinds of map, retry, sensor; then all is cached."""
        file = everything(tmp_path / "pipeline")
        ready = tmp_path / "ready.txt"
        given = {"marker": str(tmp_path / "marker")}
        timer = threading.Timer(6.0, lambda: ready.write_text("now", "utf-8"))
        timer.start()
        there = self.on_engine(file, tmp_path / "there", **given)
        timer.join()
        assert there.ok, (statuses(there), there.warnings)
        assert statuses(there)["no"] == "skipped"
        assert there.stages["flaky"].attempts == 2
        started = there.stages["sensing"].history[0].started
        assert started >= ready.stat().st_mtime
        assert {self.own_states(there)[key] for key in ("top", "join")} == {"success"}
        local = self.here(file, tmp_path / "here", **given)
        assert (statuses(there), digests(there)) == (statuses(local), digests(local))
        again = self.on_engine(file, tmp_path / "there", **given)
        ended = {item.status for item in again.stages.values()}
        assert (again.ok, ended) == (True, {Status.CACHED, Status.SKIPPED})
        assert digests(again) == digests(local)

    @pytest.mark.slow
    def test_what_fails_fails_in_the_engines_own_state(self, tmp_path: Path) -> None:
        """Raised, not retried against the policy, timed out; the rest goes on, or cannot."""
        file = many_failures(tmp_path / "pipeline")
        local, there = self.both(file)
        assert there.status is RunStatus.FAILED
        assert there.stages["bad"].attempts == local.stages["bad"].attempts == 1
        error = there.stages["late"].error
        assert error is not None
        assert error.type == "StageTimeout"
        assert there.stages["behind"].status is Status.UPSTREAM_FAILED
        states = self.own_states(there)
        assert (states["bad"], states["late"], states["aside"]) == ("failed", "failed", "success")

    @pytest.mark.slow
    def test_an_empty_list_maps_to_nothing(self, tmp_path: Path) -> None:
        """The mapped stage is skipped, and what reads it receives an empty list."""
        _, there = self.both(empty_list(tmp_path / "pipeline"))
        assert there.stages["each"].status is Status.SKIPPED
        assert Path(there.stages["all"].outputs["out"]).read_text("utf-8") == ""

    @pytest.mark.slow
    def test_chained_maps(self, tmp_path: Path) -> None:
        """Each instance waits for its own; what fails takes its own chain with it alone."""
        file = chains(tmp_path / "pipeline")
        there = self.on_engine(file, tmp_path / "there", marker=str(tmp_path / "there-"))
        local = self.here(file, tmp_path / "here", marker=str(tmp_path / "here-"))
        assert (there.status, statuses(there)) == (local.status, statuses(local)), there.warnings
        assert digests(there) == digests(local)
        tried = {key: item.attempts for key, item in there.stages.items()}
        assert tried == {key: item.attempts for key, item in local.stages.items()}
        assert (tried["train[1,linear]"], tried['train[1,"tree, small"]']) == (2, 1)
        ended = statuses(there)
        assert (ended["best[2]"], ended["best[3]"]) == ("succeeded", "upstream_failed")
        assert (ended["tidy[3]"], ended["second"], ended["every"], ended["some"]) == (
            *("succeeded", "succeeded", "upstream_failed", "succeeded"),
        )

    @pytest.mark.slow
    def test_chained_maps_over_a_list_in_an_artifact(self, tmp_path: Path) -> None:
        """The instances of one value come one after the other, also where another one fails."""
        trigger = "all_done" if self.loops_after_failures else "none_failed"
        _, there = self.both(dynamic_chain(tmp_path / "pipeline", trigger))
        ended = statuses(there)
        assert (ended["next[a b]"], ended['next["c,d"]']) == ("succeeded", "upstream_failed")
        assert (ended["every"], ended["last"]) == ("upstream_failed", "succeeded")

    @pytest.mark.slow
    def test_machines_that_share_a_url_alone(
        self, tmp_path: Path, shared_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each task has a machine of its own; conditions and lists are read there, too."""
        monkeypatch.setenv("MLKIT_CACHE_DIR", str(tmp_path / "looking"))
        file = decided_elsewhere(tmp_path / "pipeline")
        made = export(file, self.engine, runs_dir=shared_url, mlkit=_machine(tmp_path))
        write_export(made, tmp_path / "made")
        order = Order(
            python=engine_python(engine_named(self.engine), os.environ),
            folder=tmp_path / "made",
            entry=made.entry,
            pipeline="sketched",
            run_id="shared",
        )
        launch = launcher_of(engine_named(self.engine))(order)
        environ = {**os.environ, **launch.environment}
        done = subprocess.run(
            launch.command, env=environ, capture_output=True, text=True, encoding="utf-8"
        )
        there = find_run("shared", shared_url)
        local = self.here(file, tmp_path / "here")
        assert statuses(there) == statuses(local), done.stdout + done.stderr
        assert digests(there) == digests(local)
        ran = [item for item in there.stages.values() if item.history]
        assert len(list((tmp_path / "machines").iterdir())) >= len(ran) > 5

    @pytest.mark.slow
    def test_a_chain(self, tmp_path: Path) -> None:
        """One after the other."""
        self.both(chain(tmp_path / "pipeline"))

    @pytest.mark.slow
    def test_a_diamond(self, tmp_path: Path) -> None:
        """Two at once, and a stage that reads both."""
        self.both(diamond(tmp_path / "pipeline"))

    @pytest.mark.slow
    @pytest.mark.parametrize("decision", ["yes", "no"])
    def test_a_branch_and_its_join(self, tmp_path: Path, decision: str) -> None:
        """The other branch is skipped in the record and in the engine."""
        _, there = self.both(branching(tmp_path / "pipeline", decision))
        other = {"yes": "no", "no": "yes"}[decision]
        assert there.stages[other].status is Status.SKIPPED
        assert self.own_states(there).get(other, "skipped") == "skipped"

    @pytest.mark.slow
    @pytest.mark.parametrize("values", [("a", "b"), (1, 2, 10), (0.5, 1.0), (True, False)])
    def test_a_map_over_a_list_in_the_file(self, tmp_path: Path, values: tuple[Any, ...]) -> None:
        """One task for each value, whatever its type, in the list's order."""
        self.both(mapped(tmp_path / "pipeline", values))

    @pytest.mark.slow
    def test_a_map_over_two_lists(self, tmp_path: Path) -> None:
        """One task for each combination; one of the lists is a parameter of the pipeline."""
        self.both(product(tmp_path / "pipeline"))

    @pytest.mark.slow
    @pytest.mark.parametrize("values", [("a b", "ä'\"$x", "c,d"), (3, 1, 2), (0.5, 2)])
    def test_a_map_over_a_list_in_an_artifact(
        self, tmp_path: Path, values: tuple[Any, ...]
    ) -> None:
        """Known only when the run is under way; values are taken literally."""
        self.both(dynamic_map(tmp_path / "pipeline", values))

    @pytest.mark.slow
    def test_retries_end(self, tmp_path: Path) -> None:
        """`max_retries` more attempts, then it has failed."""
        file = flaky(tmp_path / "pipeline", max_retries=2)
        local, there = self.both(file)
        assert there.stages["flaky"].attempts == local.stages["flaky"].attempts == 3

    @pytest.mark.slow
    def test_a_sensor_gives_up(self, tmp_path: Path) -> None:
        """No file in time: the stage has failed, here and in the engine."""
        _, there = self.both(never_comes(tmp_path / "pipeline"))
        error = there.stages["waiting"].error
        assert error is not None
        assert error.type == "SensorTimeout"

    @pytest.mark.slow
    def test_a_stage_that_is_not_critical(self, tmp_path: Path) -> None:
        """Its failure is told, and does not fail the run."""
        _, there = self.both(not_critical(tmp_path / "pipeline"))
        assert (there.ok, statuses(there)["extra"]) == (True, "failed")

    @pytest.mark.slow
    def test_parameters_arrive_as_they_were_given(self, tmp_path: Path) -> None:
        """Quotes, braces, dollars, line breaks, dates, lists; for all stages and for one."""
        given = {"text": 'it\'s "{x}" $HOME\n{{ y }} %d', "many": [1, 2.5, None, True], "show.n": 7}
        _, there = self.both(typed(tmp_path / "pipeline"), **given)
        assert "it's" in Path(there.stages["show"].outputs["out"]).read_text("utf-8")

    @pytest.mark.slow
    def test_people_are_told_once(self, tmp_path: Path) -> None:
        """A failure that was retried is told when it is final, and a success once."""
        inbox = told(tmp_path / "pipeline")
        with inbox:
            there = self.on_engine(inbox.file, tmp_path / "there")
        assert there.status is RunStatus.FAILED
        titles = sorted(inbox.titles)
        assert titles == ["Stage 'bad' failed", "Stage 'good' succeeded"]

    @pytest.mark.slow
    def test_an_interrupted_run_leaves_nothing_behind(self, tmp_path: Path) -> None:
        """Ctrl-C ends the engine, its task and the notebook; the record says `cancelled`."""
        runs = tmp_path / "there"
        with self._process(endless(tmp_path / "pipeline"), runs) as process:
            _wait_for_cell(process, runs, "endless")
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate()
        assert process.returncode == 130
        document = json.loads(printed)
        assert document["status"] == "cancelled"
        assert document["stages"]["endless"]["status"] == "cancelled"
        assert _processes_about(str(tmp_path)) == []

    @pytest.mark.slow
    def test_a_killed_run_takes_the_engine_with_it_and_is_resumed(self, tmp_path: Path) -> None:
        """It reads `killed`, once nothing of it is left; what had finished is not repeated."""
        file, runs = held_up(tmp_path / "pipeline"), tmp_path / "there"
        with self._process(file, runs) as process:
            _wait_for_cell(process, runs, "held")
            process.kill()
        deadline = time.monotonic() + 60
        while (left := _processes_about(str(tmp_path))) or (
            # a process that is dying has no command any more, and its locks a moment longer
            (killed := find_run("2", runs)).status is not RunStatus.KILLED
        ):
            assert time.monotonic() < deadline, left
            time.sleep(0.5)
        (file.parent / "gate.txt").write_text("go on", "utf-8")
        record = resume(killed.run_id, file, runs_dir=runs)
        assert record.ok, record.warnings
        assert record.engine == killed.engine
        tried = {key: [a.status for a in item.history] for key, item in record.stages.items()}
        assert tried == {
            "first": [Status.SUCCEEDED],
            "held": ["lost", Status.SUCCEEDED],
            "last": [Status.SUCCEEDED],
        }

    @pytest.mark.slow
    def test_a_run_that_failed_is_resumed_or_made_again(self, tmp_path: Path) -> None:
        """Here, as the same run; there, as another one that reuses what there is."""
        file, runs = held_up(tmp_path / "pipeline"), tmp_path / "there"
        gate = file.parent / "gate.txt"
        gate.write_text("fail", "utf-8")
        failed = self.on_engine(file, runs)
        assert statuses(failed) == {
            "first": "succeeded",
            "held": "failed",
            "last": "upstream_failed",
        }
        gate.write_text("go on", "utf-8")
        there = self.on_engine(file, runs)
        record = resume(failed.run_id, file, runs_dir=runs)
        assert (there.ok, record.ok) == (True, True), (there.warnings, record.warnings)
        assert there.stages["first"].status is Status.CACHED
        assert digests(record) == digests(there)
        assert {key: item.attempts for key, item in record.stages.items()} == {
            "first": 1,
            "held": 1,  # that of the other run is reused
            "last": 0,
        }

    @pytest.mark.slow
    def test_two_runs_at_once_compute_each_stage_once(self, tmp_path: Path) -> None:
        """Each has an engine and a record of its own; one waits for what the other one computes."""
        file, runs = held_up(tmp_path / "pipeline"), tmp_path / "there"
        with self._process(file, runs) as one, self._process(file, runs) as two:
            _wait_for_cell(one, runs, "held")
            (file.parent / "gate.txt").write_text("go on", "utf-8")
            told = [json.loads(process.communicate()[0]) for process in (one, two)]
        assert [document["status"] for document in told] == ["succeeded", "succeeded"]
        records = [find_run(document["run_id"], runs) for document in told]
        for name in ("first", "held", "last"):
            assert sum(record.stages[name].attempts for record in records) == 1
        assert digests(records[0]) == digests(records[1])
        assert records[0].run_id != records[1].run_id

    @pytest.mark.slow
    def test_what_maps_over_no_list_has_failed(self, tmp_path: Path) -> None:
        """Once all upstream has ended, in the words of a run here."""
        file = no_lists(tmp_path / "pipeline")
        try:
            local, there = self.both(file)
        except UnsupportedByEngineError:
            assert not self.loops_after_failures
            return
        assert reasons(there) == reasons(local)
        assert (statuses(there)["over"], statuses(there)["seven"]) == ("failed", "failed")

    def _process(self, file: Path, runs: Path) -> subprocess.Popen[bytes]:
        """Run a pipeline on the engine in a process of its own, as from a terminal."""
        words = ["run", str(file), "--on", self.engine, "--runs-dir", str(runs), "--json"]
        return subprocess.Popen([str(core_executable()), *words], stdout=subprocess.PIPE)


def _wait_for_cell(process: subprocess.Popen[bytes], runs: Path, stage: str) -> None:
    """Wait until a cell of a stage runs, in whichever run it is computed."""
    words = ('"event": "cell_started"', f'"stage": "{stage}"')
    while not any(
        all(word in line for word in words)
        for log in runs.glob("*/events.jsonl")
        for line in log.read_text("utf-8").splitlines()
    ):
        assert process.poll() is None
        time.sleep(0.5)


def _machine(folder: Path) -> Path:
    """Write an `mlkit` whose every call finds nothing that another one has kept here."""
    program, machines = folder / "mlkit-elsewhere", folder / "machines"
    machines.mkdir()
    kept = f'MLKIT_CACHE_DIR=$(mktemp -d "{machines}/XXXXXX")'
    program.write_text(
        f'#!/bin/sh\nexport {kept}\nexec "{core_executable()}" "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    return program


def _processes_about(text: str) -> list[str]:
    """The commands of other processes that name something."""
    import psutil  # only who tests engines themselves has it: the extra `dev`

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if text in line and process.pid != os.getpid():
                found.append(line)
    return found
