"""What a notebook imports, told from its source."""

from __future__ import annotations

import pytest

from mlkit.notebook.kernels.needs import needs_of


def test_packages_are_named_by_their_top_and_the_standard_library_is_not() -> None:
    """Wherever in a cell they are imported."""
    cells = [
        "import json, pandas as pd\nfrom sklearn.ensemble import RandomForestClassifier",
        "def plot():\n    import matplotlib.pyplot as plt",
        "from mlkit import Secret, skip\nimport mlkit\nimport mlkit.inside",
    ]
    assert needs_of(cells) == frozenset({"pandas", "sklearn", "matplotlib"})


@pytest.mark.parametrize(
    "cell",
    [
        "import house_rules",
        "from . import neighbour",
        "import mlkit.ml.models",
        "from mlkit import ml",
        "import importlib; importlib.import_module(name)",
        "__import__(name)",
        "%load_ext autoreload",
        "this is no Python",
    ],
)
def test_what_cannot_be_told_is_not_guessed(cell: str) -> None:
    """A project's module may import anything, and so may a computed name."""
    assert needs_of(["import pandas", cell]) is None


def test_a_notebook_without_imports_needs_nothing() -> None:
    """Its kernel can be forked first of all."""
    assert needs_of(["1 + 1", ""]) == frozenset()
