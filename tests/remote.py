"""A store of Amazon's kind on this machine: moto's server in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlkit.engines.local_server import free_port

__all__ = ["S3", "s3_server"]

_SERVER = "import sys; from moto.server import main; main(sys.argv[1:])"
_KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def _plain(port: int) -> Sequence[str]:
    """The command of moto's own server."""
    return [sys.executable, "-c", _SERVER, "-H", "127.0.0.1", "-p", str(port)]


@dataclass(frozen=True, kw_only=True)
class S3:
    """A running server.

    Parameters
    ----------
    endpoint : str
        Its address.
    process : Popen
        The server.
    """

    endpoint: str
    process: subprocess.Popen[bytes]

    @property
    def environ(self) -> Mapping[str, str]:
        """What a client finds in its environment."""
        return {"AWS_ENDPOINT_URL": self.endpoint, **_KEYS}

    def client(self) -> Any:
        """A plain client, which shares no code with what is tested."""
        import importlib

        session = importlib.import_module("botocore.session").get_session()
        return session.create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=_KEYS["AWS_DEFAULT_REGION"],
            aws_access_key_id=_KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_KEYS["AWS_SECRET_ACCESS_KEY"],
        )

    def make_bucket(self, name: str) -> None:
        """Make a bucket."""
        self.client().create_bucket(Bucket=name)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All objects of a bucket with their bytes."""
        client, found = self.client(), {}
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for entry in (e for page in pages for e in page.get("Contents", ())):
            body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"]
            found[entry["Key"]] = body.read()
        return found


@contextlib.contextmanager
def s3_server(command: Callable[[int], Sequence[str]] = _plain) -> Iterator[S3]:
    """Start a server; it is ended with the block.

    Parameters
    ----------
    command : callable
        Gives what starts it on a port; by default moto's server as it is.
    """
    port = free_port()
    process = subprocess.Popen(
        command(port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_KEYS},
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("moto's server did not start")
            time.sleep(0.1)
        yield S3(endpoint=f"http://127.0.0.1:{port}", process=process)
    finally:
        process.kill()
        process.wait()
