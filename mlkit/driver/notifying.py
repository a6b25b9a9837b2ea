"""Tell people of a stage's end, through Apprise; a notifier that fails never fails a run."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mlkit.core.events import EventKind

__all__ = ["AppriseNotifier", "Notifications", "Notifier"]

_DEADLINE_S = 20.0


class Notifier(Protocol):
    """Sends one message to one address."""

    def send(self, url: str, title: str, body: str) -> bool:
        """Send a message; says whether it got through."""
        ...


class AppriseNotifier:
    """Sends messages with Apprise."""

    def send(self, url: str, title: str, body: str) -> bool:
        """Send a message; Apprise says False or None where it did not get through."""
        import logging  # with the next line 0.1 s, which a run pays that has somebody to tell

        import apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its warnings print addresses
        service = apprise.Apprise()
        return bool(service.add(url)) and bool(service.notify(title=title, body=body))


@dataclass(kw_only=True)
class _Message:
    """One message on its way."""

    stage: str
    url: str
    title: str
    body: str
    ok: bool | None = None
    ending: str = "no answer in time"

    @property
    def scheme(self) -> str:
        """The kind of address; of a text that is no address nothing is told."""
        scheme, is_address, _ = self.url.partition("://")
        return scheme if is_address else "unknown"

    def send(self, notifier: Notifier) -> None:
        try:
            self.ok = bool(notifier.send(self.url, self.title, self.body))
            self.ending = "delivered" if self.ok else "the service did not take it"
        except Exception as error:  # noqa: BLE001 - whatever a notifier does, the run goes on
            self.ok, self.ending = False, str(error) or type(error).__name__


class Notifications:
    """Sends messages in the background, and says how that went.

    The threads that send are daemons: an address that never answers delays the end of a run by the
    deadline, and the end of the process not at all.

    Parameters
    ----------
    notifier : Notifier
        Who sends.
    emit : callable
        Receives an event for each message, in the thread that calls `finish`.
    warn : callable
        Receives a sentence when a message did not get through.
    deadline_s : float
        How long `finish` waits for what is under way.
    """

    def __init__(
        self,
        notifier: Notifier,
        emit: Callable[..., None],
        warn: Callable[[str, str], None],
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self.notifier = notifier
        self.emit = emit
        self.warn = warn
        self.deadline_s = deadline_s
        self._messages: list[_Message] = []
        self._ended: queue.SimpleQueue[_Message] = queue.SimpleQueue()

    def send(self, stage: str, urls: tuple[str, ...], title: str, body: str) -> None:
        """Send a message to some addresses, without waiting."""
        for url in urls:
            message = _Message(stage=stage, url=url, title=title, body=body)
            self._messages.append(message)
            threading.Thread(
                target=self._send, args=(message,), name="mlkit-notify", daemon=True
            ).start()

    def _send(self, message: _Message) -> None:
        message.send(self.notifier)
        self._ended.put(message)

    def finish(self) -> None:
        """Wait for what is under way, with a deadline, and report."""
        deadline = time.monotonic() + self.deadline_s
        for _ in self._messages:
            try:
                self._ended.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
        for message in self._messages:
            ok, ending, place = bool(message.ok), message.ending, f"{message.scheme}://…"
            self.emit(
                EventKind.NOTIFIED,
                message.stage,
                url_scheme=message.scheme,
                ok=ok,
                message=ending,
            )
            if not ok:
                self.warn(
                    f"stage '{message.stage}': the notification to {place} failed: {ending}",
                    message.stage,
                )
        self._messages.clear()
