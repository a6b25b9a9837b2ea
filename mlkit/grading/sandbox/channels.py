"""Talk with a kernel that nobody trusts: two sockets, bounded messages, no waiting on the dead."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.session import Session

__all__ = ["FloodError", "Wire"]

Message = dict[str, Any]
MESSAGES = 50_000
# What a request may put out before its kernel is ended, in allowances; one message's part of it.
FLOOD, LARGEST = 32, 16
# Messages that ZeroMQ keeps for us. Its own 1,000 would be gigabytes of the largest ones.
QUEUE = 64
CUT = "\n… (output cut here: there was too much of it) …\n"
OUTPUT = ("stream", "display_data", "update_display_data", "execute_result")


class FloodError(Exception):
    """The kernel has sent more than it may, or something that is no message."""


class Wire:
    """The shell and output channels of one kernel.

    Parameters
    ----------
    prefix : Path
        What the paths of the kernel's sockets begin with, seen from here.
    key : bytes
        What messages are signed with.
    output_bytes : int
        How much of a request's output is kept: the beginning, and as much of the end. Pictures and
        other displays beyond that are dropped. A request that puts out `FLOOD` times as much is
        taken for endless.
    ended_fd : int
        A file descriptor that becomes readable when the kernel has ended.
    """

    def __init__(self, prefix: Path, *, key: bytes, output_bytes: int, ended_fd: int) -> None:
        self._context = zmq.Context()
        for option, value in ((zmq.MAXMSGSIZE, LARGEST * output_bytes), (zmq.RECONNECT_IVL, -1)):
            self._context.setsockopt(option, value)
        self._context.setsockopt(zmq.LINGER, 0)
        self._context.setsockopt(zmq.RCVHWM, QUEUE)
        self._session = Session(key=key)
        self.shell = self._connect(zmq.DEALER, f"{prefix}-1")
        self.output = self._context.socket(zmq.SUB)
        self.output.setsockopt(zmq.SUBSCRIBE, b"")
        self._lost = self.output.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.output.connect(f"ipc://{prefix}-2")
        self._ended_fd = ended_fd
        self._poller = zmq.Poller()
        self._poller.register(self.shell, zmq.POLLIN)
        self._poller.register(self.output, zmq.POLLIN)
        self._poller.register(self._lost, zmq.POLLIN)
        self._poller.register(ended_fd, zmq.POLLIN)
        self._allowed = self._room = output_bytes
        self._flood = FLOOD * output_bytes
        self._messages = MESSAGES
        self._last: deque[Message] = deque()
        self._last_size = 0
        self.waiting: dict[str, deque[Message]] = {"shell": deque(), "iopub": deque()}

    def _connect(self, kind: int, path: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.connect(f"ipc://{path}")
        return socket

    def send(self, kind: str, content: Mapping[str, Any]) -> str:
        """Send a request, give it its own allowance of output, and return its id."""
        self._room, self._messages = self._allowed, MESSAGES
        self._flood = FLOOD * self._allowed
        self._last.clear()
        self._last_size = 0
        message = self._session.send(self.shell, kind, dict(content))
        return str((message or {})["header"]["msg_id"])

    def receive(self, channel: str, timeout_s: float | None) -> Message:
        """The next message of `shell` or `iopub`; the other channel's are kept meanwhile.

        Raises
        ------
        queue.Empty
            If none came in time, or the kernel has ended.
        FloodError
            If the kernel sent too much, or no message.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self.waiting[channel]:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise Empty
            ready = dict(self._poller.poll(None if left is None else max(1, int(left * 1000))))
            for name, socket in (("iopub", self.output), ("shell", self.shell)):
                if socket in ready:
                    self._take(name, socket)
            if ready.keys() <= {self._ended_fd, self._lost} and ready:
                raise Empty if self._has_ended() else FloodError
        return self.waiting[channel].popleft()

    def _has_ended(self) -> bool:
        """Whether a lost connection is the kernel's end; that is known a moment later."""
        return bool(select.select([self._ended_fd], [], [], 0.5)[0])

    def _take(self, channel: str, socket: zmq.Socket[bytes]) -> None:
        frames = socket.recv_multipart(zmq.NOBLOCK)
        size = sum(len(frame) for frame in frames)
        self._room, self._flood = self._room - size, self._flood - size
        self._messages -= 1
        if self._flood < 0 or self._messages < 0:
            raise FloodError
        try:
            _, parts = self._session.feed_identities(frames)
            message = self._session.deserialize(parts)
            if self._room >= 0:
                self.waiting[channel].append(message)
            elif message["msg_type"] in OUTPUT:
                self._keep_the_end(message)
            elif size <= self._allowed:
                self.waiting[channel].extend([*self._end(), message])
            else:
                raise FloodError
        except FloodError:
            raise
        except Exception as error:
            raise FloodError from error

    def _keep_the_end(self, message: Message) -> None:
        """Keep text as long as there is not enough newer text: a check's facts come last."""
        if message["msg_type"] != "stream":
            return
        content = message["content"]
        content["text"] = str(content["text"])[-self._allowed :]
        self._last.append(message)
        self._last_size += len(content["text"])
        while self._last_size - len(self._last[0]["content"]["text"]) >= self._allowed:
            self._last_size -= len(self._last.popleft()["content"]["text"])

    def _end(self) -> list[Message]:
        """The end of what was put out, before the message that follows it; a mark stands first."""
        kept = list(self._last)
        self._last.clear()
        self._last_size = 0
        if kept:
            kept[0]["content"]["text"] = CUT + kept[0]["content"]["text"]
        return kept

    def close(self) -> None:
        """Close the sockets at once, whatever is still under way."""
        self._context.destroy(linger=0)
