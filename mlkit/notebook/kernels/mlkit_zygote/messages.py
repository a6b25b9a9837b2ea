"""How driver, zygote and kernels talk: JSON messages, each after its length, over Unix sockets."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from typing import Any

__all__ = ["hear", "receive", "send", "split"]

HEADER = struct.Struct("!I")


def send(link: socket.socket, message: dict[str, Any], *descriptors: int) -> None:
    """Send one message, and open files with it."""
    body = json.dumps(message).encode()
    whole = HEADER.pack(len(body)) + body
    # In one piece: a process that serves several must not wait for the second half.
    sent = socket.send_fds(link, [whole], descriptors)
    if sent < len(whole):
        link.sendall(whole[sent:])


def receive(link: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Receive one message and the open files that came with it; None at the end.

    A sender that ended with something of ours unread resets the link: that is an end as well.

    Returns
    -------
    message : dict
        The message.
    descriptors : list of int
        File descriptors, now this process's own.
    """
    try:
        header, descriptors, _, _ = socket.recv_fds(link, HEADER.size, 4)
    except ConnectionResetError:
        return None
    header += _read(link, HEADER.size - len(header))
    if len(header) == HEADER.size:
        (length,) = HEADER.unpack(header)
        body = _read(link, length)
        if len(body) == length:
            return json.loads(body), list(descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return None


def split(heard: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """Take the complete messages out of what was heard; gives them, and what is left."""
    messages = []
    while len(heard) >= HEADER.size:
        end = HEADER.size + HEADER.unpack_from(heard)[0]
        if len(heard) < end:
            break
        messages.append(json.loads(heard[HEADER.size : end]))
        heard = heard[end:]
    return messages, heard


def hear(link: socket.socket) -> tuple[bytes, list[int]]:
    """Take what has arrived, and the open files that came with it; does not wait.

    `socket.recv_fds` would wait: it does not pass its flags on.
    """
    size = struct.calcsize("i")
    text, extra, _, _ = link.recvmsg(
        4096, socket.CMSG_LEN(4 * size), socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    )
    files: list[int] = []
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.extend(struct.unpack(f"{len(data) // size}i", data))
    return text, files


def _read(link: socket.socket, size: int) -> bytes:
    """Read so many bytes, or fewer if the sender hangs up before."""
    parts = b""
    with contextlib.suppress(ConnectionResetError):
        while len(parts) < size and (more := link.recv(size - len(parts))):
            parts += more
    return parts
