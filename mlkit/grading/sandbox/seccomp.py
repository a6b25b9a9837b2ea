"""A filter on system calls: no new namespaces, no mounts, no looking into other processes.

A namespace of its own would give a submission rights in it, and memory that no limit counts. The
filter is a classic BPF program, in the form that bubblewrap takes (`--seccomp`); see seccomp(2).
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterator, Mapping

from mlkit.frozen import dataclass

__all__ = ["filter_program"]

# Operations of classic BPF (linux/bpf_common.h): load a word; jump if it is equal to a value, at
# least that value, or has a bit of it; return.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Where things stand in what a filter is given (linux/seccomp.h, struct seccomp_data); of the
# argument the lower half, on machines that put it first.
NUMBER_AT, MACHINE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
# What a filter may answer (linux/seccomp.h); with REFUSE the error's number stands in the low bits.
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
NEW_USER_NAMESPACE = 0x10000000  # clone's flag CLONE_NEWUSER
# The kinds of sockets that a network namespace walls in (sys/socket.h: UNIX, INET, INET6, NETLINK).
# It does not hold back VSOCK, say, which leads out of a virtual machine to its host.
FAMILIES = (1, 2, 10, 16)
FOREIGN_NUMBERS = 0x40000000  # from here on x86-64 has the same calls again, for its x32 programs


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The numbers of a machine's system calls."""

    audit: int
    clone: int
    clone3: int
    memfd_create: int
    socket: int
    refused: tuple[int, ...]


# Name → its number on x86-64, and on arm64 (asm/unistd_64.h, asm-generic/unistd.h).
REFUSED: Mapping[str, tuple[int, int]] = {
    # Namespaces of one's own, and mounts: rights that the sandbox has taken away.
    "unshare": (272, 97),
    "mount": (165, 40),
    "umount2": (166, 39),
    "setns": (308, 268),
    # Other processes' memory, and keys that outlive a process.
    "ptrace": (101, 117),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # Wide doors into the operating system's kernel, which no exercise needs.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    # Mounts once more, by the newer calls.
    "fsopen": (430, 430),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "process_vm_writev": (311, 271),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    # Memory that no process need hold, and that therefore nothing counts.
    "shmget": (29, 194),
    "msgget": (68, 186),
    "memfd_secret": (447, 447),
}
MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(
        audit=0xC000003E,  # linux/audit.h: 64 bits, little end first, and the machine's ELF number
        clone=56,
        clone3=435,
        memfd_create=319,
        socket=41,
        refused=tuple(number for number, _ in REFUSED.values()),
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        clone=220,
        clone3=435,
        memfd_create=279,
        socket=198,
        refused=tuple(number for _, number in REFUSED.values()),
    ),
}


def filter_program(machine: str | None = None, *, memory_files: bool = True) -> bytes:
    """The filter for a machine (default: this one); empty for one whose numbers are not known.

    Parameters
    ----------
    machine : str, optional
        As `platform.machine` names it.
    memory_files : bool
        Whether memory files may be made: while such a file is on its way from process to process,
        no process holds it, and only a control group counts it.
    """
    known = MACHINES.get(machine or platform.machine())
    return b"" if known is None else b"".join(_program(known, memory_files=memory_files))


def _program(machine: Machine, *, memory_files: bool) -> Iterator[bytes]:
    yield _load(MACHINE_AT)
    yield _jump(EQUAL, machine.audit, over=1)
    yield _return(KILL)  # a program for another machine, whose calls have other numbers
    yield _load(NUMBER_AT)
    yield from _refuse_if(AT_LEAST, FOREIGN_NUMBERS, errno.ENOSYS)
    for number in machine.refused:
        yield from _refuse_if(EQUAL, number, errno.EPERM)
    if not memory_files:
        yield from _refuse_if(EQUAL, machine.memfd_create, errno.EPERM)
    yield from _refuse_other_families(machine.socket)
    # Its flags stand in memory, where no filter sees them; told that it is not there, the C library
    # takes clone, whose flags are its first argument.
    yield from _refuse_if(EQUAL, machine.clone3, errno.ENOSYS)
    yield _jump(EQUAL, machine.clone, over=0, otherwise=3)
    yield _load(FIRST_ARGUMENT_AT)
    yield from _refuse_if(ANY_BIT, NEW_USER_NAMESPACE, errno.EPERM)
    yield _return(ALLOW)


def _refuse_other_families(socket: int) -> Iterator[bytes]:
    """Judge a call that makes a socket by its first argument; let every other call go on."""
    count = len(FAMILIES)
    yield _jump(EQUAL, socket, over=0, otherwise=count + 3)
    yield _load(FIRST_ARGUMENT_AT)
    for number, family in enumerate(FAMILIES):
        yield _jump(EQUAL, family, over=count - number)
    yield _return(REFUSE | errno.EAFNOSUPPORT)
    yield _return(ALLOW)


def _refuse_if(test: int, value: int, error: int) -> Iterator[bytes]:
    yield _jump(test, value, over=0, otherwise=1)
    yield _return(REFUSE | error)


def _load(offset: int) -> bytes:
    return struct.pack("=HBBI", LOAD, 0, 0, offset)


def _jump(test: int, value: int, *, over: int, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", test, over, otherwise, value)


def _return(value: int) -> bytes:
    return struct.pack("=HBBI", RETURN, 0, 0, value)
