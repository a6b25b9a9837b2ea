"""Tell people of a stage's end, through Apprise; a notifier that fails never fails a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
        import apprise

        service = apprise.Apprise()
        return bool(service.add(url)) and bool(service.notify(title=title, body=body))


class Notifications:
    """Sends messages in the background, and says how that went.

    Parameters
    ----------
    notifier : Notifier
        Who sends.
    report : callable
        Receives (kind, stage, data) events, in the thread that calls `finish`.
    warn : callable
        Receives a sentence when a message did not get through.
    """

    def __init__(
        self, notifier: Notifier, emit: Callable[..., None], warn: Callable[[str, str], None]
    ) -> None:
        self.notifier = notifier
        self.emit = emit
        self.warn = warn
        self._pool: ThreadPoolExecutor | None = None
        self._sent: list[tuple[str, str, Future[bool]]] = []
        self._lock = threading.Lock()

    def send(self, stage: str, urls: tuple[str, ...], title: str, body: str) -> None:
        """Send a message to some addresses, without waiting."""
        for url in urls:
            with self._lock:
                self._pool = self._pool or ThreadPoolExecutor(2, "mlkit-notify")
                future = self._pool.submit(self.notifier.send, url, title, body)
                self._sent.append((stage, url.partition("://")[0], future))

    def finish(self) -> None:
        """Wait for what is under way, with a deadline, and report."""
        wait([future for _, _, future in self._sent], timeout=_DEADLINE_S)
        for stage, scheme, future in self._sent:
            ok, message = _ending(future)
            self.emit(EventKind.NOTIFIED, stage, url_scheme=scheme, ok=ok, message=message)
            if not ok:
                self.warn(
                    f"stage '{stage}': the notification to {scheme}://… failed: {message}", stage
                )
        self._sent.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _ending(future: Future[bool]) -> tuple[bool, str]:
    if not future.done():
        return False, "no answer in time"
    error = future.exception()
    if error is not None:
        return False, str(error) or type(error).__name__
    return future.result(), "delivered" if future.result() else "the service did not take it"
