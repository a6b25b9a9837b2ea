"""The tree of errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from mlkit import errors
from mlkit.errors import MlkitError, PipelineError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MlkitError("a fact"), "a fact"),
        (MlkitError("a fact", "p.yaml"), "p.yaml: a fact"),
        (MlkitError("a fact", Path("p.yaml"), 3), "p.yaml:3: a fact"),
        (MlkitError("a fact", remedy="Do this"), "a fact. Do this"),
        (MlkitError("a fact", "p", 3, "Did you mean 'x'?"), "p:3: a fact. Did you mean 'x'?"),
    ],
)
def test_an_error_reads_as_place_fact_remedy(error: MlkitError, text: str) -> None:
    """What is not known is left out."""
    assert str(error) == text


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_crosses_a_process(name: str) -> None:
    """With all its parts, and as what it is."""
    kind = getattr(errors, name)
    error = kind("a fact", Path("p.yaml"), 3, "Do this")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert isinstance(again, MlkitError)
    assert (again.message, again.file, again.line, again.remedy) == (
        *("a fact", "p.yaml"),
        *(3, "Do this"),
    )


def test_exit_codes() -> None:
    """A mistake of the user exits with 2, what breaks while running with 1."""
    codes = {name: getattr(errors, name).exit_code for name in errors.__all__}
    assert {name for name, code in codes.items() if code == 1} == {
        *("ExecutionError", "RunsFolderError", "StoreError")
    }
    assert set(codes.values()) == {1, 2}
    assert PipelineError("x").exit_code == 2
