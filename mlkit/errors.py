"""The one tree of errors that mlkit raises for its users.

Every error carries the fact, and where they are known the place and the remedy, so that the command
line can print one readable sentence and a program can read the parts.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "DISTRIBUTION",
    "ConfigurationError",
    "EngineError",
    "ExecutionError",
    "GradingError",
    "MissingExtraError",
    "MlkitError",
    "NotebookError",
    "PipelineError",
    "RunsFolderError",
    "StoreError",
    "UnknownRunError",
    "UnsupportedByEngineError",
    "UsageError",
    "WrongPlaceError",
    "install_extra",
    "needing_extra",
    "why_unreadable",
]

DISTRIBUTION = "mlkit-notebooks"
"""The name under which mlkit is installed; `mlkit` on PyPI is another project."""

_ORIGIN = re.compile(r"(?P<file>[^\s'(]+\.ya?ml):(?P<line>\d+)")


class MlkitError(Exception):
    """The root of mlkit's errors.

    Parameters
    ----------
    message : str
        The fact, as a sentence without its full stop.
    file : Path or str, optional
        The file in which the mistake stands.
    line : int, optional
        The line of `file`, from 1.
    remedy : str, optional
        What the user can do about it; by default what helps with errors of this class.
    code : str, optional
        The kind of error, one of `mlkit.core.error_kinds`; by default the usual one of this class.

    Attributes
    ----------
    others : tuple of MlkitError
        Further mistakes that were found with this one, for views that show all of them.
    """

    exit_code = 2
    usual_remedy: str | None = None
    usual_code = "E100"

    def __init__(
        self,
        message: str,
        file: Path | str | None = None,
        line: int | None = None,
        remedy: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, file, line, remedy, code)
        self.message = message
        self.file = None if file is None else str(file)
        self.line = line
        self.remedy = remedy or self.usual_remedy
        self.code = code or self.usual_code
        self.others: tuple[MlkitError, ...] = ()

    @property
    def place(self) -> str:
        """The file and the line, as far as they are known; else an empty text."""
        if self.file is None:
            return ""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        """The place, the fact and the remedy in one readable text."""
        text = f"{self.place}: {self.message}" if self.place else self.message
        remedy = self.args[3]
        return f"{text}. {remedy}" if remedy else text


class UsageError(MlkitError):
    """The command or call was given something that it cannot use."""

    usual_code = "E100"
    usual_remedy = "The command's --help lists what there is"


class PipelineError(MlkitError):
    """A pipeline.yaml, or the way in which its stages fit together, is invalid."""

    usual_code = "E200"
    usual_remedy = "Correct that place; README.md shows how a pipeline.yaml is written"


class NotebookError(MlkitError):
    """A stage's notebook is missing, broken, or breaks the notebook's contract."""

    usual_code = "E300"
    usual_remedy = "Open the notebook in JupyterLab, correct it and save it"


class ConfigurationError(MlkitError):
    """A parameter's value, an environment variable or a parameter file is invalid.

    Where a value came from stands in the message; if that is a line of a file, it is the place.
    """

    usual_code = "E400"
    usual_remedy = "'mlkit plan' shows every parameter, its value, and where it came from"

    def __init__(
        self,
        message: str,
        file: Path | str | None = None,
        line: int | None = None,
        remedy: str | None = None,
        code: str | None = None,
    ) -> None:
        found = None if file is not None else _ORIGIN.search(message)
        if found is not None:
            file, line = found["file"], int(found["line"])
            message = message.removeprefix(found[0]).lstrip(":, ")
        super().__init__(message, file, line, remedy, code)


class UnknownRunError(MlkitError):
    """No run of that id stands in the runs folder."""

    usual_code = "E502"
    usual_remedy = "'mlkit runs' lists the runs"


class RunsFolderError(MlkitError):
    """The runs folder cannot be read or written."""

    usual_code = "E500"
    exit_code = 1


class WrongPlaceError(RunsFolderError):
    """A file was named where a folder is wanted, or a folder where a file is to be written."""

    usual_code = "E500"
    exit_code = 2


class StoreError(RunsFolderError):
    """A store or runs folder behind a URL cannot be reached, read or written."""

    usual_code = "E501"


class ExecutionError(MlkitError):
    """Executing a notebook could not be carried through."""

    usual_code = "E600"
    exit_code = 1


class MissingExtraError(MlkitError):
    """An optional library is wanted that is not installed."""

    usual_code = "E700"


def install_extra(extra: str) -> str:
    """Give the command that installs an extra of mlkit.

    Parameters
    ----------
    extra : str
        A name under `project.optional-dependencies`.
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def why_unreadable(error: OSError | UnicodeDecodeError) -> tuple[str, str]:
    """Say why a text file cannot be read, and what to do.

    Parameters
    ----------
    error : OSError or UnicodeDecodeError
        What reading it raised.

    Returns
    -------
    (str, str)
        The fact without the file's name, and the remedy.
    """
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} of it is not UTF-8 text", "Save it as UTF-8"
    return f"{error.strerror or error}", "See that it is a file that you may read"


@contextlib.contextmanager
def needing_extra(extra: str, who: str) -> Iterator[None]:
    """Around the import of an optional library: say which extra installs it.

    Parameters
    ----------
    extra : str
        The extra that brings the library.
    who : str
        What needs it, as the subject of a sentence.

    Raises
    ------
    MissingExtraError
        If a module imported within is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise MissingExtraError(
            f"{who} needs the package {package}, which is not installed",
            remedy=f"Install it with: {install_extra(extra)}",
        ) from error


class GradingError(MlkitError):
    """A submission, an exercise or the grader's own surroundings cannot be used."""

    usual_code = "E800"


class EngineError(MlkitError):
    """An engine's environment is missing, or the engine could not be started."""

    usual_code = "E710"
    usual_remedy = "'mlkit doctor' says which engines are there"


class UnsupportedByEngineError(MlkitError):
    """A pipeline asks for what an engine cannot express; it is refused, never dropped."""

    usual_code = "E711"
    usual_remedy = "docs/engines.md shows what each engine can express"
