"""Which places are URLs, and which folder of this machine stands for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlkit.api.runs_place import runs_folder
from mlkit.errors import UsageError
from mlkit.store.remote.places import Remotes, as_typed, is_url, remotes_of, working_copy


def test_what_a_url_is() -> None:
    """A scheme and two slashes; paths with colons are paths."""
    assert all(map(is_url, ["s3://b/p", "gs://b", "file:///x y/{z}"]))
    assert not any(map(is_url, ["runs", "/a/b:c", "./s3:/x", "C:/runs", ""]))
    assert as_typed(Path("s3://b/p q")) == "s3://b/p q"
    assert as_typed(Path("/a/b")) == "/a/b"


def test_each_url_has_a_working_copy_of_its_own(tmp_path: Path) -> None:
    """The same one each time; it remembers its URL, and the store it was last used with."""
    environ = {"MLKIT_CACHE_DIR": str(tmp_path)}
    one = working_copy("s3://bucket/team runs/", environ)
    assert one == working_copy("s3://bucket/team runs", environ)
    assert one.parent == tmp_path
    assert one != working_copy("s3://bucket/other", environ)
    assert remotes_of(one, None, {}) == Remotes(
        runs="s3://bucket/team runs", store="s3://bucket/team runs/store"
    )
    remotes_of(one, "s3://else/where", {})
    assert remotes_of(one, None, {}).store == "s3://else/where"


def test_a_plain_runs_folder_has_no_url_and_gets_no_file(tmp_path: Path) -> None:
    """A store that is asked for holds for that call alone."""
    assert remotes_of(tmp_path, None, {}) == Remotes()
    assert remotes_of(tmp_path, None, {"MLKIT_STORE": "gs://b/s/"}) == Remotes(store="gs://b/s")
    assert remotes_of(tmp_path, "s3://x/y", {"MLKIT_STORE": "gs://b/s"}).store == "s3://x/y"
    assert list(tmp_path.iterdir()) == []


def test_the_runs_folder_of_a_url_is_its_working_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given by option or by environment, as text or as a path."""
    monkeypatch.setenv("MLKIT_CACHE_DIR", str(tmp_path))
    wanted = working_copy("s3://b/p")
    assert runs_folder("pipeline.yaml", "s3://b/p") == wanted
    assert runs_folder("pipeline.yaml", Path("s3://b/p")) == wanted
    monkeypatch.setenv("MLKIT_RUNS_DIR", "s3://b/p")
    assert runs_folder("pipeline.yaml") == wanted


def test_a_url_without_a_place_is_refused(tmp_path: Path) -> None:
    """With how it is written."""
    with pytest.raises(UsageError, match="s3://BUCKET/PREFIX"):
        working_copy("s3://", {"MLKIT_CACHE_DIR": str(tmp_path)})
