"""A real HTTP server on loopback that fails, delays and limits as it is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlkit.frozen import dataclass
from mlkit.testing.flakiness import Answer, Ending, Flakiness, RateLimit, decide

__all__ = ["Flakiness", "FlakyServer", "RateLimit", "Received", "flaky_server"]

_BODY = b'{"status": "ok"}'


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request, as the server's log keeps it.

    Parameters
    ----------
    number : int
        From 1 on, in the order of arrival.
    method, path : str
        What was asked.
    at_s : float
        Seconds after the server's start.
    ending : int, "drop" or "cut"
        What became of it.
    retry_after_s : int, optional
        What a 429 said.
    """

    number: int
    method: str
    path: str
    at_s: float
    ending: Ending
    retry_after_s: int | None = None


class FlakyServer:
    """A running server: where it is, and what it was asked.

    Parameters
    ----------
    flakiness : Flakiness
        How it misbehaves.
    body : bytes
        What a good answer holds.
    content_type : str
        The kind of `body`.
    """

    def __init__(self, flakiness: Flakiness, body: bytes, content_type: str) -> None:
        self.flakiness, self.body, self.content_type = flakiness, body, content_type
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._start_s = time.monotonic()
        self._let_through: list[float] = []
        self._received: list[Received] = []
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Its address, such as `http://127.0.0.1:40123/`."""
        return f"http://127.0.0.1:{self._http.server_port}/"

    @property
    def requests(self) -> tuple[Received, ...]:
        """Every request so far, in the order of arrival."""
        with self._lock:
            return tuple(self._received)

    @property
    def endings(self) -> tuple[Ending, ...]:
        """What became of each request, in the order of arrival."""
        return tuple(received.ending for received in self.requests)

    def take(self, method: str, path: str) -> Answer:
        """Write a request into the log, and say how to answer it."""
        with self._lock:
            now_s = time.monotonic() - self._start_s
            answer = decide(self.flakiness, self._let_through, now_s)
            if answer.retry_after_s is None:
                self._let_through.append(now_s)
            self._received.append(
                Received(
                    number=len(self._received) + 1,
                    method=method,
                    path=path,
                    at_s=now_s,
                    ending=answer.ending,
                    retry_after_s=answer.retry_after_s,
                )
            )
        return answer

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; late answers are not waited for."""
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@contextmanager
def flaky_server(
    flakiness: Flakiness | None = None,
    *,
    body: bytes | str = _BODY,
    content_type: str = "application/json",
    **how: Any,
) -> Iterator[FlakyServer]:
    """Run a real HTTP server on loopback that misbehaves as told, while the block lasts.

    Parameters
    ----------
    flakiness : Flakiness, optional
        How it misbehaves; by default it does not.
    body : bytes or str
        What a good answer (and the text of a bad one) holds.
    content_type : str
        The kind of `body`.
    **how : object
        The fields of `Flakiness`, instead of the value.

    Yields
    ------
    FlakyServer
        Its `url`, and its `requests` for assertions.

    Examples
    --------
    >>> from urllib.request import urlopen
    >>> with flaky_server(delay_s=0.1) as server:
    ...     status = urlopen(server.url).status
    >>> status, server.endings
    (200, (200,))
    """
    if flakiness is not None and how:
        raise TypeError("flaky_server takes a Flakiness or its fields, not both")
    content = body.encode() if isinstance(body, str) else body
    server = FlakyServer(flakiness or Flakiness(**how), content, content_type)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class _Http(ThreadingHTTPServer):
    """The sockets and threads."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, flaky: FlakyServer) -> None:
        self.flaky = flaky
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who 127.0.0.1 is."""
        socket_address = self.server_address
        self.socket.bind(socket_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: _Http

    def answer(self) -> None:
        """Answer as the server decides; a client that has gone away is no failure of ours."""
        flaky = self.server.flaky
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = flaky.take(self.command, self.path)
        if flaky.stopping.wait(flaky.flakiness.delay_s):
            answer = Answer(ending="drop")
        try:
            self._send(answer, flaky)
        except ConnectionError as error:
            self.log_error("the client of %s has gone: %s", self.path, error)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

    def _send(self, answer: Answer, flaky: FlakyServer) -> None:
        self.close_connection = True
        if answer.ending == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        cut = answer.ending == "cut"
        self.send_response(200 if answer.ending == "cut" else answer.ending)
        if answer.retry_after_s is not None:
            self.send_header("Retry-After", str(answer.retry_after_s))
        self.send_header("Content-Type", flaky.content_type)
        self.send_header("Content-Length", str(len(flaky.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(flaky.body[: len(flaky.body) // 2] if cut else flaky.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: the log is `FlakyServer.requests`."""
