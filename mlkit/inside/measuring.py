"""Write down what a stage measures while it runs, without a file of its own for it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import time
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, SupportsFloat

__all__ = [
    "METRICS_VARIABLE",
    "NAME",
    "PROGRESS_LINE",
    "log_metric",
    "logged_to",
    "measured_in",
    "write_line",
]

METRICS_VARIABLE = "MLKIT_METRICS"
"""The environment variable that names the file: a line `{"name", "value", "step"}` for each call,
`{"progress", "done", "total"}` for progress. A stage in another language writes them itself."""

PROGRESS_LINE = '{"progress":'
"""How a line of that file begins that tells of progress."""

NAME = re.compile(r"\w[\w .\-/%@+:]{0,99}")
"""What a metric may be called: what can be the title of a column, and be typed in a filter."""

_place: ContextVar[str | None] = ContextVar("metrics", default=None)


def log_metric(name: str, value: Any, step: SupportsFloat | None = None) -> None:
    """Write down a number that this stage has measured; the run's record, table and report show it.

    Of several values of one name the last one counts, and all of them are its curve. A result that
    is reused has the same metrics and curves. Opened by hand, a notebook prints it.

    Parameters
    ----------
    name : str
        A letter, digit or underscore, then these, blanks and `. - / % @ + :`; at most 100.
    value : number
        Of Python, NumPy or whatever knows how to become a float. What is not finite cannot be
        compared: it is told as a warning, and not written down.
    step : number, optional
        Where on the curve it stands, such as the epoch; by default the number of the call.

    Raises
    ------
    TypeError
        If the name is no text, or the value or the step no number.
    ValueError
        If the name is none, or the step is not finite.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a metric is a text, not {name!r}")
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a metric: it begins with a letter or digit, goes on "
            "with these, blanks and . - / % @ + : and has at most 100 characters"
        )
    number = _number(value, f"metric {name!r}")
    at = None if step is None else _number(step, f"the step of metric {name!r}")
    if at is not None and not math.isfinite(at):
        raise ValueError(f"the step of metric {name!r} is {at}")
    if not math.isfinite(number):
        where = "" if at is None else f" at step {at:g}"
        warnings.warn(f"metric {name!r} is {number}{where}: not written down", stacklevel=2)
        return
    file = measured_in()
    if file is None:
        said = f"{name}: {number:g}" + ("" if at is None else f" (step {at:g})")
        print(said)  # noqa: T201 - shown where it is called, when one works by hand
        return
    write_line(file, name=name, value=number, step=at)


def measured_in() -> str | None:
    """The file in which a run reads what is measured; None where somebody works by hand."""
    return _place.get() or os.environ.get(METRICS_VARIABLE)


def write_line(file: str, **fields: Any) -> None:
    """Add a line to that file, with the time."""
    line = json.dumps({**fields, "time": round(time.time(), 3)})
    # one write at the end of the file: the processes of a stage may log side by side
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def logged_to(file: str) -> Iterator[None]:
    """Have `log_metric` write to a file, whatever the environment says; for who runs cells here."""
    token = _place.set(file)
    try:
        yield
    finally:
        _place.reset(token)


def _number(value: Any, what: str) -> float:
    """A number of any library; a truth value or a text that reads as one is a slip."""
    is_truth = isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool")
    if is_truth or isinstance(value, str | bytes | bytearray):
        raise TypeError(f"{what} is no number: {value!r}")
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} is no number: {value!r:.80}") from error
