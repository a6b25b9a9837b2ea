"""Among which values a search looks: ranges of numbers, as they are written on a command line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from mlkit.core.values import decode, encode
from mlkit.frozen import dataclass

__all__ = ["FORMS", "Choices", "Domain", "Range", "RangeError", "domain_of", "read_range"]

FORMS = "LOW..HIGH, LOW..HIGH log or LOW..HIGH step S"
"""How a range is written."""

_RANGE = re.compile(
    r"\s*(?P<low>[^\s]*?)\.\.(?P<high>[^\s]*)(?:\s+(?P<way>log|step\s+(?P<step>\S+)))?\s*"
)


class RangeError(ValueError):
    """What is written as a range is none."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from one to another, both included.

    Parameters
    ----------
    low, high : int or float
        The ends; `low` is less.
    is_int : bool
        Whether they are whole.
    log : bool
        Whether each power of ten counts as much as the next.
    step : int or float, optional
        The distance between values.
    """

    low: float
    high: float
    is_int: bool = False
    log: bool = False
    step: float | None = None

    @property
    def samples(self) -> tuple[float, ...]:
        """Its ends, to be tried on what receives them."""
        return (self.low, self.high)

    @property
    def size(self) -> float:
        """How many values there are."""
        step = self.step or (1 if self.is_int else 0)
        return math.floor((self.high - self.low) / step + 1e-9) + 1 if step else math.inf

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Some values, of which none is nearer to another than to a third."""

    values: tuple[Any, ...]

    @property
    def samples(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {"values": [encode(value) for value in self.values]}


Domain = Range | Choices


def domain_of(data: Mapping[str, Any]) -> Domain:
    """Undo `to_json` of either."""
    if "values" in data:
        return Choices(values=tuple(decode(value) for value in data["values"]))
    return Range(**data)


def read_range(text: str, *, is_int: bool) -> Range | None:
    """Read a range of numbers; None where a text does not look like one.

    Parameters
    ----------
    text : str
        `1e-4..1e-1 log`, `2..12`, `0..1 step 0.1`.
    is_int : bool
        Whether only whole numbers are asked for.

    Raises
    ------
    RangeError
        If it looks like one and is none; the message says why.
    """
    if ".." not in text:
        return None
    found = _RANGE.fullmatch(text)
    if found is None:
        raise RangeError(f"'{text.strip()}' is no range")
    low, high = (_number(found[end], is_int=is_int, end=end) for end in ("low", "high"))
    step = None if found["step"] is None else _number(found["step"], is_int=is_int, end="step")
    log = found["way"] == "log"
    if not low < high:
        raise RangeError(
            f"the range {text.strip()} is empty: its low end is not below the high one"
        )
    if log and low <= 0:
        raise RangeError(f"the low end of a range with 'log' is above 0, not {low:g}")
    if step is not None and not 0 < step <= high - low:
        raise RangeError(f"the step {step:g} does not fit into {low:g}..{high:g}")
    return Range(low=low, high=high, is_int=is_int, log=log, step=step)


def _number(text: str, *, is_int: bool, end: str) -> float:
    """One number of a range."""
    name = end if end == "step" else f"{end} end"
    if not text:
        raise RangeError(f"the {name} of the range is missing")
    try:
        number = float(text)
    except ValueError:
        raise RangeError(f"the {name} of the range is no number: '{text}'") from None
    if not math.isfinite(number):
        raise RangeError(f"the {name} of the range is {text}")
    if is_int and not number.is_integer():
        raise RangeError(f"the {name} of the range is {text}, and whole numbers are asked for")
    return int(number) if is_int else number
