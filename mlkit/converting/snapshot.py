"""What a notebook's names hold at a cut; called in the kernel that runs the original.

Each value is kept in the form in which a stage would hand it on, if reading that form gives the
value back; then nothing is lost on the way, and two runs can be compared.

joblib, numpy and pandas are imported where a value needs them: the original may use none of them,
and `mlkit convert --help` reads this module, too.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import re
import shutil
import sys
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "FORMATS",
    "RANDOM",
    "READABLE",
    "digest_of",
    "equal",
    "load",
    "save",
    "take",
    "take_states",
]

FORMATS = {"json": ".json", "parquet": ".parquet", "npy": ".npy", "joblib": ".joblib"}
READABLE = (".parquet", ".npy", ".joblib", ".pkl", ".pickle")
"""Files that `load` reads; two may hold the same and have other bytes."""

RANDOM = ("python_random_state", "numpy_random_state")
"""Not names of the notebook's: what the global generators would draw next."""

_OF_THE_SHELL = re.compile(
    r"In|Out|exit|quit|get_ipython|open|__\w*|_+|_i+|_i?\d+|_[ioi]h|_dh|_exit_code|_VSCODE_\w*"
)
_MOST_HELD = 5_000
_LARGEST_JSON = 100_000


def take(names: Mapping[str, Any], folder: str, number: int, project: str = ".") -> None:
    """Write down what the names hold.

    Parameters
    ----------
    names : mapping
        The notebook's own.
    folder : str
        Where `cut-NUMBER.json` and the values are written.
    number : int
        The cell behind which this is.
    project : str
        The folder whose files are looked at; they are named from where the notebook stands.
    """
    read, listed = _watch.pause(project)
    states = _random_states()  # to look must not draw: hashing may import what does
    here = Path(folder) / f"cut-{number}"
    here.mkdir(parents=True)
    told = {}
    for name, value in list(names.items()):
        if not _OF_THE_SHELL.fullmatch(name):
            told[name] = {**_tell(name, value, here), "holds": sorted(_held(value))}
    for name, state in zip(RANDOM, states, strict=True):
        told[name] = _tell(name, state, here)
    files = _files(number, Path(folder) / "files")
    document = json.dumps(
        {
            "names": told,
            "files": files,
            "folders": sorted({*map(_watch.name_of, _folders(_watch.project))} - {".", ".."}),
            "read": read,
            "listed": listed,
            "works_in": _watch.name_of(Path.cwd()),
        }
    )
    here.with_suffix(".json").write_text(document, encoding="utf-8")
    _set_random_states(*states)
    _watch.begin_part()


def take_states(names: Mapping[str, Any], folder: str, number: int) -> None:
    """Write down what functions and classes keep, right behind the cell that defines some.

    Parameters
    ----------
    names : mapping
        The notebook's own.
    folder : str
        Where `states-NUMBER.json` is written.
    number : int
        The cell.
    """
    read, listed = _watch.pause()
    states = _random_states()
    told = {
        name: _state(value)
        for name, value in list(names.items())
        if isinstance(value, (type, types.FunctionType))
        and getattr(value, "__module__", "") == "__main__"
    }
    file = Path(folder) / f"states-{number}.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    _set_random_states(*states)
    _watch.go_on(read, listed)


_READING = frozenset({"open", "sqlite3.connect", "os.listdir", "os.scandir"})
"""Python's own names for what opens a file or a folder."""


class _Watch:
    """Notes which files and folders of the project are opened to be read.

    `start` is where the notebook stands: the project's folder, or one in it.
    """

    def __init__(self) -> None:
        self.start = self.project = Path()
        self._is_set = False
        self._is_on = False
        self._read: set[str] = set()
        self._listed: set[str] = set()
        self._made: set[str] = set()

    def name_of(self, path: Path) -> str:
        """A path as the notebook would write it."""
        return os.path.relpath(path, self.start)

    def pause(self, project: str = ".") -> tuple[list[str], list[str]]:
        """Stop, as what reads now is not the notebook; tell what was read and listed before."""
        if not self._is_set:  # the first time, in the folder where the notebook stands
            self.start = Path.cwd()
            self.project = self.start / project
            self._is_set = True
            sys.addaudithook(self._note)
        self._is_on = False
        found = sorted(self._read), sorted(self._listed)
        self._read.clear()
        self._listed.clear()
        return found

    def begin_part(self) -> None:
        """Watch from here on: what was written before is there now, and its reading counts."""
        self._made.clear()
        self.go_on()

    def go_on(self, read: Iterable[str] = (), listed: Iterable[str] = ()) -> None:
        """Watch again; what was told at the pause may be told again."""
        self._read.update(read)
        self._listed.update(listed)
        self._is_on = True

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on or event not in _READING:
            return
        path = arguments[0]
        if not isinstance(path, str | os.PathLike):
            return
        asked = Path(os.path.abspath(os.fspath(path)))  # noqa: PTH100 - links stay
        name = self.name_of(asked)
        is_around = {*name.split("/")} <= {".", ".."}  # the notebook's folder, or one around it
        if not asked.is_relative_to(self.project) or is_around or "__pycache__" in name:
            return
        if event in ("os.listdir", "os.scandir"):
            self._listed.add(name)
        elif event == "open" and arguments[2] & os.O_TRUNC:
            self._made.add(name)
        elif name not in self._made:  # what a part has written anew is its own when it reads it
            self._read.add(name)


_watch = _Watch()


def _folders(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_dir() and not _is_hidden(path, root)]


def _is_hidden(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    return "__pycache__" in parts or any(part.startswith(".") for part in parts)


_marks: dict[str, tuple[int, int, str]] = {}
"""Of the files, as they were when they were last looked at."""


def _files(number: int, keep: Path) -> dict[str, tuple[int, int, str]]:
    """Mark each file; the contents of those that were there at the beginning are not read."""
    found = {}
    for path in sorted(_watch.project.rglob("*")):
        name = _watch.name_of(path)
        if path.is_file() and not _is_hidden(path, _watch.project):
            size, moment = path.stat().st_size, path.stat().st_mtime_ns
            if _marks.get(name, ())[:2] != (size, moment):
                _marks[name] = (size, moment, "" if number < 0 else _kept(path, keep))
            found[name] = _marks[name]
    return found


def _kept(path: Path, keep: Path) -> str:
    """The digest of a new file, which is kept if its bytes say less than what is in them."""
    digest = digest_of(path)
    if path.suffix in READABLE:
        keep.mkdir(exist_ok=True)
        shutil.copyfile(path, keep / f"{digest}{path.suffix}")
    return digest


def digest_of(path: Path) -> str:
    """The digest of a file's contents."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _random_states() -> tuple[Any, Any]:
    numpy = sys.modules.get("numpy")
    return random.getstate(), None if numpy is None else numpy.random.get_state()


def _set_random_states(python: Any, numpy: Any) -> None:
    random.setstate(python)
    if numpy is not None:
        sys.modules["numpy"].random.set_state(numpy)


def _tell(name: str, value: Any, here: Path) -> dict[str, Any]:
    kind = type(value)
    told: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}", "identity": id(value)}
    if isinstance(value, types.ModuleType):
        return {**told, "kind": "module", "import": _import_of(name, value)}
    if isinstance(value, (type, types.FunctionType)):
        by = _import_of(name, value)
        return {**told, "kind": "definition", "state": _state(value), "import": by}
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
                refers = _refers(value) if form == "joblib" else []
                shape = _shape(value)
                return {**told, "kind": "value", "form": form, "shape": shape, "refers": refers}
        except Exception as error:  # noqa: BLE001 - the next form may do
            told["why"] = f"{type(error).__name__}: {error}"
        path.unlink(missing_ok=True)
    return {**told, "kind": "fixed", "why": told.get("why", "it does not come back as it was")}


class _Referring(pickle.Pickler):
    """Notes the notebook's own functions and classes, of which a pickle has only the names."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=pickle.HIGHEST_PROTOCOL)
        self.found: set[str] = set()

    def persistent_id(self, value: Any) -> None:
        """Look at each object on its way."""
        if isinstance(value, (type, types.FunctionType)) and value.__module__ == "__main__":
            self.found.add(value.__qualname__.partition(".")[0])


def _refers(value: Any) -> list[str]:
    """The notebook's own functions and classes that must be there when a value is read."""
    pickler = _Referring()
    pickler.dump(value)
    return sorted(pickler.found)


def _import_of(name: str, value: Any) -> str:
    """The import that gives a module, function or class under a name; empty if there is none."""
    own = getattr(value, "__qualname__", "")
    home = getattr(value, "__module__", "") if own else value.__name__
    module = sys.modules.get(home) if isinstance(home, str) and home != "__main__" else None
    if module is None or not own.isidentifier():
        text = f"import {home}" if module is value else ""
        return text if not text or home == name else f"{text} as {name}"
    text = f"from {home} import {own}" if getattr(module, own, None) is value else ""
    return text if not text or own == name else f"{text} as {name}"


def _state(value: Any) -> str:
    """What calls may change in a function (its defaults, what it closes over) or in a class."""
    if isinstance(value, types.FunctionType):
        kept = {str(place): one for place, one in enumerate(_closed_over(value, []))}
    else:
        plain = (
            types.FunctionType,
            staticmethod,
            classmethod,
            property,
            types.MemberDescriptorType,
        )
        items = vars(value).items() if value.__module__ == "__main__" else ()
        kept = {k: v for k, v in items if not k.startswith("__") and not isinstance(v, plain)}
    return " ".join(f"{name}={_digest(one)}" for name, one in kept.items())


def _digest(value: Any) -> str:
    """What a value is told by; of one that cannot be pickled, such as what ABC keeps, its type."""
    import joblib

    try:
        return str(joblib.hash(value))
    except Exception:  # noqa: BLE001 - whatever a class's own pickling raises: then it is not known
        return type(value).__qualname__


def _closed_over(function: types.FunctionType, seen: list[types.FunctionType]) -> list[Any]:
    """The defaults of a function, and the values in its closure; of what it wraps as well."""
    seen.append(function)
    found: list[Any] = [function.__defaults__, function.__kwdefaults__]
    for cell in function.__closure__ or ():
        try:
            inner = cell.cell_contents
        except ValueError:  # it has none yet
            continue
        if not isinstance(inner, types.FunctionType):
            found.append(inner)
        elif not any(inner is one for one in seen):
            found += _closed_over(inner, seen)
    return found


def _held(value: Any) -> set[int]:
    """The identities of what can be changed in a value: what two names hold, a file cannot keep."""
    found: set[int] = set()
    waiting = [value]
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    while waiting and len(found) < _MOST_HELD:
        one = waiting.pop()
        if id(one) in found or isinstance(one, _WITHOUT_PARTS):
            continue
        if isinstance(one, tuple | frozenset):
            waiting += one
            continue
        if numpy is not None and isinstance(one, numpy.ndarray):
            while isinstance(one.base, numpy.ndarray):
                one = one.base
            found.add(id(one))
        elif pandas is not None and isinstance(one, pandas.DataFrame | pandas.Series):
            found.add(id(one))
        elif isinstance(one, dict):
            found.add(id(one))
            waiting += one.values()
        elif isinstance(one, list | set):
            found.add(id(one))
            waiting += one
        elif type(one).__module__.partition(".")[0] in ("pandas", "pyarrow", "matplotlib"):
            continue
        elif hasattr(one, "__dict__"):
            found.add(id(one))
            waiting += vars(one).values()
        elif type(one).__module__.startswith("numpy.random"):
            found.add(id(one))
    return found


_WITHOUT_PARTS = (
    *(str, bytes, int, float, complex, type(None), range, type),
    *(types.ModuleType, types.FunctionType, types.BuiltinFunctionType),
)


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
    """Compare columns of objects cell by cell: to pandas a list equals an array of its items."""
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
