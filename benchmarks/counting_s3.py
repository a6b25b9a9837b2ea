"""A store that speaks S3, on this machine, and counts what is asked of it.

moto's server runs in a process of its own, `python -m benchmarks.counting_s3 PORT LOG
SECONDS`; it writes a line for each request: its kind, the bytes that came and the bytes that went.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple

from tests.remote import S3, s3_server

__all__ = ["KINDS", "CountingS3", "counting_s3", "kind_of"]

KINDS = ("PUT", "LIST", "GET", "HEAD", "DELETE", "POST")
BUCKET = "units"


def kind_of(method: str, path: str) -> str:
    """The kind of a request: a GET of a bucket, not of an object in it, lists."""
    is_object = bool(path.strip("/").partition("/")[2])
    return "LIST" if method == "GET" and not is_object else method


@dataclass(frozen=True, kw_only=True)
class CountingS3:
    """A running server with an empty bucket.

    Parameters
    ----------
    server : S3
        The server.
    log : Path
        Where it writes what is asked.
    """

    server: S3
    log: Path

    @property
    def url(self) -> str:
        """The bucket."""
        return f"s3://{BUCKET}"

    @property
    def environ(self) -> Mapping[str, str]:
        """What clients find in their environment."""
        return self.server.environ

    def counted(self) -> Counter[str]:
        """Requests by kind since the last call, with `bytes_in` and `bytes_out`."""
        found: Counter[str] = Counter()
        for line in self.log.read_text().splitlines():
            kind, came, went = line.split()
            found.update({kind: 1, "bytes_in": int(came), "bytes_out": int(went)})
        os.truncate(self.log, 0)
        return found


@contextlib.contextmanager
def counting_s3(answers_after_s: float = 0.0) -> Iterator[CountingS3]:
    """Start a server; it ends with the block.

    Parameters
    ----------
    answers_after_s : float
        How long it waits before each answer, as a store does that is far away.
    """
    with tempfile.TemporaryDirectory(prefix="bench-s3-") as folder:
        log = Path(folder, "asked")
        module = "benchmarks.counting_s3"
        with s3_server(
            lambda port: [sys.executable, "-m", module, str(port), str(log), str(answers_after_s)]
        ) as server:
            server.make_bucket(BUCKET)
            s3 = CountingS3(server=server, log=log)
            s3.counted()
            yield s3


class Counted:
    """A WSGI application around another one.

    Parameters
    ----------
    inner : callable
        The other one.
    log : Path
        Receives a line for each request.
    after_s : float
        How long to wait before each answer.
    """

    def __init__(
        self, inner: Callable[..., Iterable[bytes]], log: Path, after_s: float = 0.0
    ) -> None:
        self._inner = inner
        self._after_s = after_s
        self._log = log.open("a", buffering=1)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer, and write down what was asked."""
        time.sleep(self._after_s)
        answer = list(self._inner(environ, start_response))
        kind = kind_of(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        came, went = environ.get("CONTENT_LENGTH") or 0, sum(map(len, answer))
        self._log.write(f"{kind} {came} {went}\n")
        return answer


def main(port: str, log: str, after_s: str) -> None:
    """Serve until killed."""
    app = Counted(DomainDispatcherApplication(create_backend_app), Path(log), float(after_s))
    run_simple("127.0.0.1", int(port), app, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main(*sys.argv[1:])
