"""Several mistakes of one pipeline, found in one reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlkit.errors import NotebookError, PipelineError

__all__ = ["Mistakes"]


class Mistakes:
    """Collects the mistakes of parts that can be judged by themselves.

    A later part that builds on them would find faults that are none, so `settle` comes before it.
    """

    def __init__(self) -> None:
        self._found: list[PipelineError | NotebookError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the mistake of one part, and go on with the next."""
        try:
            yield
        except (PipelineError, NotebookError) as error:
            self._found.append(error)

    def settle(self) -> None:
        """Go on if nothing is wrong; else raise the first mistake, which has the others.

        Raises
        ------
        PipelineError or NotebookError
            The first that was noted.
        """
        if self._found:
            first, *others = (each for found in self._found for each in (found, *found.others))
            for each in self._found:
                each.others, each.__notes__ = (), []
            first.others = tuple(others)
            for other in others:  # Python and JupyterLab show notes below the error
                first.add_note(str(other))
            raise first
