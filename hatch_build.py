"""What `mlkit learn` hands out goes into the wheel. Called by hatchling, which alone imports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["LessonsAndExercises"]

PAGES = ("docs/open-project.md", "docs/instructor/open-project.md")
"""What lessons lead to; `mlkit.grading.authoring.release`, which hands them out, names the same."""
MADE = {"runs", "scratch", "__pycache__", ".ipynb_checkpoints"}


class LessonsAndExercises(BuildHookInterface):
    """Put `notebooks/` and `exercises/` below `mlkit/kit/`; never a solution."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files; an editable installation reads them from its checkout."""
        if version == "editable":
            return
        root = Path(self.root)
        given = [root / page for page in PAGES]
        for folder in ("notebooks", "exercises"):
            given += sorted((root / folder).rglob("*"))
        for path in given:
            inner = path.relative_to(root)
            if path.is_file() and not MADE & set(inner.parts):
                build_data["force_include"][str(path)] = f"mlkit/kit/{inner.as_posix()}"
