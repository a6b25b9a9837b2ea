"""A string that does not show itself."""

from __future__ import annotations

__all__ = ["Secret"]


class Secret(str):
    """A string whose `repr` hides it; annotate a parameter with it to mark it as secret.

    It is an ordinary `str` for everything that needs the value (`f"{token}"`, a request's header);
    only `repr`, which is what a notebook echoes, hides it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """A fixed text in place of the value."""
        return "Secret('***')" if self else "Secret('')"
