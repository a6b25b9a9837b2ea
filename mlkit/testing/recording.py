"""An observer and a notifier that remember what they were told."""

from __future__ import annotations

from mlkit.core.events import Event, EventKind

__all__ = ["RecordingNotifier", "RecordingObserver"]


class RecordingObserver:
    """Keeps every event of a run."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def of(self, kind: EventKind | str, stage: str | None = None) -> list[Event]:
        """The events of one kind, of one stage or of all, in order.

        Parameters
        ----------
        kind : EventKind or str
            The kind.
        stage : str, optional
            The stage or instance.
        """
        return [
            event
            for event in self.events
            if event.kind == kind and (stage is None or event.stage == stage)
        ]

    def told(self) -> list[tuple[str, str | None]]:
        """Kind and stage of every event, in order."""
        return [(event.kind.value, event.stage) for event in self.events]


class RecordingNotifier:
    """Keeps every message, and answers as it is told.

    Parameters
    ----------
    answer : bool or Exception
        What `send` returns, or raises.
    """

    def __init__(self, answer: bool | Exception = True) -> None:  # noqa: FBT001, FBT002 - a value
        self.answer = answer
        self.sent: list[tuple[str, str, str]] = []

    def send(self, url: str, title: str, body: str) -> bool:
        """Keep a message; see `answer`.

        Parameters
        ----------
        url : str
            Whom it is for.
        title, body : str
            What it says.
        """
        self.sent.append((url, title, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer
