"""Big libraries are imported in part, and nobody else notices."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import entrypoints  # type: ignore[import-untyped] # it has no types
import pytest

from mlkit.notebook.importing import missing, plugins_of, postponed


@pytest.fixture
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it look as if `entrypoints` and `colorsys` had not been imported yet."""
    for name in ("entrypoints", "colorsys"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        pytest.param("[papermill.io]\nmine = json:loads\n", ["mine"], id="a plug-in"),
        pytest.param("[console_scripts]\nmine = json:loads\n", [], id="something else"),
    ],
)
@pytest.mark.parametrize("kind", ["dist-info", "egg-info"])
def test_a_plugin_is_found_as_by_entrypoints(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unimported: None,
    metadata: str,
    found: list[str],
    kind: str,
) -> None:
    """What names the package is asked for as ever; what does not has nothing to say."""
    folder = tmp_path / f"plug_in-1.0.{kind}"
    folder.mkdir()
    (folder / "entry_points.txt").write_text(metadata)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), str(tmp_path / "not there")])
    wanted = [each.name for each in entrypoints.get_group_all("papermill.io")]
    with plugins_of("papermill"):
        asked = importlib.import_module("entrypoints")
        assert [each.name for each in asked.get_group_all("papermill.io")] == wanted == found
    assert hasattr(importlib.import_module("entrypoints"), "EntryPoint")


def test_what_is_postponed_is_itself_when_it_is_used(unimported: None) -> None:
    """The first use imports it, also while others still meet what stands for it."""
    with postponed("colorsys"):
        module = importlib.import_module("colorsys")
        assert sys.modules["colorsys"] is module
        assert module.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
        assert sys.modules["colorsys"] is not module
    assert sys.modules["colorsys"].rgb_to_hsv is module.rgb_to_hsv


def test_what_is_missing_can_be_imported_later(unimported: None) -> None:
    """It is not there for the time being."""
    with missing("colorsys"), pytest.raises(ImportError):
        importlib.import_module("colorsys")
    assert importlib.import_module("colorsys")
