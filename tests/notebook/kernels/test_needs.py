"""What a notebook imports, told from its source."""

from __future__ import annotations

import pytest

from mlkit.notebook.kernels.needs import needs_of, sets_environment_before_importing


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


@pytest.mark.parametrize(
    "cells",
    [
        ["import os\nos.environ['OMP_NUM_THREADS'] = '1'", "import numpy"],
        ["import os; os.environ.setdefault('A', '1'); import pandas"],
        ["from os import environ\nif True:\n    environ.update(A='1')", "from sklearn import tree"],
        ["import os; os.putenv('A', '1')", "def later():\n    import pandas"],
    ],
)
def test_variables_set_before_an_import_are_meant_for_it(cells: list[str]) -> None:
    """The notebook needs a kernel in which nothing was imported ahead."""
    assert sets_environment_before_importing(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["import numpy", "import os; os.environ['A'] = '1'"],
        ["import os; os.environ['A'] = '1'", "import json"],
        ["import os; print(os.environ['A'])", "import pandas"],
        ["%env A=1", "import pandas"],
    ],
)
def test_other_uses_of_the_environment_are_not(cells: list[str]) -> None:
    """Reading, or setting when everything is imported."""
    assert not sets_environment_before_importing(cells)
