"""What the operating system refuses becomes a sentence, and only that."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mlkit.errors import RunsFolderError
from mlkit.store.refusals import readable_os_errors, sentence_of


@pytest.mark.parametrize("number", sorted({errno.EACCES, errno.ENOSPC, errno.EMFILE, errno.EIO}))
def test_a_refusal_names_its_cause_and_a_remedy(number: int, tmp_path: Path) -> None:
    """Whatever part of the work met it."""
    with pytest.raises(RunsFolderError) as caught, readable_os_errors(tmp_path):
        raise OSError(number, "no", str(tmp_path))
    assert caught.value.remedy


def test_a_link_that_cannot_be_made_is_named_by_its_own_place(tmp_path: Path) -> None:
    """Not by what it would point to, which is relative to it and nowhere from here."""
    link = tmp_path / "nowhere" / "best"
    with pytest.raises(RunsFolderError) as caught, readable_os_errors(tmp_path):
        link.symlink_to("../run")
    assert caught.value.file == str(link)


@pytest.mark.parametrize("kind", [ConnectionResetError, BrokenPipeError, ConnectionRefusedError])
def test_a_broken_connection_is_not_the_folders_fault(
    kind: type[ConnectionError], tmp_path: Path
) -> None:
    """To send somebody looking at rights for it would cost an afternoon."""
    with pytest.raises(kind), readable_os_errors(tmp_path):
        raise kind(errno.ECONNRESET, "no")


def test_a_full_disk_elsewhere_is_not_the_runs_folders_fault() -> None:
    """A file that is written beside it has its own name, and no command of runs as its remedy."""
    fact, place, remedy = sentence_of(OSError(errno.ENOSPC, "No space left on device", "page.html"))
    assert (fact, place) == ("a file cannot be written: No space left on device", "page.html")
    assert "mlkit clean" not in remedy
