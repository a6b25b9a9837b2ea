"""The filter of system calls is a program that the operating system accepts."""

from __future__ import annotations

import struct

import pytest

from mlkit.grading.sandbox.seccomp import MACHINES, filter_program


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_every_jump_of_the_filter_stays_inside_it(machine: str) -> None:
    """It begins with the machine's own check, and ends by allowing what is left."""
    program = list(struct.iter_unpack("=HBBI", filter_program(machine)))
    for place, (_, over, otherwise, _value) in enumerate(program):
        assert place + 1 + max(over, otherwise) < len(program) or place == len(program) - 1
    assert program[1][3] == MACHINES[machine].audit
    assert program[-1][3] == 0x7FFF0000
    assert filter_program("sparc") == b""
