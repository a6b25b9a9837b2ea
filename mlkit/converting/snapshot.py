"""What a notebook's names hold at a cut; called in the kernel that runs the original.

Each value is kept in the form in which a stage would hand it on, if reading that form gives the
value back; then nothing is lost on the way, and two runs can be compared.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["FORMATS", "RANDOM", "equal", "load", "save", "take"]

FORMATS = {"json": ".json", "parquet": ".parquet", "npy": ".npy", "joblib": ".joblib"}
RANDOM = ("python_random_state", "numpy_random_state")
"""Not names of the notebook's: what the global generators would draw next."""

_SHELL = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_LARGEST_JSON = 100_000


def take(names: Mapping[str, Any], folder: str, number: int) -> None:
    """Write down what the names hold.

    Parameters
    ----------
    names : mapping
        The notebook's own.
    folder : str
        Where `cut-NUMBER.json` and the values are written.
    number : int
        The cell behind which this is.
    """
    here = Path(folder) / f"cut-{number}"
    here.mkdir(parents=True)
    told = {}
    for name, value in list(names.items()):
        if not name.startswith("_") and name not in _SHELL:
            told[name] = _tell(name, value, here)
    for name, state in zip(RANDOM, _random_states(), strict=True):
        told[name] = _tell(name, state, here)
    files = {
        str(path.relative_to(Path.cwd())): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in sorted(Path.cwd().rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(Path.cwd()).parts)
    }
    document = json.dumps({"names": told, "files": files})
    here.with_suffix(".json").write_text(document, encoding="utf-8")


def _random_states() -> tuple[Any, Any]:
    import random

    numpy = sys.modules.get("numpy")
    return random.getstate(), None if numpy is None else numpy.random.get_state()


def _tell(name: str, value: Any, here: Path) -> dict[str, Any]:
    kind = type(value)
    told: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}", "identity": id(value)}
    if isinstance(value, types.ModuleType):
        return {**told, "kind": "module"}
    if isinstance(value, (type, types.FunctionType)):
        return {**told, "kind": "definition", "module": value.__module__}
    if kind.__module__.startswith("matplotlib."):
        why = "it belongs to a figure, with which it is drawn"
        return {**told, "kind": "fixed", "why": why, "digest": told["identity"]}
    try:
        import joblib

        told["digest"] = joblib.hash(value)
    except Exception as error:  # noqa: BLE001 - whatever a class's own pickling raises
        return {**told, "kind": "fixed", "why": f"{type(error).__name__}: {error}"}
    for form in _forms(value):
        path = here / f"{name}{FORMATS[form]}"
        try:
            save(value, path)
            if equal(value, load(path)) or form == "joblib":  # which keeps all that pickle keeps
                return {**told, "kind": "value", "form": form, "shape": _shape(value)}
        except Exception as error:  # noqa: BLE001 - the next form may do
            told["why"] = f"{type(error).__name__}: {error}"
        path.unlink(missing_ok=True)
    return {**told, "kind": "fixed", "why": told.get("why", "it does not come back as it was")}


def _forms(value: Any) -> list[str]:
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    forms = ["joblib"]
    if pandas is not None and type(value) is pandas.DataFrame:
        forms.insert(0, "parquet")
    elif numpy is not None and type(value) is numpy.ndarray and value.dtype != object:
        forms.insert(0, "npy")
    elif type(value) in (dict, list, str, int, float, bool, type(None)):
        try:
            if len(json.dumps(value, allow_nan=False)) < _LARGEST_JSON:
                forms.insert(0, "json")
        except (TypeError, ValueError, RecursionError):
            return forms
    return forms


def _shape(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return " × ".join(map(str, shape))
    return str(len(value)) if isinstance(value, dict | list | str) else ""


def save(value: Any, path: Path) -> None:
    """Write a value in the form that the path's ending names."""
    if path.suffix == ".json":
        path.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    elif path.suffix == ".parquet":
        value.to_parquet(path)
    elif path.suffix == ".npy":
        import numpy as np

        np.save(path, value)
    else:
        import joblib

        joblib.dump(value, path)


def load(path: Path) -> Any:
    """Read a value as a stage reads it."""
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    if path.suffix == ".parquet":
        import pandas as pd

        return pd.read_parquet(path)
    if path.suffix == ".npy":
        import numpy as np

        return np.load(path)
    import joblib

    return joblib.load(path)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, to the last bit and in every type."""
    return _equal(one, other, {})


_Seen = dict[tuple[int, int], tuple[Any, Any]]
"""Pairs that are being compared, by their identities; kept, so that no other gets the same ones."""


def _equal(one: Any, other: Any, seen: _Seen) -> bool:
    if one is other or (id(one), id(other)) in seen:
        return True
    if type(one) is not type(other):
        return False
    seen[id(one), id(other)] = (one, other)
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(one, pandas.DataFrame | pandas.Series):
        check = "assert_frame_equal" if isinstance(one, pandas.DataFrame) else "assert_series_equal"
        try:
            getattr(pandas.testing, check)(one, other, check_exact=True, check_freq=True)
        except (AssertionError, ValueError, TypeError):  # as cells are that it cannot compare
            return False
        return bool(one.attrs == other.attrs) and _equal_objects(one, other, seen)
    if numpy is not None and isinstance(one, numpy.ndarray) and one.dtype != object:
        same = one.dtype == other.dtype and one.shape == other.shape
        return same and bool(numpy.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))
    if isinstance(one, dict) and type(one).__reduce_ex__ is object.__reduce_ex__:
        same = list(map(repr, one)) == list(map(repr, other))
        pairs = zip(one.values(), other.values(), strict=False)
        return same and all(_equal(*pair, seen) for pair in pairs)
    if type(one) in (list, tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_equal(*pair, seen) for pair in pairs)
    return _same_parts(one, other, seen)


def _equal_objects(one: Any, other: Any, seen: _Seen) -> bool:
    """Compare columns of objects cell by cell: pandas calls a list equal to an array of its items."""
    columns = [[column for _, column in frame.items()] for frame in (one, other)]
    if not hasattr(one, "columns"):
        columns = [[one], [other]]
    return all(
        _equal(list(column), list(again), seen)
        for column, again in zip(*columns, strict=True)
        if column.dtype == object
    )


def _same_parts(one: Any, other: Any, seen: _Seen) -> bool:
    """Compare what pickle would keep of two objects, part by part.

    Equal objects may have unequal pickles: the nodes of a tree of scikit-learn's hold padding.
    """
    import joblib

    if joblib.hash(one) == joblib.hash(other):
        return True
    if isinstance(one, type | str | bytes | int | float | complex):
        return False
    parts, others = one.__reduce_ex__(4), other.__reduce_ex__(4)
    if not isinstance(parts, tuple) or not isinstance(others, tuple):
        return bool(parts == others)
    plain = [
        tuple(list(part) if hasattr(part, "__next__") else part for part in each)
        for each in (parts, others)
    ]
    return _equal(plain[0], plain[1], seen)
