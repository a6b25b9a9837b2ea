"""A filter on system calls: no new namespaces, no mounts, no looking into other processes.

A namespace of its own would give a submission rights in it, and memory that no limit counts. The
filter is a classic BPF program, in the form that bubblewrap takes (`--seccomp`); see seccomp(2).
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["filter_program"]

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_AT, MACHINE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
NEW_USER_NAMESPACE = 0x10000000
FOREIGN_NUMBERS = 0x40000000


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The numbers of a machine's system calls."""

    audit: int
    clone: int
    clone3: int
    memfd_create: int
    refused: tuple[int, ...]


# unshare, mount, umount2, setns, ptrace, keyctl, add_key, request_key, bpf, perf_event_open,
# userfaultfd, io_uring_setup, fsopen, open_tree, move_mount, process_vm_writev, chroot, pivot_root;
# shmget, msgget, memfd_secret: memory that no process need hold
MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(
        audit=0xC000003E,
        clone=56,
        clone3=435,
        memfd_create=319,
        refused=(
            *(272, 165, 166, 308, 101, 250, 248, 249, 321, 298),
            *(323, 425, 430, 428, 429, 311, 161, 155),
            *(29, 68, 447),
        ),
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        clone=220,
        clone3=435,
        memfd_create=279,
        refused=(
            *(97, 40, 39, 268, 117, 219, 217, 218, 280, 241),
            *(282, 425, 430, 428, 429, 271, 51, 41),
            *(194, 186, 447),
        ),
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
    yield _return(KILL)
    yield _load(NUMBER_AT)
    yield from _refuse_if(AT_LEAST, FOREIGN_NUMBERS, errno.ENOSYS)
    for number in machine.refused:
        yield from _refuse_if(EQUAL, number, errno.EPERM)
    if not memory_files:
        yield from _refuse_if(EQUAL, machine.memfd_create, errno.EPERM)
    yield from _refuse_if(EQUAL, machine.clone3, errno.ENOSYS)
    yield _jump(EQUAL, machine.clone, over=0, otherwise=3)
    yield _load(FIRST_ARGUMENT_AT)
    yield from _refuse_if(ANY_BIT, NEW_USER_NAMESPACE, errno.EPERM)
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
