"""Messages and open files between driver, zygote and kernel."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit.notebook.kernels.mlkit_zygote.messages import receive, send

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.text(max_size=10), PLAIN, max_size=4), min_size=1, max_size=4))
def test_messages_arrive_whole_and_in_order(messages: list[dict[str, object]]) -> None:
    """Whatever they hold."""
    one, other = socket.socketpair()
    with one, other:
        for message in messages:
            send(one, message)
        assert [receive(other) for _ in messages] == [(message, []) for message in messages]


def test_open_files_travel_with_a_message(tmp_path: Path) -> None:
    """The receiver gets descriptors of its own."""
    one, other = socket.socketpair()
    with one, other, (tmp_path / "file").open("wb") as file:
        send(one, {"a": 1}, file.fileno(), file.fileno())
        received = receive(other)
    assert received is not None
    message, descriptors = received
    assert message == {"a": 1}
    for descriptor in descriptors:
        os.write(descriptor, b"x")
        os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"xx"


def test_the_end_is_none_also_in_the_middle_of_a_message() -> None:
    """A sender may be killed at any instant."""
    for sent in (b"", b"\0\0", b"\0\0\0\x09{"):
        one, other = socket.socketpair()
        with other:
            one.sendall(sent)
            one.close()
            assert receive(other) is None


@pytest.mark.parametrize("begun", [b"", b"\0\0", b"\0\0\0\x09{"], ids=["no", "header", "body"])
def test_a_sender_that_ended_without_reading_is_an_end(begun: bytes) -> None:
    """The system then resets the link instead of closing it."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(b"never read")
        theirs.sendall(begun)
        theirs.close()
        assert receive(ours) is None
