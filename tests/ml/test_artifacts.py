"""Artifacts: equal content gives equal bytes, and wrong files are named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from mlkit.ml import artifacts
from mlkit.ml.stage_errors import DataError


def test_json_is_sorted_and_comes_back(tmp_path: Path) -> None:
    """The order in which a mapping was built does not show in the file."""
    one, two = tmp_path / "deep" / "one.json", tmp_path / "two.json"
    artifacts.write_json(one, {"b": 1, "a": [None, "ü"]})
    artifacts.write_json(two, {"a": [None, "ü"], "b": 1})
    assert one.read_bytes() == two.read_bytes()
    assert artifacts.read_json(one) == {"a": [None, "ü"], "b": 1}


def test_json_refuses_what_json_does_not_know(tmp_path: Path) -> None:
    """A nan would make a file that other programs cannot read."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        artifacts.write_json(tmp_path / "x.json", float("nan"))


def test_a_broken_document_is_named(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(DataError, match=r"'x\.json' holds no JSON document"):
        artifacts.read_json(tmp_path / "x.json")


def test_an_optional_document_may_be_absent(tmp_path: Path) -> None:
    """None stands for an input that was not made, and so does a path without a file."""
    (tmp_path / "there.json").write_text("[1]")
    assert artifacts.read_optional_json(None) is None
    assert artifacts.read_optional_json(tmp_path / "absent.json") is None
    assert artifacts.read_optional_json(tmp_path / "there.json") == [1]
    assert artifacts.read_optional_table(None) is None
    assert artifacts.read_optional_table(tmp_path / "absent.parquet") is None


def test_a_table_comes_back(tmp_path: Path) -> None:
    """Types, order and missing values survive."""
    table = pd.DataFrame({"a": [1.5, None], "b": ["x", "y"]})
    artifacts.write_table(tmp_path / "new" / "t.parquet", table)
    pd.testing.assert_frame_equal(artifacts.read_table(tmp_path / "new" / "t.parquet"), table)
    assert list(artifacts.read_table(tmp_path / "new" / "t.parquet", ["b"]).columns) == ["b"]


def test_equal_tables_are_equal_files(tmp_path: Path) -> None:
    """No time stamp, no path, no random name."""
    for name in ("one", "two"):
        artifacts.write_table(tmp_path / name, pd.DataFrame({"a": [1, 2]}))
    assert artifacts.file_digest(tmp_path / "one") == artifacts.file_digest(tmp_path / "two")


def test_csv_in_place_of_parquet_is_named(tmp_path: Path) -> None:
    """The message says what the file starts with, and what to do."""
    (tmp_path / "t.parquet").write_text("year,month\n2013,1\n")
    with pytest.raises(DataError, match=r"'t\.parquet' is not a Parquet file .*b'year'"):
        artifacts.read_table(tmp_path / "t.parquet")


def test_half_a_table_is_refused(tmp_path: Path) -> None:
    """A file that was cut off is no table."""
    artifacts.write_table(tmp_path / "t.parquet", pd.DataFrame({"a": range(1000)}))
    half = (tmp_path / "t.parquet").read_bytes()[:300]
    (tmp_path / "t.parquet").write_bytes(half)
    with pytest.raises(DataError, match="cannot be read as a table"):
        artifacts.read_table(tmp_path / "t.parquet")


def test_an_absent_input_says_what_to_do(tmp_path: Path) -> None:
    """Somebody opened a notebook by hand before the pipeline ever ran."""
    with pytest.raises(DataError, match="run the stages before this one first"):
        artifacts.read_table(tmp_path / "absent.parquet")


def test_the_digest_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    """As `sha256sum` prints it."""
    (tmp_path / "x").write_bytes(b"flights")
    expected = hashlib.sha256(b"flights").hexdigest()
    assert artifacts.file_digest(tmp_path / "x") == expected


def test_a_model_comes_back(tmp_path: Path) -> None:
    """What was written is what is read."""
    artifacts.write_model(tmp_path / "m" / "model.joblib", {"weights": [1, 2]})
    assert artifacts.read_model(tmp_path / "m" / "model.joblib") == {"weights": [1, 2]}
