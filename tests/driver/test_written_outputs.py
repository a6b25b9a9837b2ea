"""What a stage may write, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlkit
from mlkit.testing import (
    Sketch,
    run_fake,
    write_pipeline,
)


@pytest.mark.parametrize(
    "name", [".work-1/out.txt", ".work-2", ".work-1/out/a", "parts/.x.part", ".notebook.ipynb.part"]
)
def test_an_output_in_mlkits_own_folders_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything runs, with the line."""
    file = write_pipeline(tmp_path, Sketch(name="a", file=name))
    with pytest.raises(mlkit.MlkitError) as caught:
        run_fake(file)
    assert "would lie where mlkit works itself" in str(caught.value)
    assert caught.value.line is not None


@pytest.mark.parametrize("name", [".hidden", ".works/x.txt", "a.part", ".config/x"])
def test_other_hidden_outputs_are_fine(tmp_path: Path, name: str) -> None:
    """They are the stage's own."""
    record = run_fake(write_pipeline(tmp_path, Sketch(name="a", file=name)))
    assert Path(record.stages["a"].outputs["out"]).is_file()
