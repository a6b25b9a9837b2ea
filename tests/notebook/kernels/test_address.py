"""Where a kernel listens."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from mlkit.notebook.kernels.address import Address


def test_every_address_has_a_key_of_its_own(tmp_path: Path) -> None:
    """A process that can talk to one kernel cannot sign for another."""
    one, other = (Address(serial=number, stem=tmp_path / str(number)) for number in (1, 2))
    assert one.key != other.key
    assert one.key.decode() not in repr(one)


def test_the_file_holds_what_a_kernel_needs_and_is_private(tmp_path: Path) -> None:
    """Transport, five ports, key."""
    address = Address(serial=1, stem=tmp_path / "1")
    address.write()
    content = json.loads(address.file.read_text())
    assert content == {
        **address.places,
        "key": address.key.decode(),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "python3",
    }
    assert len({content[f"{name}_port"] for name in ("shell", "iopub", "stdin", "hb")}) == 4
    assert stat.S_IMODE(address.file.stat().st_mode) == 0o600


def test_a_file_that_is_there_already_is_never_overwritten(tmp_path: Path) -> None:
    """It may be another kernel's, or a trap."""
    address = Address(serial=1, stem=tmp_path / "1")
    address.file.touch()
    with pytest.raises(FileExistsError):
        address.write()
