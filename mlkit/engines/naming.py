"""Python's names for what a pipeline calls as it likes, none twice."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

__all__ = ["FreeNames"]

_PYTHONS_OWN = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins)})


class FreeNames:
    """Hands out names, each once.

    Parameters
    ----------
    taken : iterable of str
        Names that mean something already, beside Python's own.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*_PYTHONS_OWN, *taken}

    def new(self, wish: str, *forms: str) -> str:
        """Give a name as close to a wish as those already given allow.

        Parameters
        ----------
        wish : str
            Any text.
        *forms : str
            What else the file makes of the name, such as `run_{}`; that is free, too.
        """
        name = re.sub(r"\W+", "_", wish.lower(), flags=re.ASCII).strip("_")
        name = name if name and not name[0].isdigit() else f"n_{name}".rstrip("_")
        while self._taken & (made := {name, *(form.format(name) for form in forms)}):
            name += "_"
        self._taken |= made
        return name
