"""How an instance ends: its record, the event, the notification."""

from __future__ import annotations

from collections import deque
from typing import Any

from mlkit.core.events import EventKind
from mlkit.core.record import ErrorRecord, StageRecord
from mlkit.core.states import Status
from mlkit.driver.book import Book
from mlkit.driver.notifying import Notifications
from mlkit.driver.telling import message_of

__all__ = ["Endings", "short"]


class Endings:
    """Ends instances, in the driver's own thread.

    Parameters
    ----------
    book : Book
        What the run writes down of itself.

    Attributes
    ----------
    ended : deque of StageRecord
        What has ended and nobody has looked at yet: others may depend on it.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self.state = book.state
        self.clock = book.clock
        self.ended: deque[StageRecord] = deque()
        notifier = book.order.services.notifier
        self.notifications = Notifications(notifier, book.journal.emit, book.warn)

    def close(self) -> None:
        """Wait for the notifications under way."""
        self.notifications.finish()

    def fail(self, instance_id: str, kind: str, message: str) -> None:
        """End an instance as failed without an attempt."""
        text = self.book.scrubber.text(message)
        error = ErrorRecord(type=kind, message=text, bases=(f"mlkit.{kind}",))
        self.finish(instance_id, Status.FAILED, text, error)

    def finish(
        self,
        instance_id: str,
        status: Status,
        reason: str,
        error: ErrorRecord | None = None,
    ) -> None:
        """End an instance without artifacts."""
        self.state.change(
            instance_id,
            status=status,
            reason=reason,
            ended=self.clock.now(),
            error=error or self.state.records[instance_id].error,
        )
        self.end(instance_id)

    def end(self, instance_id: str, *, saved: bool = False, kept: bool = False) -> None:
        """Make an instance's end known: record, event, notification.

        Parameters
        ----------
        instance_id : str
            The instance.
        saved : bool
            The database knows already.
        kept : bool
            It had ended before the run was resumed; people were told then.
        """
        record = self.state.records[instance_id]
        if record.ended is None:
            record = self.state.change(instance_id, ended=self.clock.now())
        if not saved:
            self.book.save(record, soon=record.status is Status.CACHED)
        self.book.journal.emit(
            EventKind.STAGE_FINISHED,
            instance_id,
            status=record.status.value,
            reason=record.reason,
            seconds=round(record.seconds, 3),
            attempts=record.attempts,
            outputs=record.outputs,
            metrics=dict(record.metrics or {}),
            error=short(record.error) if record.status is Status.FAILED else None,
        )
        if not kept:
            self._notify(instance_id)
        self.book.write_now_and_then()
        if self.book.publisher is not None:
            self.book.publisher.ended(record, self.book)
        self.ended.append(record)

    def _notify(self, instance_id: str) -> None:
        record = self.state.records[instance_id]
        urls = self.book.order.configuration.notify[record.stage]
        message = message_of(self.book.record, record, urls)
        if message is not None:
            self.notifications.send(instance_id, *message)


def short(error: ErrorRecord | None) -> dict[str, Any] | None:
    """The part of an error that events carry."""
    if error is None:
        return None
    return {"type": error.type, "message": error.message, "cell": error.cell}
