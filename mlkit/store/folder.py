"""The layout of a runs folder, its locks, and the ids of runs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.core.suggesting import did_you_mean
from mlkit.core.values import safe_name
from mlkit.errors import RunsFolderError, UnknownRunError, UsageError
from mlkit.store.computing import Computing
from mlkit.store.labels import FOLDER as LABELS
from mlkit.store.labels import SWEEPS, Labels, check_label
from mlkit.store.marks import NO_LINKS
from mlkit.store.refusals import readable_os_errors, refusal, refuse_other_than_folder
from mlkit.store.typed_path import typed_path

if TYPE_CHECKING:
    from mlkit.store.sweeps import Sweeps

__all__ = ["RESERVED", "RunFolder", "RunsFolder", "new_run_id", "readable_os_errors"]

_DEBUG = "debug"
_STAGING = ".staging"
_LIVE = ".live"
_LOCK = ".lock"
_CLEANING_S = 60.0
_TRACE_KEY = ".trace-key"
_CLAIMS = ".claims"
_DRIVER, _STOP_REQUEST = ".driver", ".stop-request"
_MAX_ID_BYTES = 200

RESERVED = frozenset(
    {
        "latest",
        "store",
        _DEBUG,
        LABELS,
        SWEEPS,
        "mlkit.db",
        "mlflow.db",
        "mlartifacts",
        "mlkit.db-wal",
        "mlkit.db-shm",
    }
)
"""What else stands in a runs folder."""


NOTEBOOK = "notebook.ipynb"
"""The executed notebook in a stage's folder."""


def new_run_id(now: float) -> str:
    """Make an id that sorts by time and is unique: `20130102-030405-678-9abc`."""
    moment = datetime.fromtimestamp(now, UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}-{os.urandom(2).hex()}"


class RunFolder:
    """The folder of one run.

    Parameters
    ----------
    path : Path
        Its absolute path; the name is the run's id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._staging = path / _STAGING

    @property
    def record(self) -> Path:
        """The whole record."""
        return self.path / "run.json"

    @property
    def events(self) -> Path:
        """The event log."""
        return self.path / "events.jsonl"

    @property
    def report(self) -> Path:
        """The report, if one was made."""
        return self.path / "report.html"

    @property
    def driver(self) -> Path:
        """Where the run's driver says which process it is."""
        return self.path / _STAGING / _DRIVER

    @property
    def stop_request(self) -> Path:
        """The file that asks the driver to stop."""
        return self.path / _STAGING / _STOP_REQUEST

    def remove(self) -> None:
        """Remove it.

        Its record goes first: where the rest cannot be removed, the run is gone all the same.
        """
        if self.path.is_dir():
            self.record.unlink(missing_ok=True)
            shutil.rmtree(self.path)

    def stage(self, instance_id: str) -> Path:
        """The folder of a stage or instance."""
        return self.path / safe_name(instance_id)

    def staging(self, instance_id: str) -> Path:
        """Where a stage's folder is put together before it becomes visible."""
        return self._staging / safe_name(instance_id)

    def live(self, instance_id: str) -> Path:
        """A new folder for an attempt whose kernel may be kept; it is not made."""
        return self.path / _LIVE / f"{safe_name(instance_id)}-{os.urandom(4).hex()}"

    @contextlib.contextmanager
    def lock(self, *, shared: bool) -> Iterator[bool]:
        """Hold the run's lock while it is worked on; yields False if somebody else holds it.

        Somebody who only asks whether the run is alive has it for an instant.
        """
        with _locked(self.path / _LOCK, shared=shared, patience_s=0.2) as held:
            yield held

    @contextlib.contextmanager
    def stage_lock(self, instance_id: str) -> Iterator[None]:
        """Hold the lock of a stage or instance; waits for others who work on the same."""
        stage = instance_id.partition("[")[0]
        folder = self.path / _STAGING
        shared = stage != instance_id
        with contextlib.ExitStack() as held:
            held.enter_context(_waiting(folder / f"{_LOCK}-{safe_name(stage)}", shared=shared))
            if shared:
                place = folder / f"{_LOCK}-{safe_name(instance_id)}"
                held.enter_context(_waiting(place, shared=False))
            yield

    @contextlib.contextmanager
    def settling(self) -> Iterator[None]:
        """Hold the lock under which the record of the whole run is written; waits for it."""
        with _waiting(self.path / _STAGING / f"{_LOCK}-", shared=False):
            yield

    def is_alive(self) -> bool:
        """Whether a process of this machine works on this run now; asking writes nothing."""
        try:
            descriptor = os.open(self.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise refusal(error, self.path) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            # NFS gives an exclusive lock only to those who may write: a shared one tells as much
            # of a run that somebody holds alone.
            return error.errno == errno.EBADF and not _try_shared(descriptor)
        finally:
            os.close(descriptor)
        return False


class RunsFolder:
    """A runs folder.

    Parameters
    ----------
    path : Path
        Its path; made on first use.
    """

    def __init__(self, path: Path) -> None:
        self.path = typed_path(path).absolute()
        self.database = self.path / "mlkit.db"
        self.store = self.path / "store"
        self.latest = self.path / "latest"
        self.debug = self.path / _DEBUG
        self.labels = Labels(self.path)
        self.computing = Computing(self.path / _CLAIMS)

    @cached_property
    def sweeps(self) -> Sweeps:
        """The sweeps that are told of in it."""
        from mlkit.store.sweeps import Sweeps  # a run of its own looks for none

        return Sweeps(self.path)

    def make(self) -> None:
        """Make the folder, and see that it can be written."""
        refuse_other_than_folder(self.path)
        with readable_os_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            with self.shared():
                self.store.mkdir(exist_ok=True)
            probe = self.path / f".probe-{os.urandom(4).hex()}"
            try:
                probe.write_bytes(b"probe")
            finally:  # on a full disk it is there, and empty
                probe.unlink(missing_ok=True)
            if not self.latest.is_symlink():
                self._see_links(probe)

    def _see_links(self, probe: Path) -> None:
        """Refuse a place without symbolic links now, not when the first run has succeeded."""
        try:
            probe.symlink_to(self.latest.name)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            raise RunsFolderError(
                "the runs folder cannot be used: its file system has no symbolic links, which "
                f"'latest' and the names of runs are ({error.strerror})",
                self.path,
                remedy="Choose a folder on another disk with --runs-dir",
            ) from error
        probe.unlink()

    def trace_key(self, *, makes: bool = True) -> bytes:
        """With what digests of environment variables are keyed in this folder's records.

        It stands in a file of its own that only the owner can read, or the group where the folder
        belongs to a group; without `makes` it is empty where there is none.
        """
        file = self.path / _TRACE_KEY
        try:
            return file.read_bytes()
        except FileNotFoundError:
            if not makes:
                return b""
        except PermissionError:
            if not makes:
                return b""  # another user's, who alone can compare what it keyed
            raise
        aside = self.path / f"{_TRACE_KEY}-{os.urandom(4).hex()}"
        with readable_os_errors(self.path):
            is_of_group = bool(self.path.stat().st_mode & 0o020)
            try:
                aside.touch(mode=0o640 if is_of_group else 0o600)
                aside.write_bytes(os.urandom(32))
                self._publish_first(aside, file)
            finally:
                aside.unlink(missing_ok=True)
        return file.read_bytes()

    def _publish_first(self, aside: Path, file: Path) -> None:
        """Give a whole file its name, unless another process was quicker: then its file holds."""
        try:
            with contextlib.suppress(FileExistsError):
                os.link(aside, file)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            with _waiting(self.path / f"{_LOCK}{file.name}", shared=False):
                if not file.exists():
                    aside.replace(file)

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Make everything meanwhile as the folder is: a group that may write it may write that too.

        The mode of the folder decides, as for a repository that is shared, and not the umask of
        the next user who runs something in it.
        """
        try:
            mode = self.path.stat()
        except OSError:
            yield
            return
        own = mode.st_mode & stat.S_ISGID or mode.st_gid == os.getegid()
        if not (mode.st_mode & stat.S_IWGRP and own):
            yield
            return
        before = os.umask(0o077)
        os.umask(before & ~stat.S_IRWXG)
        try:
            yield
        finally:
            os.umask(before)

    def run(self, run_id: str) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.path / run_id)

    def make_run(self, run_id: str | None = None, *, now: float) -> RunFolder:
        """Make the folder of a new run; of a given id, if it is named.

        Parameters
        ----------
        run_id : str, optional
            The run's id.
        now : float
            Otherwise its id tells this moment, in seconds since 1970 (UTC).

        Raises
        ------
        UsageError
            If the id cannot be a folder's name, or is the name of something else.
        """
        if run_id is not None:
            _check_run_id(run_id)
            other = self.labels.run_id(run_id)
            if other is not None and other != run_id:
                raise UsageError(
                    f"'{run_id}' is the name of run {other}",
                    remedy=f"Choose another id, or take the name away: 'mlkit unlabel {run_id}'",
                    code="E503",
                )
        with readable_os_errors(self.path):
            while True:
                chosen = run_id or new_run_id(now)
                folder = self.run(chosen)
                try:
                    folder.path.mkdir(exist_ok=run_id is not None)
                except FileExistsError:
                    continue
                (folder.path / _STAGING).mkdir(exist_ok=True)
                return folder

    def find(self, name: str) -> RunFolder:
        """Find a run by a label, by its id, by the only beginning of one that fits, or as `latest`.

        Raises
        ------
        UnknownRunError
            If there is none, or several fit.
        """
        if name == "latest":
            if not self.latest.exists():
                raise UnknownRunError(
                    "no run is latest yet: none of the whole pipeline has succeeded",
                    self.path,
                    remedy="Run 'mlkit run' first; a run of a part is named by its id",
                )
            return self.run(self.latest.resolve().name)
        ids = self.run_ids()
        labelled = self.labels.run_id(name)
        if labelled is not None and labelled not in ids:
            raise UnknownRunError(
                f"'{name}' is the name of run {labelled}, which is no longer there",
                self.path,
                remedy=f"Take the name away: 'mlkit unlabel {name}'",
            )
        if labelled is not None or name in ids:
            return self.run(labelled or name)
        fitting = [run_id for run_id in ids if name and run_id.startswith(name)]
        if len(fitting) == 1:
            return self.run(fitting[0])
        raise UnknownRunError(*self._unknown(name, fitting))

    def _unknown(self, name: str, fitting: Sequence[str]) -> tuple[str, Path, int | None, str]:
        """Why a word means no run, and what was meant."""
        if fitting:
            more = f" and {len(fitting) - 3} more" if len(fitting) > 3 else ""
            fact = f"several runs begin with '{name}': {', '.join(fitting[:3])}{more}"
            return fact, self.path, None, "Write more of the id; 'mlkit runs' lists them"
        if name in self.sweeps.names():
            fact = f"'{name}' is a sweep, and one run is asked for"
            return fact, self.path, None, f"'mlkit show {name}' lists its runs"
        near = did_you_mean(name, self.labels.all()) if name else None
        lists = "'mlkit runs' lists them"
        return (
            f"there is no run '{name}'",
            self.path,
            None,
            f"{near} {lists}" if near and near.startswith("Did") else lists,
        )

    def check_label(self, text: str) -> str:
        """Give the name of a run in its one form; refuse what cannot be one here.

        Raises
        ------
        UsageError
            If it could be taken for something else.
        """
        label = check_label(text, RESERVED)
        if label in self.sweeps.names():
            raise UsageError(
                f"'{label}' is the name of a sweep", remedy="Choose another name", code="E503"
            )
        if (self.path / label).is_dir():
            raise UsageError(
                f"'{label}' is the id of a run", remedy="Choose another name", code="E503"
            )
        return label

    def run_ids(self) -> list[str]:
        """The ids of all runs whose folder is there, oldest first."""
        if not self.path.is_dir():
            return []
        return sorted(
            entry.name
            for entry in os.scandir(self.path)
            if entry.name not in RESERVED
            and entry.is_dir(follow_symlinks=False)
            and os.path.exists(f"{entry.path}/run.json")  # noqa: PTH110 - there may be ten thousand
        )

    def copies(self) -> list[str]:
        """The names of the folders that `mlkit debug` made, but for those of other users alone."""
        if not self.debug.is_dir():
            return []
        return [
            entry.name
            for entry in os.scandir(self.debug)
            if entry.is_dir(follow_symlinks=False) and os.access(entry.path, os.W_OK | os.X_OK)
        ]

    def latest_id(self) -> str | None:
        """The run that `latest` points at; None if there is none."""
        return self.latest.resolve().name if self.latest.exists() else None

    def drop_dead_latest(self) -> bool:
        """Remove the link `latest` if it leads nowhere; whether it did."""
        is_dead = self.latest.is_symlink() and not self.latest.exists()
        if is_dead:
            self.latest.unlink(missing_ok=True)
        return is_dead

    def set_latest(self, run_id: str) -> None:
        """Point `latest` at a run, in one step."""
        aside = self.path / f".latest-{os.urandom(4).hex()}"
        with readable_os_errors(self.path):
            aside.symlink_to(run_id, target_is_directory=True)
            aside.replace(self.latest)

    @contextlib.contextmanager
    def pointing(self) -> Iterator[None]:
        """Hold the lock under which `latest` is changed; waits for it."""
        with _waiting(self.path / f"{_LOCK}-latest", shared=False):
            yield

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Claim a name, such as an interval's, for this process; yields False if it is claimed."""
        folder = self.path / _CLAIMS
        with readable_os_errors(folder), self.shared():
            folder.mkdir(parents=True, exist_ok=True)
        with self.shared(), _locked(folder / safe_name(name), shared=False) as mine:
            yield mine

    @contextlib.contextmanager
    def lock(self, *, shared: bool, patience_s: float = 0.0) -> Iterator[bool]:
        """Hold the folder's lock: shared among runs; for one alone while it removes things.

        What is made meanwhile is made as the folder is; see `shared`.
        """
        path = self.path / _LOCK
        with self.shared(), _locked(path, shared=shared, patience_s=patience_s) as held:
            yield held

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the folder from being cleaned; wait for who cleans it at this moment.

        Raises
        ------
        UsageError
            If it is still being cleaned after a minute.
        """
        with self.lock(shared=True, patience_s=_CLEANING_S) as free:
            if not free:
                raise UsageError(
                    "the runs folder is being cleaned",
                    self.path,
                    remedy="Try again when 'mlkit clean' has ended",
                    code="E103",
                )
            yield


def _try_shared(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _open_lock(path: Path) -> int:
    """Open a lock's file; one that only another user may write can be locked all the same."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not path.exists():
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _check_run_id(run_id: str) -> None:
    """Refuse ids that would lead out of the runs folder or hide something in it."""
    bad = (
        not run_id
        or run_id.startswith(".")
        or run_id in RESERVED
        or any(char in "/\\" or not char.isprintable() for char in run_id)
        or len(run_id.encode("utf-8", "surrogatepass")) > _MAX_ID_BYTES
    )
    if bad:
        raise UsageError(
            f"'{run_id}' cannot be the id of a run",
            remedy="Give one without slashes that does not begin with a dot, "
            "of at most 200 bytes, and none of: " + ", ".join(sorted(RESERVED)),
        )


@contextlib.contextmanager
def _waiting(path: Path, *, shared: bool) -> Iterator[None]:
    with readable_os_errors(path.parent):
        path.parent.mkdir(exist_ok=True)
        descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(path: Path, *, shared: bool, patience_s: float = 0.0) -> Iterator[bool]:
    with readable_os_errors(path.parent):
        descriptor = _open_lock(path)
    try:
        yield _take(descriptor, shared=shared, deadline=time.monotonic() + patience_s)
    finally:
        os.close(descriptor)


def _take(descriptor: int, *, shared: bool, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True
