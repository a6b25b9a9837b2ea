"""End a stage early, as skipped."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["StageSkipped", "skip"]


class StageSkipped(BaseException):
    """Raised by `skip`; not an `Exception`, so that a cell's own handler does not swallow it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: nothing went wrong."""
        return [f"Stage skipped: {self.reason}"]


def skip(reason: str) -> NoReturn:
    """End this stage here; the run records it as `skipped`, with the reason.

    Parameters
    ----------
    reason : str
        Why there is nothing to do; it appears in the run's record and report.

    Raises
    ------
    StageSkipped
        Always; the driver understands it.
    """
    raise StageSkipped(str(reason))
