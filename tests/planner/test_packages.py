"""Which packages a result depends on, told from the modules that a kernel had imported."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from mlkit.planner.packages import Packages, read_ahead


def test_what_a_package_requires_counts() -> None:
    """With their versions, and only if they were imported."""
    packages = Packages.of(sys.path)
    found = packages.behind(["pandas"], ["pandas", "numpy", "joblib"])
    assert found == {name: packages.version(name) for name in ("numpy", "pandas")}
    assert None not in found.values()


def test_what_a_package_can_make_use_of_counts_where_it_was_imported() -> None:
    """A forked kernel finds pyarrow imported with pandas, and pandas reads Parquet with it."""
    packages = Packages.of(sys.path)
    assert "pyarrow" in packages.behind(["pandas"], ["pandas", "pyarrow"])
    assert "pyarrow" not in packages.behind(["pandas"], ["pandas"])


def install(folder: Path, name: str, version: str) -> None:
    """Put a package there, as an installer does; another version of it goes."""
    for old in folder.glob(f"{name}-*.dist-info"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text(f"{name}\n")


def test_versions_are_read_afresh_within_one_process(tmp_path: Path) -> None:
    """After an upgrade, and after somebody has edited the metadata in place."""
    install(tmp_path, "house", "1.0")
    assert Packages.of([str(tmp_path)]).behind(["house"], ["house"]) == {"house": "1.0"}
    install(tmp_path, "house", "2.0")
    assert Packages.of([str(tmp_path)]).behind(["house"], ["house"]) == {"house": "2.0"}
    metadata = tmp_path / "house-2.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("2.0", "2.1"))
    assert Packages.of([str(tmp_path)]).version("house") == "2.1"


def test_the_first_package_on_the_path_wins(tmp_path: Path) -> None:
    """As it does in an import."""
    install(tmp_path / "a", "house", "1.0")
    install(tmp_path / "b", "house", "2.0")
    folders = [str(tmp_path / "b"), str(tmp_path / "a")]
    assert Packages.of(folders).version("house") == "2.0"


def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    """Whatever else stands on the path: each attempt has a folder of its own there."""
    install(tmp_path / "site", "house", "1.0")
    site = str(tmp_path / "site")
    first = Packages.of([site, str(tmp_path)]).behind(["house"], ["house"])
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / "site" / "house-1.0.dist-info" / "top_level.txt").write_text(f"{place}\n")
        assert Packages.of([str(tmp_path / place), site]).behind(["house"], ["house"]) == first


def test_a_package_further_in_front_hides_all_of_another_version(tmp_path: Path) -> None:
    """Its modules are those that count, not the other one's."""
    install(tmp_path / "a", "house", "1.0")
    install(tmp_path / "b", "house", "2.0")
    (tmp_path / "a" / "house-1.0.dist-info" / "top_level.txt").write_text("hut\n")
    packages = Packages.of([str(tmp_path / "a"), str(tmp_path / "b")])
    assert packages.behind(["house", "hut"], ["house", "hut"]) == {"house": "1.0"}
    assert packages.behind(["house"], ["house"]) == {}


def test_what_is_read_ahead_is_read_once_and_what_comes_later_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread ends by itself, also where a folder of the path is not there."""
    install(tmp_path, "house", "1.0")
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "not there"), str(tmp_path)])
    read_ahead.cache_clear()
    read_ahead()
    read_ahead()
    reading = [each for each in threading.enumerate() if each.name == "mlkit-ahead"]
    assert len(reading) <= 1
    for each in reading:
        each.join(timeout=60)
    assert Packages.of([str(tmp_path)]).behind(["house"], ["house"]) == {"house": "1.0"}
    install(tmp_path, "tree", "2.0")
    assert Packages.of([str(tmp_path)]).behind(["tree"], ["tree"]) == {"tree": "2.0"}
