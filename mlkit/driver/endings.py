"""How an instance ends: its record, the event, the notification."""

from __future__ import annotations

from collections import deque
from typing import Any

from mlkit.core.events import EventKind
from mlkit.core.record import ErrorRecord, StageRecord
from mlkit.core.states import Status
from mlkit.driver.context import Context
from mlkit.driver.notify import Notifications
from mlkit.driver.telling import message_of

__all__ = ["Endings", "short"]


class Endings:
    """Ends instances, in the driver's own thread.

    Parameters
    ----------
    context : Context
        The run.

    Attributes
    ----------
    ended : deque of StageRecord
        What has ended and nobody has looked at yet: others may depend on it.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.state = context.state
        self.ended: deque[StageRecord] = deque()
        self.notifications = Notifications(
            self.context.notifier, self.context.journal.emit, self.context.warn
        )

    def close(self) -> None:
        """Wait for the notifications under way."""
        self.notifications.finish()

    def fail(self, instance_id: str, kind: str, message: str) -> None:
        """End an instance as failed without an attempt."""
        text = self.context.scrubber.text(message)
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
            ended=self.context.clock.now(),
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
            record = self.state.change(instance_id, ended=self.context.clock.now())
        if not saved:
            place = self.state.place(instance_id)
            self.context.database.save_stage(self.context.record.run_id, record, place)
        self.context.journal.emit(
            EventKind.STAGE_FINISHED,
            instance_id,
            status=record.status.value,
            reason=record.reason,
            seconds=round(record.seconds, 3),
            attempts=record.attempts,
            outputs=record.outputs,
            error=short(record.error) if record.status is Status.FAILED else None,
        )
        if not kept:
            self._notify(instance_id)
        self.context.write_record()
        if self.context.publisher is not None:
            self.context.publisher.ended(record, self.context)
        self.ended.append(record)

    def _notify(self, instance_id: str) -> None:
        record = self.state.records[instance_id]
        urls = self.context.configuration.notify[record.stage]
        message = message_of(self.context.record, record, urls)
        if message is not None:
            self.notifications.send(instance_id, *message)


def short(error: ErrorRecord | None) -> dict[str, Any] | None:
    """The part of an error that events carry."""
    if error is None:
        return None
    return {"type": error.type, "message": error.message, "cell": error.cell}
