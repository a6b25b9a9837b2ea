"""What the wheel carries beside the package."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlkit.grading.authoring.release import PAGES
from mlkit.panel import LABEXTENSION, SERVER_EXTENSION

ROOT = Path(__file__).resolve().parents[1]
LABEXTENSIONS = "share/jupyter/labextensions"


class _Interface:
    """As much of hatchling's hook as ours uses; it is installed where wheels are built alone."""

    root = str(ROOT)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hook of `hatch_build.py`."""
    name = "hatchling.builders.hooks.plugin.interface"
    interface = ModuleType(name)
    interface.BuildHookInterface = _Interface  # type: ignore[attr-defined]  # a stand-in's
    monkeypatch.setitem(sys.modules, name, interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LessonsAndExercises()


def test_a_wheel_holds_lessons_and_exercises_and_no_solution(hook: Any) -> None:
    """Each where `mlkit learn` looks for it."""
    data: dict[str, Any] = {"force_include": {}}
    hook.initialize("standard", data)
    targets = set(data["force_include"].values())
    exercises = {f"mlkit/kit/exercises/{p.name}" for p in (ROOT / "exercises").glob("*.ipynb")}
    assert exercises <= targets
    assert "mlkit/kit/notebooks/flights/pipeline.yaml" in targets
    assert "mlkit/kit/notebooks/00-start-here.ipynb" in targets
    assert {f"mlkit/kit/{page}" for page in PAGES} <= targets
    texts = [Path(path).read_text(encoding="utf-8") for path in data["force_include"]]
    assert not [text for text in texts if "### BEGIN SOLUTION" in text]
    assert not [target for target in targets if "solution" in target]


def test_an_editable_installation_copies_nothing(hook: Any) -> None:
    """It reads its checkout, which may change."""
    data: dict[str, Any] = {"force_include": {}}
    hook.initialize("editable", data)
    assert data["force_include"] == {}


def test_jupyterlab_finds_the_panel_and_all_its_modules() -> None:
    """The folders that a wheel puts into an environment hold what JupyterLab asks for by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    (source,) = (ROOT / s for s, to in shared.items() if to == f"{LABEXTENSIONS}/{LABEXTENSION}")
    about = json.loads((source / "package.json").read_text(encoding="utf-8"))
    assert (about["name"], about["version"]) == (LABEXTENSION, project["project"]["version"])
    assert (source / about["jupyterlab"]["_build"]["load"]).is_file()
    modules = list((source / "static").glob("*.js"))
    named = {
        name
        for file in modules
        for name in re.findall(r'from "\./([\w.-]+)"|new URL\("([\w.-]+)"', file.read_text())
    }
    assert {one or other for one, other in named} <= {p.name for p in (source / "static").iterdir()}
    (config,) = (ROOT / s for s, to in shared.items() if to.startswith("etc/jupyter/"))
    assert json.loads(config.read_text())["ServerApp"]["jpserver_extensions"] == {
        SERVER_EXTENSION: True
    }
