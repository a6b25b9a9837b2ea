"""A store of Amazon's kind on this machine: moto's server in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlkit.engines.local_server import free_port

__all__ = ["S3", "s3_server"]

_SERVER = "import sys; from moto.server import main; main(sys.argv[1:])"


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
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self) -> Any:
        """A plain client, which shares no code with what is tested."""
        import importlib

        session = importlib.import_module("botocore.session").get_session()
        return session.create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
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
def s3_server() -> Iterator[S3]:
    """Start a server; it is ended with the block."""
    port = free_port()
    command = [sys.executable, "-c", _SERVER, "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"},
    )
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < deadline, "moto's server did not start"
            time.sleep(0.1)
        yield S3(endpoint=f"http://127.0.0.1:{port}", process=process)
    finally:
        process.kill()
        process.wait()
