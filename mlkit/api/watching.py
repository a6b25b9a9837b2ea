"""Run again what an edit affects, at every save: what `mlkit run --watch` does.

One thread looks at the files; another one, the caller's, decides and runs. What has changed, and
whether that means anything, the planner says, as for any run: looking only asks it.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlkit.api.due import overtaken, reasons_of, restless
from mlkit.api.local_run import run
from mlkit.api.runs_place import url_of_runs
from mlkit.api.server_words import sentence
from mlkit.api.watched_files import Contents, WatchedFiles, marks_of
from mlkit.api.watched_pipeline import Places, Reading, WatchSettings, places_of, read_now
from mlkit.core.durations import format_duration
from mlkit.core.graph import descendants, edges
from mlkit.core.instances import stage_of
from mlkit.core.pipeline import Pipeline
from mlkit.core.record import RunRecord
from mlkit.core.states import RunStatus
from mlkit.driver.interrupts import interruptible
from mlkit.driver.selecting import select
from mlkit.driver.services import Services
from mlkit.driver.warm import WarmKernels
from mlkit.errors import MlkitError, UsageError
from mlkit.notebook.notebook_runner import Cancellation
from mlkit.notebook.source import SUFFIXES
from mlkit.store.folder import RunsFolder
from mlkit.store.rounds import keep_newest

__all__ = ["Notice", "Watch"]

KEPT_ROUNDS = 10
"""So many rounds of one watch stay in the record, and what `latest` points at."""

_OWN = (*SUFFIXES, ".yaml", ".yml", ".toml", ".sql", ".R", ".r")
"""What is written by people: it counts also if it changes while a stage runs."""

_ECHO_S = 0.5
"""A log into which the watch's words go changes within this time."""

_CLOCK_S = 0.01
"""The clock of a file system is so much behind."""

_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something that a watch has to say.

    Parameters
    ----------
    kind : str
        `round` before a round, `ended` after it; `waiting`, `unchanged`, `broken`, `stale`,
        `ignored`.
    text : str
        A sentence.
    reasons : tuple of str
        Of a round: why, a line for each stage, in the planner's words.
    record : RunRecord, optional
        Of an end.
    pipeline : Pipeline, optional
        Of a round and its end: the pipeline as it was read for it.
    is_withdrawn : bool
        Of an end: a save has come before it, and another round follows.
    """

    kind: Literal["round", "ended", "waiting", "unchanged", "broken", "stale", "ignored"]
    text: str
    reasons: tuple[str, ...] = ()
    record: RunRecord | None = None
    pipeline: Pipeline | None = None
    is_withdrawn: bool = False


@dataclass(kw_only=True)
class _Round:
    """A round that goes on."""

    read: Reading
    cancellation: Cancellation


class Watch:
    """Watches one pipeline.

    Parameters
    ----------
    settings : WatchSettings
        What is asked for.
    tell : callable
        Takes each notice, in the thread of `run`, but for `stale` ones.
    services_for : callable
        Opens the surroundings of a round.
    """

    def __init__(
        self,
        settings: WatchSettings,
        tell: Callable[[Notice], None],
        services_for: Callable[[], contextlib.AbstractContextManager[Services]] = (
            lambda: contextlib.nullcontext(Services())
        ),
    ) -> None:
        self.settings = settings
        self.rounds: list[tuple[tuple[str, ...], RunRecord]] = []
        self.interrupted = False
        self._asked_to_end = False
        self._tell, self._services_for = tell, services_for
        self._told_at = 0.0
        self._owes = False
        self._cancellation = Cancellation()
        self._warm = WarmKernels()
        self._files, self._contents = WatchedFiles(), Contents()
        self._lock = threading.Lock()
        self._news, self._over = threading.Event(), threading.Event()
        self._saved: set[str] = set()
        self._pending: set[str] = set()
        self._round: _Round | None = None
        self._read: Reading | None = None
        self._places = Places()
        self._quiet: set[str] = set()
        self._fault: Exception | None = None
        self._again: frozenset[str] = frozenset()
        self._record: RunRecord | None = None
        self._restless: frozenset[str] = frozenset()
        self._meanwhile: set[str] = set()
        self._before: set[str] = set()
        self._ignored: set[str] = set()
        self._span = (math.inf, math.inf)
        self._broken = ""
        self._has_repeated = False

    def stop(self) -> None:
        """End the watch, and the round that goes on; from any thread."""
        self._cancellation.request()

    def run(self) -> None:
        """Run once, then at every save what it affects, until `stop`, Ctrl-C or SIGTERM.

        Raises
        ------
        MlkitError
            If something is wrong before the first round.
        """
        read = read_now(self.settings)
        folder = RunsFolder(read.runs_dir)
        folder.make()
        with folder.claim(f"watch {read.pipeline.name}") as mine:
            if not mine:
                raise UsageError(
                    f"'{read.pipeline.name}' is watched already",
                    folder.path,
                    remedy="Stop the other 'mlkit run --watch', or choose another --runs-dir",
                    code="E103",
                )
            with interruptible(self._cancellation), self._looking():
                self._cancellation.subscribe(self._news.set)
                self._go_on(read)

    @contextlib.contextmanager
    def _looking(self) -> Iterator[None]:
        looker = threading.Thread(target=self._look, name="mlkit-watch", daemon=True)
        looker.start()
        try:
            yield
        finally:
            self._over.set()
            looker.join()
            self._warm.close()

    def _go_on(self, read: Reading) -> None:
        self._follow(read)
        self._play(read, ())
        while not self._is_over:
            self._news.wait()
            self._news.clear()
            if self._fault is not None:
                raise self._fault
            if not self._is_over:
                self._consider()

    @property
    def _is_over(self) -> bool:
        return self._cancellation.requested or self._asked_to_end

    # What was saved, in the thread that looks

    def _look(self) -> None:
        pause = 0.0
        try:
            while not self._over.wait(pause):
                saved, pause = self._files.look()
                if saved:
                    self._take(saved)
        except Exception as error:  # noqa: BLE001 - a watch that is blind must not seem to watch
            self._fault = error
            self._news.set()

    def _take(self, saved: frozenset[str]) -> None:
        """Take in what was saved; of a round that goes on, withdraw what it makes stale."""
        counting = self._contents.counting(saved)
        with self._lock:
            going = self._round
            self._ignored -= {place for place in saved if not self._is_during_round(place)}
            counting = frozenset(p for p in counting if not self._is_nobodys(p))
            self._saved |= saved - self._ignored - self._quiet
            self._quiet -= saved
            self._pending |= counting
        if going is not None and counting:
            self._withdraw(going, counting)
        self._news.set()

    def _is_during_round(self, place: str) -> bool:
        """Whether a file changed in the round that goes on, or in the last one."""
        begun, ended = self._span
        try:
            return begun <= Path(place).stat().st_mtime <= ended
        except OSError:
            return self._round is not None

    def _is_told_just_now(self, place: str) -> bool:
        """Whether a file changed when the watch had said something."""
        try:
            return 0 <= Path(place).stat().st_mtime - self._told_at + _CLOCK_S <= _ECHO_S
        except OSError:
            return False

    def _is_nobodys(self, place: str) -> bool:
        """Whether a change is no person's: what stages write, and where the watch's words go.

        What people write is not. Of what a stage was seen to read, the first change in a round
        counts; in the round that follows from it, it does not: otherwise a stage that writes what
        it reads would run without end. So would one that fails, with a log in the project's folder.
        """
        if place.endswith(_OWN) or (self._read and self._read.holds_input(place)):
            return False
        during = self._is_during_round(place)
        if not during and (place in self._places.files or not self._is_told_just_now(place)):
            return False
        known = place in self._places.files
        self._meanwhile.add(place)
        if known and place not in self._before:
            return False
        if known and place not in self._ignored:
            self._say(
                Notice(
                    kind="ignored",
                    text=f"{self._shown([place])} changes in every round, as if a stage wrote it: "
                    "that starts nothing",
                )
            )
        self._ignored.add(place)
        return True

    def _withdraw(self, going: _Round, counting: frozenset[str]) -> None:
        affected = self._affected(going.read, counting)
        if not affected:
            return
        graph = edges(going.read.pipeline)
        stale = affected | descendants(graph, affected)
        self._say(
            Notice(kind="stale", text=f"{self._shown(counting)} changed: this round is withdrawn")
        )
        going.cancellation.withdraw(lambda name: name.partition("[")[0] in stale)

    def _affected(self, read: Reading, counting: frozenset[str]) -> set[str]:
        """The stages of a round that a save is about."""
        names = self._places.touched(counting)
        if counting & self._places.described:
            with contextlib.suppress(MlkitError):  # it is told when the round has ended
                names |= read.differing(read_now(self.settings))
        return names & select(read.pipeline, self.settings.options).stages

    # What is done about it, in the caller's thread

    def _consider(self) -> None:
        """Ask the planner what the saves mean, and run that."""
        with self._lock:
            saved, self._saved = self._saved, set()
            pending, self._pending = self._pending, set()
            again, self._again = self._again, frozenset()
        if not saved and not pending and not again:
            return
        if pending & self._places.installed:
            self._warm.renew()
        if not pending and not again:
            self._say_unchanged(saved)
            return
        try:
            read = read_now(self.settings)
            found = read.forecast(self.settings.options)
        except MlkitError as error:
            told, self._broken = self._broken, sentence(error)
            if self._broken != told or saved & self._places.named:
                self._say(Notice(kind="broken", text=self._broken))
            with self._lock:
                self._pending |= pending
            assert self._read is not None
            self._follow(self._read)
            return
        self._broken = ""
        touched = self._places.touched(pending)
        settled = {n for n in self._restless if stage_of(n) not in touched} - again
        reasons = reasons_of(found, self._record, settled)
        if reasons:
            self._follow(read)
            self._play(read, reasons, pending)
        else:
            self._read = read
            if self._record is not None:
                self._restless = restless(found, self._record)
            self._follow(read)
            self._say_unchanged(saved)

    def _play(self, read: Reading, reasons: tuple[str, ...], pending: Collection[str] = ()) -> None:
        """One round."""
        self._read = read
        text = f"{self._shown(pending)} changed"
        if not pending:
            text = "once more" if reasons else f"first round of {read.pipeline.name}"
        self._say(Notice(kind="round", text=text, reasons=reasons, pipeline=read.pipeline))
        going = _Round(read=read, cancellation=Cancellation())
        unsubscribe = self._cancellation.subscribe(going.cancellation.request)
        with self._lock:
            self._round, self._before, self._meanwhile = going, self._meanwhile, set()
            self._span = (time.time(), math.inf)
        first = self._record is None
        options = self.settings.options
        if not first:
            options = replace(options, force=False, note=options.note or f"watched: {text}")
        record = None
        try:
            with self._services_for() as services:
                record = run(
                    read.pipeline,
                    layers=read.layers,
                    options=options,
                    runs_dir=self.settings.runs_dir,
                    services=replace(services, cancellation=going.cancellation, warm=self._warm),
                )
        except MlkitError as error:
            if first:
                raise
            self._broken = sentence(error)
            self._say(Notice(kind="broken", text=self._broken))
        finally:
            with self._lock:
                self._round, self._span = None, (self._span[0], time.time())
            unsubscribe()
        if record is not None:
            failed_fast = options.fail_fast and record.status is RunStatus.FAILED
            self._asked_to_end = going.cancellation.requested and not failed_fast
            self.interrupted = self._asked_to_end and record.status is RunStatus.CANCELLED
            self.rounds.append((reasons, record))
            self._record = record
            self._say(
                Notice(
                    kind="ended",
                    text=f"round withdrawn after {format_duration(record.seconds)}",
                    record=record,
                    pipeline=read.pipeline,
                    is_withdrawn=going.cancellation.withdrawn and not self._is_over,
                )
            )
            self._end(read, record)

    def _end(self, read: Reading, record: RunRecord) -> None:
        if self._is_over:
            return
        if url_of_runs(self.settings.runs_dir) is None:
            ids = [each.run_id for _, each in self.rounds]
            keep_newest(RunsFolder(read.runs_dir), ids, KEPT_ROUNDS)
        self._follow(read)
        with self._lock:
            settled = not self._pending
        if settled and not self._settle(read, record):
            self._say_waiting()

    def _settle(self, read: Reading, record: RunRecord) -> bool:
        """Look what the planner makes of the round; whether another one follows at once.

        It does where a stage has read something that was saved meanwhile, and that nobody looked
        at yet; once, for what changes without end is nobody's save.
        """
        try:
            found = read.forecast(self.settings.options)
        except MlkitError:  # it was saved just now, and is told with that save
            return False
        self._restless = restless(found, record)
        late = overtaken(found) & self._restless
        self._again = late if not self._has_repeated else frozenset()
        self._has_repeated = bool(self._again)
        if self._again:
            self._news.set()
        return bool(self._again)

    def _say(self, notice: Notice) -> None:
        self._owes = notice.kind in ("ended", "broken")
        self._tell(notice)
        self._told_at = time.time()

    def _say_waiting(self) -> None:
        count = len(self._places.named)
        self._say(Notice(kind="waiting", text=f"waiting for a change of {count} files"))

    def _say_unchanged(self, saved: set[str]) -> None:
        """Say that a save means nothing, if somebody saved something that is known."""
        told = saved & self._places.named
        if told:
            text = f"{self._shown(told)} saved, nothing changed"
            self._say(Notice(kind="unchanged", text=text))
        elif self._owes:
            self._say_waiting()

    def _follow(self, read: Reading) -> None:
        """Look at what the pipeline depends on as it stands now.

        While some stage has not succeeded, in the folders of the project, too: what it was about to
        read nobody knows.
        """
        places = places_of(self.settings, read, self._record)
        is_open = bool(self._broken) or (self._record is not None and not self._record.ok)
        marks = {} if self._record is None else places.marks
        doubtful = {p for p, how in marks.items() if marks_of(p) != how}
        with self._lock:
            self._places, self._quiet = places, self._quiet | (doubtful - self._files.known)
        self._contents.follow(places.files | places.folders, places.notebooks, doubtful)
        self._files.follow(
            places.files | places.folders | places.installed,
            (*places.inputs, *(places.project if is_open else ())),
            marks,
            since=self._span[0],
        )

    def _shown(self, places: Collection[str]) -> str:
        """Some files as people name them."""
        home = str(self.settings.path if self.settings.path.is_dir() else self.settings.path.parent)
        home = os.path.abspath(home)
        names = sorted(
            os.path.relpath(place, home) + ("/" if os.path.isdir(place) else "") for place in places
        )
        if len(names) > _MOST_NAMED:
            names[_MOST_NAMED:] = [f"{len(names) - _MOST_NAMED} more"]
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
