"""Write and read artifacts so that equal content always gives equal bytes.

pandas and joblib are imported where they are used: a notebook that writes JSON waits for neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlkit.errors import needing_extra
from mlkit.ml.stage_errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "file_digest",
    "read_json",
    "read_model",
    "read_optional_json",
    "read_optional_table",
    "read_table",
    "write_json",
    "write_model",
    "write_table",
    "write_text",
]


def _existing(path: str | Path) -> Path:
    """The path, if a file is there."""
    file = Path(path)
    if not file.is_file():
        raise DataError(
            f"the input {str(path)!r} does not exist; run the stages before this one first "
            "(`mlkit run`), or point the parameter to a file"
        )
    return file


def _ready(path: str | Path) -> Path:
    """The path, with its folder made."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def write_text(path: str | Path, text: str) -> None:
    r"""Write a text file in UTF-8 with `\n` line ends, and make its folder if need be.

    Parameters
    ----------
    path : str or Path
        Where to.
    text : str
        The text.
    """
    _ready(path).write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: object) -> None:
    """Write a JSON document with sorted keys.

    Parameters
    ----------
    path : str or Path
        Where to; the folder is made if need be.
    value : object
        Anything JSON can hold; `nan` and infinities are refused.
    """
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON document.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    DataError
        The file is absent or holds no JSON.
    """
    file = _existing(path)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file.name!r} holds no JSON document: {error}") from error


def read_optional_json(path: str | Path | None) -> Any:
    """Read a JSON document that a skipped stage may not have made.

    Parameters
    ----------
    path : str, Path or None
        The file, if there is one.

    Returns
    -------
    object or None
        None for `None` (what a driver hands over for an input that was not made) and for a path
        without a file (what the default shows when the notebook is opened by hand).
    """
    if path is None or not Path(path).exists():
        return None
    return read_json(path)


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, without its index.

    Parameters
    ----------
    path : str or Path
        Where to; the folder is made if need be.
    table : DataFrame of shape (n_rows, n_columns)
        The table.
    """
    with needing_extra("flights", "writing a table as Parquet"):
        import pyarrow  # noqa: F401 - pandas uses it; its own advice names no extra
    table.to_parquet(_ready(path), index=False, compression="zstd")


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet artifact.

    Parameters
    ----------
    path : str or Path
        The file.
    columns : sequence of str, optional
        Only these columns; by default all.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        The table.

    Raises
    ------
    DataError
        The file is absent, is not Parquet, or lacks a column.
    """
    import pandas as pd

    with needing_extra("flights", "reading a table from Parquet"):
        import pyarrow as pa

    file = _existing(path)
    with file.open("rb") as stream:
        start = stream.read(4)
    if start != b"PAR1":
        raise DataError(
            f"{file.name!r} is not a Parquet file (it starts with {start!r}); "
            "write it with `to_parquet`"
        )
    try:
        return pd.read_parquet(file, columns=None if columns is None else list(columns))
    except (pa.ArrowInvalid, KeyError) as error:
        raise DataError(f"{file.name!r} cannot be read as a table: {error}") from error


def read_optional_table(path: str | Path | None) -> pd.DataFrame | None:
    """Read a Parquet artifact that a pipeline may not have.

    Parameters
    ----------
    path : str, Path or None
        The file, if there is one.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns) or None
        None for `None` and for a path without a file.
    """
    if path is None or not Path(path).exists():
        return None
    return read_table(path)


def write_model(path: str | Path, model: object) -> None:
    """Write a fitted model with joblib, uncompressed.

    Parameters
    ----------
    path : str or Path
        Where to; its folder is made.
    model : object
        The model.
    """
    import joblib

    joblib.dump(model, _ready(path), compress=0)


def read_model(path: str | Path) -> Any:
    """Read a model that `write_model` wrote; only from files that you trust.

    Parameters
    ----------
    path : str or Path
        The file.
    """
    import joblib

    return joblib.load(_existing(path))


def file_digest(path: str | Path) -> str:
    """The sha256 digest of a file's bytes, as 64 hexadecimal digits.

    Parameters
    ----------
    path : str or Path
        The file.
    """
    with _existing(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
