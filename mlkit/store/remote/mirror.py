"""The folder of a run behind a URL: notebooks and logs first, run.json last.

Artifacts are not sent a second time: run.json names their digests, and the store has them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from pathlib import Path

from mlkit.core.values import safe_name
from mlkit.errors import MlkitError, StoreError
from mlkit.frozen import dataclass
from mlkit.store.artifact_store import Marks, marks_of
from mlkit.store.folder import RunFolder
from mlkit.store.remote.files import Remote

__all__ = ["INDEX", "STAGES", "Mirror"]

INDEX = ".runs"
"""A file for each run, written after its run.json: one listing shows which runs have changed."""


_AT_ONCE = 4

STAGES = ".stages"
"""In a run that several machines work on: each stage's own record, which nobody else writes."""


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What is to be sent: files of the run's folder, then its record as it was at that moment."""

    folders: tuple[Path, ...]
    skipped: frozenset[Path]
    record: bytes | None
    reply: threading.Event = field(default_factory=threading.Event)


class Mirror:
    """Sends a run's folder in a thread of its own, so that stages need not wait.

    Parameters
    ----------
    folder : RunFolder
        The run.
    remote : Remote
        The runs folder behind its URL.
    """

    def __init__(self, folder: RunFolder, remote: Remote) -> None:
        self.folder = folder
        self.remote = remote
        self.trouble: MlkitError | None = None
        self._sent: dict[Path, Marks] = {}
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="mlkit-mirror", daemon=True)
        self._thread.start()

    def send(
        self, folders: tuple[Path, ...], skipped: frozenset[Path], record: bytes | None
    ) -> None:
        """Have folders of the run sent, and then its record.

        Parameters
        ----------
        folders : tuple of Path
            Folders of stages that have ended.
        skipped : frozenset of Path
            Artifacts, which the store has.
        record : bytes, optional
            run.json as it stands; if it is not given, a later order brings it.
        """
        self._raise_trouble()
        self._orders.put(_Order(folders=folders, skipped=skipped, record=record))

    def send_stage(self, instance_id: str, record: bytes) -> None:
        """Send the record of one stage of a run that several machines work on, at once."""
        self._raise_trouble()
        self.remote.write(f"{self.folder.path.name}/{STAGES}/{safe_name(instance_id)}", record)

    def finish(self, skipped: frozenset[Path], record: bytes) -> None:
        """Send everything that the folder holds, and the record last; waits for the end."""
        order = _Order(folders=(self.folder.path,), skipped=skipped, record=record)
        self._orders.put(order)
        order.reply.wait()
        self._raise_trouble()

    def close(self) -> None:
        """End the thread."""
        self._orders.put(None)
        self._thread.join()

    def _raise_trouble(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                if self.trouble is None:
                    self._send(order)
            except MlkitError as error:
                self.trouble = error
            except OSError as error:
                self.trouble = StoreError(f"a file of the run cannot be sent: {error}")
            finally:
                order.reply.set()

    def _send(self, order: _Order) -> None:
        run_id = self.folder.path.name
        files = [f for folder in order.folders for f in _files(folder, order.skipped)]
        files += [self.folder.events] if order.record is not None else []
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mlkit-mirror") as pool:
            list(pool.map(self._upload, dict.fromkeys(files)))
        if order.record is None:
            return
        self.remote.write(f"{run_id}/run.json", order.record)
        self.remote.write(f"{INDEX}/{run_id}", b"run.json has changed\n")

    def _upload(self, file: Path) -> None:
        """Send a file, unless it was sent as it is."""
        marks = marks_of(file)
        if marks is None or file == self.folder.record or self._sent.get(file) == marks:
            return
        name = file.relative_to(self.folder.path).as_posix()
        self.remote.upload(file, f"{self.folder.path.name}/{name}")
        self._sent[file] = marks


def _files(folder: Path, skipped: frozenset[Path]) -> Iterator[Path]:
    """Every file that stands in a folder for good; what begins with a dot does not."""
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.name.startswith(".") or entry in skipped or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _files(entry, skipped)
        elif entry.is_file():
            yield entry
