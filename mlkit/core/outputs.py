"""What a stage writes, as pipeline.yaml spells it: a file, a folder, or its executed notebook.

A name that ends with `/` is a folder, one that ends with `?` may be missing, and `@notebook.ipynb`
or `@notebook.html` is the executed notebook, which mlkit writes itself.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from mlkit.frozen import dataclass

__all__ = ["DIGITS", "NOTEBOOKS", "TREE", "Output", "is_tree"]

NOTEBOOKS = ("@notebook.ipynb", "@notebook.html")
"""The outputs that mlkit writes itself."""

DIGITS = 64
"""Of a sha256, in hexadecimal."""

TREE = ".tree"
"""The digest of a folder ends so, after the digits of its manifest: a digest tells its kind,
also where its bytes are not at hand, and no file's digest is ever a folder's."""


def is_tree(digest: str) -> bool:
    """Whether a digest is that of a folder."""
    return digest.endswith(TREE)


@dataclass(frozen=True, kw_only=True)
class Output:
    """One declared output.

    Parameters
    ----------
    path : str
        Where it lies in the stage's folder; POSIX, without the marks.
    is_folder : bool
        Whether it is a folder.
    optional : bool
        Whether it may be missing.
    is_notebook : bool
        Whether it is the executed notebook itself.
    """

    path: str
    is_folder: bool = False
    optional: bool = False
    is_notebook: bool = False

    def __str__(self) -> str:
        """The name as one writes it in pipeline.yaml."""
        marks = ("/" if self.is_folder else "") + ("?" if self.optional else "")
        return ("@" if self.is_notebook else "") + self.path + marks

    def __fspath__(self) -> str:
        """The same: programs, and exercises that were handed out, take an output for its path."""
        return str(self)

    @property
    def name(self) -> str:
        """How to name it to a person: a folder with its slash."""
        return self.path + "/" if self.is_folder else self.path

    @classmethod
    def of(cls, text: str) -> Output:
        """Read a name as pipeline.yaml spells it; whether it can be one, others check."""
        is_notebook = text.startswith("@")
        optional = text.endswith("?")
        bare = text.removeprefix("@").removesuffix("?")
        return cls(
            path=str(PurePosixPath(bare)),
            is_folder=bare.endswith("/"),
            optional=optional,
            is_notebook=is_notebook,
        )
