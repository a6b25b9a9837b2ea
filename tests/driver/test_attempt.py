"""Attempts, each in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from mlkit.core.states import Status
from mlkit.testing import FakeRunner, Sketch, run_fake, write_pipeline


def test_a_notebook_that_removes_its_own_folder_harms_itself_only(tmp_path: Path) -> None:
    """Its attempt fails; an independent branch ends."""
    file = write_pipeline(
        tmp_path,
        Sketch(
            name="vandal",
            body="import pathlib, shutil\nshutil.rmtree(pathlib.Path(out).parents[2])",
        ),
        Sketch(name="other"),
    )
    record = run_fake(file, runner=FakeRunner())
    assert record.stages["vandal"].status is Status.FAILED
    assert record.stages["other"].status is Status.SUCCEEDED
