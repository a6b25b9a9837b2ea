"""A run whose story a tracking server is told, too (`--track`): it observes and never steers."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlkit.core.events import Event, EventKind
from mlkit.core.record import RunRecord
from mlkit.driver.book import Book
from mlkit.driver.mlflow_store import speaks_of_mlflow
from mlkit.driver.order import Order
from mlkit.errors import NotebookError, UsageError
from mlkit.notebook.imports import needs_of_notebook, project_files
from mlkit.notebook.source import read_notebook
from mlkit.observe.tracker import Introduction, Tracker, address_of, file_of
from mlkit.store.tracking import RUN_TAG, STAGE_TAG, TRACKING_FILE

if TYPE_CHECKING:
    from mlkit.driver.attempt import Job
    from mlkit.notebook.cells import NotebookSource

__all__ = ["Tracking", "tracked", "tracked_address"]

_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
_CHOOSES = re.compile(r"\b(set_experiment|set_tracking_uri)\(")


def tracked_address(order: Order) -> str | None:
    """Give the address that the run is told to; None if it is told to nobody.

    Raises
    ------
    UsageError
        If it is none, or others work on the run as well.
    MissingExtraError
        If MLflow is not installed.
    """
    track = order.options.track
    if track is None:
        return None
    if order.joins:
        raise UsageError(
            "--track does not go with --run-id, where many processes work on one run",
            remedy="Leave it out",
            code="E102",
        )
    own = f"sqlite:///{order.runs_dir.absolute() / TRACKING_FILE}"
    address = address_of(track, order.services.environ, own)
    # SQLAlchemy takes what follows `?` for options, Alembic replaces `%`: neither can be written.
    if file_of(address) is not None and {"?", "%"} & set(address):
        raise UsageError(
            f"'{address}' is no address of MLflow's: it holds ? or %",
            remedy="Name a server or another file: --track mlflow:URL",
        )
    return address


@contextlib.contextmanager
def tracked(book: Book, *, is_resumed: bool) -> Iterator[Tracking | None]:
    """Begin to tell of a run, if that is asked for; left too early, the run counts as killed."""
    address = tracked_address(book.order)
    if address is None:
        yield None
        return
    try:
        tracking = Tracking(book, address, is_resumed=is_resumed)
    except OSError as error:
        book.warn(f"MLflow is not told of the run: {error}")
        yield None
        return
    book.journal.observers.append(tracking)
    try:
        yield tracking
    finally:
        tracking.close()


class Tracking:
    """An observer that passes on what a run comes to, and tells kernels where to log.

    Parameters
    ----------
    book : Book
        The account of the run.
    address : str
        Of the tracking server.
    is_resumed : bool
        Whether the run goes on.
    """

    def __init__(self, book: Book, address: str, *, is_resumed: bool) -> None:
        self._book = book
        self._address = address
        environ = book.order.services.environ
        self._experiment = environ.get("MLFLOW_EXPERIMENT_NAME") or book.record.pipeline
        cancellation = book.order.services.cancellation
        self._tracker = Tracker(
            _introduction(book, address, self._experiment, is_resumed=is_resumed),
            {**self._root(), **environ},
            lambda: cancellation.requested,
        )
        self._ended = False

    def __call__(self, event: Event) -> None:
        """Pass on the beginning of instances and the ends of stages."""
        if event.stage is None:
            return
        record = self._book.state.records.get(event.stage)
        if record is None:
            return
        if event.kind is EventKind.ATTEMPT_STARTED and record.id != record.stage:
            self._tracker.begin(record.id, event.time)
        elif event.kind is EventKind.STAGE_FINISHED:
            status = {"mlkit.status": record.status.value, "mlkit.reason": record.reason}
            self._tracker.stage(
                self._book.scrubber.stage(record),
                {name: self._book.scrubber.text(value) for name, value in status.items()},
            )

    def told(self, job: Job) -> Job:
        """Let a notebook that speaks of MLflow log into the run; called where it may wait.

        A notebook or a stage that chooses its own server or experiment keeps it: MLflow refuses to
        go on with a run of another one.
        """
        if not _speaks(job.notebook) or _chooses(job):
            return job
        instance = None if "[" not in job.instance_id else job.instance_id
        run_id = self._tracker.run_of(instance)
        if run_id is None:
            return job
        if instance is None:
            self._tracker.joined(job.instance_id)
        tags = {
            RUN_TAG: self._book.record.run_id,
            STAGE_TAG: job.instance_id,
            "mlflow.parentRunId": run_id,  # MLflow obeys MLFLOW_RUN_ID once; further runs are below
        }
        env = {
            **job.brief.env,
            **self._root(),
            "MLFLOW_TRACKING_URI": self._address,
            "MLFLOW_EXPERIMENT_NAME": self._experiment,
            "MLFLOW_RUN_ID": run_id,
            "MLFLOW_RUN_CONTEXT": json.dumps(tags),
        }
        checkout = replace(job.checkout, never=(*job.checkout.never, *self._files()))
        return replace(job, checkout=checkout).told(env=env)

    def finish(self, record: RunRecord) -> RunRecord:
        """Tell the end, and wait for it; gives the record with what there is to warn of."""
        try:
            self._tracker.file(str(self._report(record)))
        except Exception as error:  # noqa: BLE001 - an observer never steers, so it cannot fail a run
            self._tracker.said.append(f"MLflow gets no report: {error!r}")
        ended = record.ended or self._book.clock.now()
        tags = {"mlkit.status": record.status.value, "mlkit.labels": " ".join(record.labels)}
        self._ended = True
        self._tracker.end(record.status.value, ended, {k: v for k, v in tags.items() if v})
        return self._warned(record) if self._tracker.said else record

    def _report(self, record: RunRecord) -> Path:
        # The report's templates take 0.2 s to import, for which no other run need wait.
        from mlkit.reports.html import write_report

        file = self._book.folder.path / "report.html"
        write_report(record, file, pipeline=self._book.order.pipeline)
        return file

    def _warned(self, record: RunRecord) -> RunRecord:
        """Add what the server had to say, which came when the record was written already."""
        for line in self._tracker.said:
            self._book.warn(line)
        warned = replace(
            record, warnings=tuple(dict.fromkeys([*record.warnings, *self._book.warnings]))
        )
        self._book.database.save_run(warned)
        self._book.write(warned)
        return warned

    def close(self) -> None:
        """Let go of the process."""
        if not self._ended:
            self._tracker.close()

    def _root(self) -> Mapping[str, str]:
        """Where files go that are logged to a store which is a file."""
        file = file_of(self._address)
        return {} if file is None else {_ROOT: file.with_name("mlartifacts").as_uri()}

    def _files(self) -> tuple[str, ...]:
        """What MLflow itself reads and writes where its store is a file: no part of a result."""
        file = file_of(self._address)
        if file is None:
            return ()
        beside = (f"{file}{end}" for end in ("", "-journal", "-wal", "-shm"))
        return (*beside, str(file.with_name("mlartifacts")))


def _introduction(book: Book, address: str, experiment: str, *, is_resumed: bool) -> Introduction:
    record, scrubber = book.record, book.scrubber
    options = book.order.options
    tags = {
        RUN_TAG: record.run_id,
        "mlkit.pipeline": record.pipeline,
        "mlkit.profile": options.profile or "",
        "mlkit.group": record.group,
        "mlflow.note.content": scrubber.text(record.note),
    }
    shown = scrubber.value({name: str(value) for name, value in record.parameters.items()})
    return Introduction(
        address=address,
        experiment=experiment,
        name=str(record.options.get("name") or record.run_id),
        file=record.file,
        tags={name: value for name, value in tags.items() if value},
        parameters=shown,
        started=record.started,
        resumed=is_resumed,
        late=any(
            _stage_speaks(Path(stage.notebook)) for stage in book.order.pipeline.stages.values()
        ),
    )


def _stage_speaks(notebook: Path) -> bool:
    try:
        return _speaks(read_notebook(notebook))
    except NotebookError:  # it is told when the stage's turn comes
        return False


def _speaks(notebook: NotebookSource) -> bool:
    """Whether a notebook, or a module of its project that it imports, uses MLflow."""
    return speaks_of_mlflow(notebook) or "mlflow" in needs_of_notebook(notebook)


def _chooses(job: Job) -> bool:
    """Whether a stage says itself where it logs."""
    if any(name.startswith("MLFLOW_") for name in job.brief.settings):
        return True
    texts = [cell.source for cell in job.notebook.code_cells]
    for file in project_files(job.notebook):
        with contextlib.suppress(OSError):
            texts.append(file.read_text(encoding="utf-8", errors="replace"))
    return any(map(_CHOOSES.search, texts))
