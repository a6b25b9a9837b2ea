"""The filter of system calls is a program that the operating system accepts."""

from __future__ import annotations

import errno
import operator
import struct

import pytest

from mlkit.grading.sandbox.seccomp import FAMILIES, MACHINES, filter_program


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_every_jump_of_the_filter_stays_inside_it(machine: str) -> None:
    """It begins with the machine's own check, and ends by allowing what is left."""
    program = list(struct.iter_unpack("=HBBI", filter_program(machine)))
    for place, (_, over, otherwise, _value) in enumerate(program):
        assert place + 1 + max(over, otherwise) < len(program) or place == len(program) - 1
    assert program[1][3] == MACHINES[machine].audit
    assert program[-1][3] == 0x7FFF0000
    assert filter_program("sparc") == b""


def _answer(machine: str, number: int, first_argument: int = 0) -> int:
    """What the filter answers to a system call: the program is followed as Linux would."""
    program = list(struct.iter_unpack("=HBBI", filter_program(machine)))
    given = {0: number, 4: MACHINES[machine].audit, 16: first_argument}
    tests = {0x15: operator.eq, 0x35: operator.ge, 0x45: operator.and_}
    place = held = 0
    while True:
        code, over, otherwise, value = program[place]
        place += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            held = given[value]
        else:
            place += over if tests[code](held, value) else otherwise


ALLOWED, UNKNOWN_FAMILY = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_only_sockets_that_a_network_namespace_walls_in_can_be_made(machine: str) -> None:
    """VSOCK leads out of a virtual machine, whatever the namespace; other calls go on as before."""
    known = MACHINES[machine]
    answers = {family: _answer(machine, known.socket, family) for family in range(64)}
    assert {family for family, answer in answers.items() if answer == ALLOWED} == {*FAMILIES}
    assert {answers[family] for family in set(answers) - {*FAMILIES}} == {UNKNOWN_FAMILY}
    assert _answer(machine, known.clone, 0x00010F00) == ALLOWED
    assert _answer(machine, known.clone, 0x10000000) == 0x00050000 | errno.EPERM
    assert {_answer(machine, number) for number in known.refused} == {0x00050000 | errno.EPERM}
    assert _answer(machine, 0) == ALLOWED
