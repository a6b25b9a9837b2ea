"""Send what a run ends to where other machines find it: results to the store, the folder after.

What is `remote` is imported where it is used: fsspec and what it needs take a run on this machine
alone 50 ms.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlkit.core.record import RunRecord, StageRecord
from mlkit.core.scrubbing import Scrubber
from mlkit.driver.clock import Clock
from mlkit.errors import MlkitError
from mlkit.store.folder import RunFolder
from mlkit.store.remote.places import remotes_of
from mlkit.store.writing import json_text

if TYPE_CHECKING:
    from mlkit.store.remote.mirror import Mirror
    from mlkit.store.remote.sharing import Sharing

__all__ = ["Publisher", "pause_s", "published", "send_record"]

_RECORD_EVERY_S = 2.0
_RECORD_BYTES_A_S = 250_000
"""A record is sent whole, so that of a long run is sent less often: what is sent grows with the
time that the run takes, not with that and its size."""


class Run(Protocol):
    """What a publisher wants to know of a run under way."""

    @property
    def joins(self) -> bool:
        """Whether other processes work on the same run."""
        ...

    def snapshot(self) -> RunRecord:
        """The run's record as it stands."""
        ...

    @property
    def record(self) -> RunRecord:
        """The run's record as it began."""
        ...

    @property
    def scrubber(self) -> Scrubber:
        """What must not appear."""
        ...


class Publisher:
    """Sends the ends of one run's stages; used by the driver's own thread.

    What is committed here is sent afterwards, so a store that breaks away loses nothing that has
    ended: the process that resumes the run sends the rest.

    Parameters
    ----------
    sharing : Sharing
        The shared side of the runs folder.
    folder : RunFolder
        The run's folder.
    clock : Clock
        Says when the record is sent again.
    deep : bool
        Read what stands in the store already, and replace it where it is damaged.
    """

    def __init__(
        self, sharing: Sharing, folder: RunFolder, clock: Clock, *, deep: bool = False
    ) -> None:
        self.sharing = sharing
        self.folder = folder
        self.clock = clock
        self.deep = deep
        self._broken = False
        self._due = float("-inf")
        self._mirror: Mirror | None = None
        if sharing.runs is not None:
            from mlkit.store.remote.mirror import Mirror

            self._mirror = Mirror(folder, sharing.runs)

    def begin(self, run: Run) -> None:
        """Send the record of a run that begins, or goes on."""
        with self._watched():
            if self._mirror is not None and not run.joins:
                self._mirror.send((), frozenset(), _document(run, run.snapshot()))

    def attempt_begins(self, stage: StageRecord, run: Run) -> None:
        """Send word of an attempt that begins, where others call the stages of the same run too."""
        with self._watched():
            if self._mirror is not None and run.joins:
                self._mirror.send_stage(stage.id, _told(stage, run))

    def ended(self, stage: StageRecord, run: Run) -> None:
        """Send the end of a stage: artifacts, the result's record, then its part of the folder.

        Parameters
        ----------
        stage : StageRecord
            The stage or instance.
        run : Run
            Gives the run as it stands; its record is sent every few seconds (`pause_s`). Of a run
            that others work on too, the record is sent at the end only, and the stage's at once.
        """
        with self._watched():
            if stage.result is not None:
                self.sharing.index.share(stage.result, deep=self.deep)
            if self._mirror is None:
                return
            record = None
            if run.joins:
                self._mirror.send_stage(stage.id, _told(stage, run))
            elif self.clock.monotonic() >= self._due:
                record = _document(run, run.snapshot())
                self._due = self.clock.monotonic() + pause_s(len(record))
            self._mirror.send((self.folder.stage(stage.id),), _artifacts([stage]), record)

    def finish(self, run: Run, record: RunRecord) -> None:
        """Send whatever was not sent, the record last; nothing where the store has broken away."""
        if self._mirror is not None and not self._broken:
            self._mirror.finish(_artifacts(record.stages.values()), _document(run, record))

    def take_in(self, run: Run) -> bool:
        """Take in what others have ended in the same run meanwhile; whether there was any."""
        return not self._broken and self.sharing.take_in_stages(run.record.run_id)

    def close(self) -> None:
        """End what works in the background."""
        if self._mirror is not None:
            self._mirror.close()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except MlkitError:
            self._broken = True
            raise


def pause_s(size_bytes: int) -> float:
    """How long a record of a run under way is not sent again. Pure."""
    return max(_RECORD_EVERY_S, size_bytes / _RECORD_BYTES_A_S)


def _artifacts(stages: Iterable[StageRecord]) -> frozenset[Path]:
    return frozenset(Path(item.path) for stage in stages for item in stage.artifacts.values())


def _told(stage: StageRecord, run: Run) -> bytes:
    kept = run.scrubber.stage(stage).to_json()
    return _bytes({"id": stage.id, "runs_dir": run.record.runs_dir, "record": kept})


def _document(run: Run, record: RunRecord) -> bytes:
    return _bytes(run.scrubber.record(record).to_full_json())


def _bytes(document: Any) -> bytes:
    return json_text(document).encode("utf-8", "backslashreplace")


@contextlib.contextmanager
def published(
    sharing: Sharing | None, folder: RunFolder, clock: Clock, *, deep: bool, work: str | None
) -> Iterator[Publisher | None]:
    """Hold a run's lease, and give who sends what it ends; None where there is no URL.

    Parameters
    ----------
    sharing : Sharing, optional
        The shared side of the runs folder.
    folder : RunFolder
        The run's folder.
    clock, deep
        As for `Publisher`.
    work : str, optional
        The stage or instance that is called, where others work on the same run.
    """
    if sharing is None:
        yield None
        return
    from mlkit.store.remote.leases import held

    with held(sharing.store.remote, folder.path.name, sharing.folder.path, work=work):
        publisher = Publisher(sharing, folder, clock, deep=deep)
        with contextlib.closing(publisher):
            yield publisher


def send_record(record: RunRecord) -> None:
    """Send the record of a run whose stages other processes have sent, where it is mirrored."""
    remotes = remotes_of(Path(record.runs_dir))
    if remotes.runs is None:
        return
    from mlkit.store.remote.files import Remote
    from mlkit.store.remote.mirror import Mirror

    folder = RunFolder(Path(record.runs_dir) / record.run_id)
    mirror = Mirror(folder, Remote(remotes.runs))
    with contextlib.closing(mirror):
        mirror.finish(_artifacts(record.stages.values()), folder.record.read_bytes())
