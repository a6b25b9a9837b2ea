"""The tree of errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from mlkit import errors
from mlkit.errors import MissingExtraError, MlkitError, PipelineError, needing_extra

CLASSES = [name for name in errors.__all__ if name.endswith("Error")]


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


@pytest.mark.parametrize("name", CLASSES)
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
    codes = {name: getattr(errors, name).exit_code for name in CLASSES}
    assert {name for name, code in codes.items() if code == 1} == {
        *("ExecutionError", "RunsFolderError", "StoreError")
    }
    assert set(codes.values()) == {1, 2}
    assert PipelineError("x").exit_code == 2


def test_a_missing_extra_names_who_needs_what_and_how_it_is_installed() -> None:
    """Under the distribution's own name, whatever submodule was asked for."""
    with pytest.raises(MissingExtraError) as caught, needing_extra("flights", "the registry"):
        import no_such_package.part  # type: ignore[import-not-found]  # noqa: F401 - it is missing
    assert caught.value.message == (
        "the registry needs the package no_such_package, which is not installed"
    )
    assert caught.value.remedy == "Install it with: pip install 'mlkit-notebooks[flights]'"
