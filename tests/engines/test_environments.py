"""Where an engine's environment is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlkit.engines.environments import engine_python, engine_version, find_python
from mlkit.engines.registry import ENGINES
from mlkit.errors import EngineError

AIRFLOW = ENGINES["airflow"]


def test_an_environment_is_found_by_its_variable() -> None:
    """It wins; what cannot be run is told, not passed over."""
    assert find_python(AIRFLOW, {"MLKIT_AIRFLOW_PYTHON": sys.executable}) == Path(sys.executable)
    with pytest.raises(EngineError, match="names /nowhere/python, which cannot be run"):
        engine_python(AIRFLOW, {"MLKIT_AIRFLOW_PYTHON": "/nowhere/python"})


def test_the_version_is_asked_of_the_environment_itself() -> None:
    """The core environment holds no engine."""
    assert engine_version(ENGINES["kubeflow"], Path(sys.executable)) is None
