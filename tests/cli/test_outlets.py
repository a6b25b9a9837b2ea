"""stdout and stderr of commands."""

from __future__ import annotations

import gc
import io
import sys
from pathlib import Path

import pytest

from mlkit.cli.outlets import Outlet, steady_streams


class Broken(io.StringIO):
    """A stream on a disk that is full, or whose reader went away."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        """Fail."""
        raise self.error

    def fileno(self) -> int:
        """There is no file below."""
        raise io.UnsupportedOperation


def _narrow(encoding: str) -> tuple[Outlet, io.BytesIO]:
    raw = io.BytesIO()
    return Outlet(io.TextIOWrapper(raw, encoding=encoding)), raw


def test_what_the_encoding_lacks_becomes_plain() -> None:
    """Nothing is raised, and the rest of the text is there."""
    outlet, raw = _narrow("ascii")
    outlet.write("✓ größe")
    outlet.flush()
    assert raw.getvalue() == b"+ gr??e"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("closed")])
def test_a_stream_that_fails_is_given_up_and_its_trouble_kept(error: Exception) -> None:
    """No exception reaches the command, and later writes do nothing."""
    outlet = Outlet(Broken(error))
    outlet.write("one")
    outlet.write("two")
    outlet.flush()
    assert outlet.trouble is error


def test_a_reader_that_went_away_is_no_trouble() -> None:
    """`mlkit runs | head -1` is ordinary use."""
    outlet = Outlet(Broken(BrokenPipeError(32, "Broken pipe")))
    outlet.write("one")
    assert outlet.trouble is None


def test_bytes_are_refused() -> None:
    """That is how typer finds out that it is a text stream."""
    with pytest.raises(TypeError):
        Outlet(io.StringIO()).write(b"")  # type: ignore[arg-type]  # the point of the test


def test_a_loss_on_stdout_is_told_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the streams are put back."""
    told = io.StringIO()
    full = Broken(OSError(28, "No space left on device"))
    monkeypatch.setattr(sys, "stdout", full)
    monkeypatch.setattr(sys, "stderr", told)
    with steady_streams():
        print("lost")  # noqa: T201 - what a library might do
    assert sys.stdout is full
    assert told.getvalue() == "mlkit: the output could not be written: No space left on device.\n"


def test_what_was_buffered_goes_nowhere_after_a_failure() -> None:
    """The interpreter flushes at its end; that must not fail again."""
    stream = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - closed below
    outlet = Outlet(stream)
    outlet.write("x")
    outlet.flush()
    assert isinstance(outlet.trouble, OSError)
    stream.close()


def test_an_outlet_that_is_forgotten_leaves_its_stream_alone() -> None:
    """The interpreter's end finds streams closed and modules emptied, and Python 3.13 says so."""
    flushed: list[str] = []

    class Noting(io.StringIO):
        def flush(self) -> None:
            flushed.append("now")

    stream = Noting()
    outlet = Outlet(stream)
    outlet.write("text")
    del outlet
    gc.collect()
    assert (flushed, stream.getvalue()) == ([], "text")
