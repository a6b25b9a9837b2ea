"""A first pipeline in a folder: what `mlkit init` writes.

The files stand in `project/` as they are written, so that they can be run and tested there; only
what is about the new folder, its pipeline's name, is put in.
"""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path

from mlkit.beginning.wiring import written_scalar
from mlkit.errors import UsageError
from mlkit.frozen import dataclass

__all__ = ["Begun", "begin", "notebooks_in"]

FILES = {
    "pipeline.yaml": "pipeline.yaml",
    "01-measure.ipynb": "01-measure.ipynb",
    "02-fit.ipynb": "02-fit.ipynb",
    "tests/test_pipeline.py": "test_pipeline.py",
    "README.md": "README.md",
    "requirements.txt": "requirements.txt",
    ".gitignore": "gitignore",
    "scratch/.gitignore": "scratch-gitignore",
    ".github/workflows/pipeline.yml": "github.yml",
}
"""Each file of the new folder, and what it is called here, where hidden names would be obeyed."""

PIPELINE = ("pipeline.yaml", "01-measure.ipynb", "02-fit.ipynb")
"""What must be as it is written here; others, such as a repository's README, may be somebody's."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What became of each file: written now, or there already and left as it was."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def begin(folder: Path) -> Begun:
    """Write a first pipeline into a folder; nothing that is there is changed.

    Parameters
    ----------
    folder : Path
        A new folder, or one without a pipeline. Called again it completes what is missing.

    Raises
    ------
    UsageError
        If another pipeline or notebook is in the way; then nothing was written.
    """
    contents = {name: _content(name, folder) for name in FILES}
    kept = tuple(name for name in FILES if _is_there(name, folder, contents[name]))
    written = tuple(name for name in FILES if name not in kept)
    try:
        for name in written:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_name(f".{target.name}.{os.getpid()}.part")
            aside.write_bytes(contents[name])
            aside.replace(target)
    except OSError as error:
        raise UsageError(
            f"the folder cannot be written: {error.strerror or error}",
            folder,
            remedy="Name a folder that you may write in",
            code="E105",
        ) from None
    return Begun(folder=folder, written=written, kept=kept)


def notebooks_in(folder: Path) -> list[str]:
    """List the notebooks of a folder that `begin` does not write, in the order of their names."""
    if not folder.is_dir():
        return []
    return [file.name for file in sorted(folder.glob("*.ipynb")) if file.name not in FILES]


def _content(name: str, folder: Path) -> bytes:
    content = files("mlkit.beginning").joinpath("project", FILES[name]).read_bytes()
    own = re.sub(r"[\s.]+", "-", Path(os.path.abspath(folder)).name)  # noqa: PTH100 - keeps links
    if name == "pipeline.yaml" and _NAME.fullmatch(own):
        content = content.replace(b"\nname: first\n", f"\nname: {written_scalar(own)}\n".encode())
    return content


def _is_there(name: str, folder: Path, content: bytes) -> bool:
    """Whether a file is there, and may stay.

    Raises
    ------
    UsageError
        If it cannot be looked at, or is another pipeline's.
    """
    try:
        if (folder / name).read_bytes() == content or name not in PIPELINE:
            return True
        fact = "the file is there already"
    except FileNotFoundError:
        return False
    except OSError as error:
        fact = f"something is in the way: {error.strerror or error}"
    raise UsageError(
        fact,
        folder / name,
        remedy="Name a new folder; a stage is added to a pipeline with 'mlkit add STAGE'",
    )
