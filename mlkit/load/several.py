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
            first, *others = self._found
            first.others = tuple(others)
            raise first
