"""Hand a kernel over to a keeper, so that it outlives its driver.

A kernel depends on its driver in up to three ways: a forked one ends when the other end of its link
is closed, the zygote ends the kernels that it has forked, and the driver's warden kills every
process that carries the driver's token. The keeper takes the link, the zygote and the warden are
told to spare the kernel, in this order: whenever the driver is killed in between, the kernel ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlkit.core.kept_kernel import SHARE, Keeping, KeptKernel, crowded_out
from mlkit.core.record import ErrorRecord
from mlkit.errors import UsageError
from mlkit.notebook.kernels import keeper, warden
from mlkit.notebook.kernels.address import Address
from mlkit.notebook.kernels.kept_kernels import (
    FACTS,
    LOCK,
    at_hand,
    kept_kernels,
    kept_place,
    stop_kernels,
)
from mlkit.notebook.kernels.manager import LeashedKernelManager
from mlkit.notebook.kernels.own_folder import own_folder
from mlkit.notebook.kernels.process_memory import memory_of
from mlkit.notebook.kernels.provisioners import LeashedProvisioner

__all__ = ["NotKeptError", "keep_kernel"]

_START_S = 20.0


class NotKeptError(Exception):
    """A kernel could not be kept; the text says why."""


def keep_kernel(
    manager: LeashedKernelManager, keeping: Keeping, error: ErrorRecord, folder: Path
) -> KeptKernel:
    """Hand a kernel that is idle over to a keeper; its manager has no kernel afterwards.

    Parameters
    ----------
    manager : LeashedKernelManager
        The kernel's, the channels of its clients closed.
    keeping : Keeping
        For how long, and of which attempt it is.
    error : ErrorRecord
        Why the attempt failed.
    folder : Path
        The attempt's folder, which is kept with the kernel and removed with it.

    Raises
    ------
    NotKeptError
        If it has died, or holds too much memory, or nobody can keep it; the manager keeps it then.
    """
    provisioner = manager.provisioner
    assert isinstance(provisioner, LeashedProvisioner)
    process, token = provisioner.kernel, provisioner.leash.mark(provisioner.serial)
    if process is None or process.poll() is not None:
        raise NotKeptError("it has ended")
    size = sum(memory_of(pid) for pid in warden.holders(token)) or memory_of(process.pid)
    try:
        place = own_folder(kept_place())
        with at_hand(place):
            _make_room(place, keeping, size)
            now = time.time()
            kept = KeptKernel(
                **keeping.facts,
                id=secrets.token_hex(4),
                attempt=keeping.attempt,
                error=error.type,
                cell=error.cell,
                began=now,
                until=now + keeping.for_s,
                memory_bytes=size,
                pid=process.pid,
                keeper=0,
                connection="",
                folder=str(folder),
                sockets="",
                token=token,
            )
            kept = _entrust(manager, kept, place / kept.id)
    except (OSError, UsageError, subprocess.SubprocessError, ValueError) as problem:
        raise NotKeptError(str(problem)) from problem
    provisioner.leave()
    return kept


def _make_room(place: Path, keeping: Keeping, size: int) -> None:
    """End the kernels that have to go: an earlier one of the same stage, then the oldest."""
    mine = [keeping.facts[name] for name in ("runs_dir", "run_id", "stage")]
    stop_kernels(lambda each: [each.runs_dir, each.run_id, each.stage] == mine, place)
    most = SHARE * _memory_of_machine()
    gone = crowded_out(kept_kernels(place), size, most)
    if gone is None:
        raise NotKeptError(
            f"it holds {size / 1e9:.1f} GB, and kept kernels may hold {most / 1e9:.1f} GB, a "
            "quarter of the memory"
        )
    ids = {each.id for each in gone}
    stop_kernels(lambda each: each.id in ids, place)


def _entrust(manager: LeashedKernelManager, kept: KeptKernel, entry: Path) -> KeptKernel:
    """Start the keeper, bring the sockets to their place, and write down what is kept."""
    assert isinstance(manager.provisioner, LeashedProvisioner)
    assert manager.provisioner.kernel is not None
    entry.mkdir(mode=0o700)
    connections = entry / "connection"
    connections.mkdir(mode=0o700)
    # Sockets do not cross file systems, and their paths have to be short: they stay where they
    # are, in a folder of this kernel alone.
    sockets = Path(tempfile.mkdtemp(prefix="mlkit-kept-", dir=manager.address.stem.parents[1]))
    link, number = manager.provisioner.kernel.link(), 0
    try:
        with (entry / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            orders = {
                "pid": kept.pid,
                "token": kept.token,
                "until": kept.until,
                "folders": [str(sockets), kept.folder, str(entry)],
                "warden": str(Path(warden.__file__).absolute()),
            }
            number = _start_keeper(orders, [lock.fileno(), *([] if link is None else [link])])
            address = _moved(manager.address, sockets)
            connection = connections / "kernel.json"
            connection.write_text(json.dumps(_connection(manager, address)), encoding="utf-8")
            kept = replace(kept, keeper=number, connection=str(connection), sockets=str(sockets))
            part = entry / f"{FACTS}.part"
            part.write_text(json.dumps(kept.to_json()), encoding="utf-8")
            part.replace(entry / FACTS)
    except BaseException:
        if number:
            os.kill(number, signal.SIGTERM)
        shutil.rmtree(entry, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)
        raise
    finally:
        if link is not None:
            os.close(link)
    return kept


def _start_keeper(orders: Mapping[str, object], descriptors: list[int]) -> int:
    """Start the keeper, which is nobody's child then, and give its number."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(keeper.__file__).absolute())],
        input=json.dumps(orders).encode(),
        stdout=subprocess.PIPE,
        pass_fds=descriptors,
        env={},
        cwd="/",
        timeout=_START_S,
        check=True,
    )
    return int(ran.stdout)


def _connection(manager: LeashedKernelManager, address: Address) -> dict[str, object]:
    return {
        **address.places,
        "key": address.key.decode(),
        "signature_scheme": "hmac-sha256",
        "kernel_name": manager.kernel_name,
    }


def _moved(address: Address, folder: Path) -> Address:
    """Bring a kernel's sockets into a folder; a process that listens on one need not know of it."""
    moved = replace(address, stem=folder / "k")
    links = False
    for old in address.stem.parent.glob(f"{address.stem.name}[-:]*"):
        if old.is_symlink():
            links = True
            old.unlink()
        else:
            old.rename(folder / f"k{old.name.removeprefix(address.stem.name)}")
    if links:
        moved.lead_to_colons()
    address.file.unlink(missing_ok=True)
    return moved


def _memory_of_machine() -> int:
    """The memory of this machine, or of the container if that is less."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text("utf-8").strip()
    except OSError:
        return whole
    return min(whole, int(limit)) if limit.isdigit() else whole
