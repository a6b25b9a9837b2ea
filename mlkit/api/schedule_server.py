"""Run a pipeline on its schedule: what `mlkit serve` does."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from mlkit.api import server_words as words
from mlkit.api.filling import Filled, Filling, fill, scheduled_runs
from mlkit.api.runs_place import runs_folder
from mlkit.api.scheduling import read_schedule
from mlkit.core.backfilling import due, left_out, plan_intervals
from mlkit.core.intervals import Interval, Schedule, last_interval, next_tick
from mlkit.driver.interrupts import interruptible
from mlkit.driver.options import RunOptions
from mlkit.driver.services import Services
from mlkit.errors import MlkitError, UsageError
from mlkit.frozen import dataclass
from mlkit.load.parameters import Layers
from mlkit.load.pipeline_file import find_pipeline_file, load_pipeline
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.store.claiming import claimed
from mlkit.store.folder import RunsFolder

_MOST_AT_ONCE = 16
"""More runs than this are not begun beside each other, whatever `overlap` says."""

__all__ = ["ScheduleServer", "Settings"]

WATCH_S = 2.0
"""How often pipeline.yaml is looked at for a change."""

ServicesFor = Callable[[], contextlib.AbstractContextManager[Services]]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a pipeline is served.

    Parameters
    ----------
    path : Path
        A pipeline.yaml or its folder; read again before every run.
    layers : Layers
        Parameters of every run.
    options : RunOptions
        What is asked of every run.
    runs_dir : Path or str, optional
        The runs folder.
    timezone : str, optional
        The zone whose clock the schedule follows, in place of the pipeline's own.
    catch_up : bool
        Also run the intervals that were missed.
    stop_after : int, optional
        End after so many runs.
    """

    path: Path
    layers: Layers
    options: RunOptions
    runs_dir: Path | str | None = None
    timezone: str | None = None
    catch_up: bool = False
    stop_after: int | None = None


class ScheduleServer:
    """One pipeline on its schedule, one run at a time unless it says `overlap: true`.

    Parameters
    ----------
    settings : Settings
        What is asked for.
    tell : callable
        Takes each sentence for people.
    services_for : callable
        Opens a run's surroundings.
    now : callable, optional
        Gives the present moment.
    quiet_services : callable, optional
        Gives the surroundings of runs that may overlap: a terminal shows the progress of one.
    """

    def __init__(
        self,
        settings: Settings,
        tell: Callable[[str], None],
        services_for: ServicesFor,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        quiet_services: Callable[[], Services] | None = None,
    ) -> None:
        self.settings = settings
        self.filled: list[Filled] = []
        self.cancellation = Cancellation()
        self._tell = tell
        self._services_for = services_for
        self._quiet_services = quiet_services
        self._now = now
        self._stopped = threading.Event()
        self._counting = threading.Lock()
        self._going = 0  # with `overlap` several runs go on at once
        self._marks = self._look()
        self.filling, self.schedule = self._read()

    @property
    def interrupted(self) -> bool:
        """Whether a run was cut short."""
        return any(done.status == "cancelled" for done in self.filled)

    def serve(self) -> None:
        """Run on the schedule until SIGTERM, Ctrl-C, or so many runs as were asked for.

        Raises
        ------
        UsageError
            If the pipeline is served already, in this runs folder or behind its URL.
        """
        folder = RunsFolder(self.filling.runs_dir)
        folder.make()
        name = self.filling.pipeline.name
        with claimed(folder, f"serve {name}", self._taken_over) as holder:
            if holder:
                raise UsageError(
                    f"'{name}' is served already, by {holder}",
                    folder.path,
                    remedy="Stop the other 'mlkit serve', or choose another --runs-dir",
                    code="E103",
                )
            with interruptible(self.cancellation):
                self.cancellation.subscribe(self._stopped.set)
                self._serve()

    def _taken_over(self) -> None:
        """End where this machine was silent for so long that another one serves now."""
        why = "another machine has taken the serving over"
        self._tell(f"stopped: {why}")
        self.cancellation.request(why)

    def _serve(self) -> None:
        scheduler = self._scheduler()
        self._tell(self._greeting())
        scheduler.start()
        try:
            self._stopped.wait()
        finally:
            scheduler.shutdown(wait=True)

    def _scheduler(self) -> Any:
        """APScheduler keeps the time: one run at once, and several missed times count as one."""
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        scheduler = BackgroundScheduler(
            timezone=dt.UTC,
            executors={"default": ThreadPoolExecutor(1 + _MOST_AT_ONCE)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        first = {"next_run_time": self._now()} if self.settings.catch_up else {}
        scheduler.add_job(
            self._fire,
            _OnSchedule(self.schedule),
            id="run",
            max_instances=self._at_once(),
            **first,
        )
        scheduler.add_job(lambda: self._watch(scheduler), "interval", seconds=WATCH_S, id="watch")
        scheduler.add_listener(self._tell_busy, EVENT_JOB_MAX_INSTANCES)
        scheduler.add_listener(self._tell_fault, EVENT_JOB_ERROR)
        return scheduler

    def _at_once(self) -> int:
        """How many runs may go on beside each other."""
        return _MOST_AT_ONCE if self.filling.pipeline.overlap else 1

    def _fire(self) -> None:
        """Do what a schedule's time asks for, whatever goes wrong."""
        try:
            self.fire(self._now())
        except MlkitError as error:
            self._tell(f"no run was made: {words.sentence(error)}")
        if not self._stopped.is_set():
            self._tell(
                f"next run: {words.moment(next_tick(self.schedule, self._now()), self._now())}"
            )

    def fire(self, now: dt.datetime) -> list[Filled]:
        """Run the interval that has just ended; with catch-up, also those missed before it.

        Parameters
        ----------
        now : datetime
            The present moment.

        Raises
        ------
        MlkitError
            If pipeline.yaml is broken, or the runs folder cannot be used; nothing was run then.
        """
        filling, schedule = self.filling, self.schedule = self._read()
        newest = last_interval(schedule, now)
        runs = scheduled_runs(filling.pipeline, filling.runs_dir)
        catch_up = self.settings.catch_up
        wanted = due(schedule, newest, runs, catch_up=catch_up)
        if catch_up and not runs:
            self._tell("nothing to catch up: no run of this schedule is recorded yet")
        if not catch_up:
            self._tell_left_out(left_out(schedule, newest, runs))
        done = []
        for planned in plan_intervals(wanted, runs):
            if self._stopped.is_set() or not self._may_begin():
                break
            try:
                done.append(self._fill(filling, planned.interval))
            finally:
                with self._counting:
                    self._going -= 1
        return done

    def _may_begin(self) -> bool:
        """Count a further run in, unless as many as were asked for are made or going on."""
        wanted = self.settings.stop_after
        with self._counting:
            begun = self._going + sum(item.record is not None for item in self.filled)
            if wanted is not None and begun >= wanted:
                return False
            self._going += 1
        return True

    def _fill(self, filling: Filling, interval: Interval) -> Filled:
        self._tell(f"interval {interval}")
        (planned,) = plan_intervals([interval], ())
        # A part: one run can be stopped, and the schedule goes on.
        with self.cancellation.part("run") as own, self._surroundings(filling) as services:
            done = fill(filling, planned, replace(services, cancellation=own))
        self.filled.append(done)
        run_id = "" if done.record is None else f" (run {done.record.run_id})"
        self._tell(f"interval {interval}: {done.note or done.status}{run_id}")
        made = sum(item.record is not None for item in self.filled)
        if self.settings.stop_after is not None and made >= self.settings.stop_after:
            self._stopped.set()
        return done

    def _surroundings(self, filling: Filling) -> contextlib.AbstractContextManager[Services]:
        """What a run tells of itself."""
        if not filling.pipeline.overlap:
            return self._services_for()
        return contextlib.nullcontext((self._quiet_services or Services)())

    def _read(self) -> tuple[Filling, Schedule]:
        """Read and check everything as it stands now."""
        settings = self.settings
        pipeline = load_pipeline(settings.path, profile=settings.options.profile)
        filling = Filling(
            pipeline=pipeline,
            layers=settings.layers,
            options=settings.options,
            runs_dir=runs_folder(pipeline, settings.runs_dir),
        )
        filling.check()
        return filling, read_schedule(pipeline, timezone=settings.timezone)

    def _look(self) -> tuple[int, int] | None:
        try:
            found = find_pipeline_file(self.settings.path).stat()
        except (MlkitError, OSError):
            return None
        return found.st_mtime_ns, found.st_size

    def _watch(self, scheduler: Any) -> None:
        """Notice an edited pipeline.yaml: follow its schedule, or say what is wrong with it."""
        marks = self._look()
        if marks == self._marks:
            return
        self._marks, before = marks, self.schedule
        try:
            self.filling, self.schedule = self._read()
        except MlkitError as error:
            self._tell(
                f"pipeline.yaml cannot be used as it is now: {words.sentence(error)}\n"
                f"The schedule stays {before}; no run is made until it is corrected."
            )
            return
        if self.schedule != before:
            scheduler.reschedule_job("run", trigger=_OnSchedule(self.schedule))
        scheduler.modify_job("run", max_instances=self._at_once())
        self._tell(f"pipeline.yaml has changed. {self._greeting()}")

    def _greeting(self) -> str:
        return words.greeting(self.filling.pipeline.name, self.schedule, self._now())

    def _tell_left_out(self, missed: list[Interval]) -> None:
        if missed:
            self._tell(words.left_out(missed, str(self.settings.path)))

    def _tell_busy(self, event: object) -> None:
        if getattr(event, "job_id", None) == "run":
            self._tell("the run before is still going on, so this time of the schedule is left out")

    def _tell_fault(self, event: object) -> None:
        fault = getattr(event, "exception", None)
        self._tell(f"something went wrong inside mlkit: {type(fault).__name__}: {fault}")


class _OnSchedule(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The times of a schedule, as APScheduler asks for them."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def get_next_fire_time(self, previous: dt.datetime | None, now: dt.datetime) -> dt.datetime:
        """The first time after the one before, and not in the past."""
        return next_tick(self.schedule, now if previous is None else max(previous, now))
