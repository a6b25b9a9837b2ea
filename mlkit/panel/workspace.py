"""The folder that JupyterLab shows: the pipelines in it, and its paths as the page knows them."""

from __future__ import annotations

import os
from pathlib import Path

from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.load.pipeline_file import PIPELINE_FILE

__all__ = ["Workspace"]

_MOST_PIPELINES = 200
_MOST_LEVELS = 8
_PASSED_OVER = {"runs", "scratch", "node_modules", "__pycache__", "site-packages"}


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A folder whose files have paths with `/`, relative to it, in the page.

    Parameters
    ----------
    root : Path
        Absolute.
    """

    root: Path

    def pipelines(self) -> list[str]:
        """Every pipeline.yaml that a person may have written here, the outermost first."""
        found: list[str] = []
        for place, names, files in os.walk(self.root):
            folder = Path(place)
            level = len(folder.relative_to(self.root).parts)
            names[:] = sorted(
                name
                for name in names
                if level < _MOST_LEVELS
                and not name.startswith(".")
                and name not in _PASSED_OVER
                and not (folder / name / "pyvenv.cfg").exists()
            )
            if PIPELINE_FILE in files:
                found.append((folder / PIPELINE_FILE).relative_to(self.root).as_posix())
            if len(found) >= _MOST_PIPELINES:
                break
        return sorted(found, key=lambda path: (path.count("/"), path))

    def file(self, path: str) -> Path:
        """The file that a path of the page means.

        Raises
        ------
        UsageError
            If it would lead out of the folder.
        """
        parts = Path(path.strip("/")).parts
        if not parts or ".." in parts or "\0" in path:
            raise UsageError(f"'{path}' is no path below the folder that JupyterLab shows")
        return self.root.joinpath(*parts)

    def path(self, file: Path | str) -> str | None:
        """The path of a file in the page; None if JupyterLab does not show it."""
        for place, root in (
            (Path(file), self.root),
            (Path(file).resolve(), self.root.resolve()),
        ):
            if place.is_relative_to(root):
                inner = place.relative_to(root)
                is_shown = not any(part.startswith(".") for part in inner.parts)
                return inner.as_posix() if is_shown else None
        return None
