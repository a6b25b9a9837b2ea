"""Folders as artifacts: what counts, what is refused, and that a round trip is exact."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit.core.outputs import is_tree
from mlkit.store.artifact_store import ArtifactStore, marks_of
from mlkit.store.trees import RefusedTreeError, Tree, digest_tree, survey

Content = dict[str, "bytes | Content"]
"""A folder as a value: names to bytes, or to a further folder."""

_NAMES = st.text(
    st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=8
).filter(lambda name: name not in (".", ".."))
_FOLDERS: st.SearchStrategy[Content] = st.recursive(
    st.dictionaries(_NAMES, st.binary(max_size=40), max_size=4),
    lambda inner: st.dictionaries(_NAMES, st.binary(max_size=40) | inner, max_size=4),
    max_leaves=8,
)
_SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _write(folder: Path, content: Content, *, backwards: bool = False) -> Path:
    folder.mkdir()
    for name in sorted(content, reverse=backwards):
        value = content[name]
        if isinstance(value, bytes):
            (folder / name).write_bytes(value)
        else:
            _write(folder / name, value, backwards=backwards)
    return folder


def _read(folder: Path) -> Content:
    return {p.name: _read(p) if p.is_dir() else p.read_bytes() for p in folder.iterdir()}


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@_SLOW
@given(content=_FOLDERS)
def test_times_modes_and_the_order_of_writing_are_no_part_of_a_digest(
    tmp_path: Path, content: Content
) -> None:
    """Two folders that read alike are one artifact."""
    place = _fresh(tmp_path / "x")
    one = _write(place / "one", content)
    other = _write(place / "other", content, backwards=True)
    for path in (other, *other.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1, 1))
    assert digest_tree(one) == digest_tree(other)


@_SLOW
@given(one=_FOLDERS, other=_FOLDERS)
def test_any_name_content_or_empty_folder_is_part_of_a_digest(
    tmp_path: Path, one: Content, other: Content
) -> None:
    """Digests are equal if, and only if, the folders read alike."""
    place = _fresh(tmp_path / "x")
    first, second = _write(place / "one", one), _write(place / "other", other)
    assert (digest_tree(first) == digest_tree(second)) == (one == other)


@_SLOW
@given(content=_FOLDERS)
def test_a_round_trip_through_the_store_is_exact(tmp_path: Path, content: Content) -> None:
    """What comes out is what went in, also by links to a sibling, and all of it is read-only."""
    place = _fresh(tmp_path / "x")
    store = ArtifactStore(place / "store")
    folder = _write(place / "folder", content)
    before = digest_tree(folder)
    digest, marks = store.take(folder)
    assert digest == before
    store.place(digest, place / "copied")
    store.place(digest, place / "linked", folder)
    for copy in (folder, place / "copied", place / "linked"):
        assert _read(copy) == content
        assert store.is_copy_whole(digest, copy)
        modes = {stat.S_IMODE(p.stat().st_mode) for p in copy.rglob("*") if p.is_file()}
        assert modes <= {0o444}
    assert store.is_whole(digest, marks, deep=False)
    assert store.is_whole(digest, None, deep=True)
    assert store.marks(digest) == marks
    assert store.size_bytes(digest) == marks.size_bytes


def _sample(folder: Path) -> Path:
    return _write(folder, {"a": b"one", "b": {"c": b"two", "d": b"one"}, "e": {}})


def test_equal_files_are_kept_once(tmp_path: Path) -> None:
    """Of three files two are equal: two masters and the manifest."""
    store = ArtifactStore(tmp_path / "store")
    digest, _ = store.take(_sample(tmp_path / "folder"))
    assert is_tree(digest)
    assert len(list(store.digests())) == 3
    second, _ = store.take(_write(tmp_path / "more", {"a": b"one", "f": b"three"}))
    assert len(list(store.digests())) == 5
    assert store.masters({digest, second}) == set(store.digests())


def _link(folder: Path) -> None:
    (folder / "b" / "link").symlink_to("c")


def _broken_link(folder: Path) -> None:
    (folder / "b" / "link").symlink_to("nowhere")


def _link_to_folder(folder: Path) -> None:
    (folder / "link").symlink_to("b", target_is_directory=True)


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "b" / "pipe")


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(folder, os.O_RDONLY)
        try:  # a socket's path may have 107 bytes only
            server.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)


@pytest.mark.parametrize(
    ("spoil", "fact"),
    [
        (_link, "'b/link' in it is a link"),
        (_broken_link, "'b/link' in it is a link"),
        (_link_to_folder, "'link' in it is a link"),
        (_pipe, "'b/pipe' in it is neither a file nor a folder"),
        (_socket, "'socket' in it is neither a file nor a folder"),
    ],
)
def test_what_is_no_file_of_the_folder_s_own_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], fact: str
) -> None:
    """It is named; nothing of the folder is taken."""
    folder = _sample(tmp_path / "folder")
    spoil(folder)
    store = ArtifactStore(tmp_path / "store")
    with pytest.raises(RefusedTreeError, match=fact):
        store.take(folder)
    assert not list(store.digests())


def test_a_hard_link_out_of_the_folder_is_cut(tmp_path: Path) -> None:
    """Writing through the other name changes nothing here."""
    folder = _sample(tmp_path / "folder")
    os.link(folder / "a", tmp_path / "outside")
    store = ArtifactStore(tmp_path / "store")
    digest, _ = store.take(folder)
    (tmp_path / "outside").write_bytes(b"changed")
    assert (folder / "a").read_bytes() == b"one"
    assert store.is_copy_whole(digest, folder, deep=True)


DAMAGE = {
    "a file overwritten": "(copy / 'a').chmod(0o644); (copy / 'a').write_bytes(b'ONE!')",
    "a file of equal length": "(copy / 'b/c').chmod(0o644); (copy / 'b/c').write_bytes(b'TWO')",
    "a file removed": "(copy / 'b/c').unlink()",
    "a file added": "(copy / 'b/new').touch()",
    "a file renamed": "(copy / 'a').rename(copy / 'z')",
    "a folder for a file": "(copy / 'a').unlink(); (copy / 'a').mkdir()",
    "a file for a folder": "(copy / 'e').rmdir(); (copy / 'e').touch()",
    "a link for a file": "(copy / 'a').unlink(); (copy / 'a').symlink_to('b/d')",
    "an empty folder removed": "(copy / 'e').rmdir()",
    "an empty folder added": "(copy / 'b/f').mkdir()",
    "the whole folder removed": "shutil.rmtree(copy)",
    "a file in its place": "shutil.rmtree(copy); copy.touch()",
    "a link in its place": "copy.rename(copy.with_name('moved')); copy.symlink_to('moved')",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_copy_is_noticed_and_made_good(tmp_path: Path, damage: str) -> None:
    """In place, for all that link to its files; what does not belong there goes."""
    store = ArtifactStore(tmp_path / "store")
    folder = _sample(tmp_path / "folder")
    content = _read(folder)
    digest, _ = store.take(folder)
    store.place(digest, tmp_path / "sibling", folder)
    time.sleep(0.01)
    exec(damage, {"copy": folder, "shutil": shutil})
    assert not store.is_copy_whole(digest, folder)
    store.restore(digest, folder)
    assert not folder.is_symlink()
    assert _read(folder) == content
    assert store.is_copy_whole(digest, folder, deep=True)
    store.restore(digest, tmp_path / "sibling")
    assert _read(tmp_path / "sibling") == content


def _without_manifest(store: ArtifactStore, digest: str) -> None:
    store.master(digest).unlink()


def _damaged_manifest(store: ArtifactStore, digest: str) -> None:
    store.master(digest).chmod(0o644)
    store.master(digest).write_bytes(b'{"format":1}\n')


def _no_manifest_at_all(store: ArtifactStore, digest: str) -> None:
    store.master(digest).chmod(0o644)
    store.master(digest).write_bytes(b"\xff")


def _without_a_file(store: ArtifactStore, digest: str) -> None:
    tree = store.tree(digest)
    assert tree is not None
    store.master(tree.leaves[0].digest).unlink()


def _damaged_file(store: ArtifactStore, digest: str) -> None:
    tree = store.tree(digest)
    assert tree is not None
    master = store.master(tree.leaves[0].digest)
    master.chmod(0o644)
    master.write_bytes(b"x")


@pytest.mark.parametrize(
    "damage",
    [_without_manifest, _damaged_manifest, _no_manifest_at_all, _without_a_file, _damaged_file],
)
def test_a_damaged_folder_in_the_store_is_not_whole(
    tmp_path: Path, damage: Callable[[ArtifactStore, str], None]
) -> None:
    """After it was dropped it can be taken anew, and what is whole of it stayed."""
    store = ArtifactStore(tmp_path / "store")
    digest, marks = store.take(_sample(tmp_path / "folder"))
    damage(store, digest)
    assert not store.is_whole(digest, marks, deep=False)
    assert not store.is_whole(digest, None, deep=True)
    store.drop(digest)
    assert not store.master(digest).exists()
    assert len(list(store.digests())) in (1, 2)
    again, marks = store.take(_sample(tmp_path / "anew"))
    assert again == digest
    assert store.is_whole(digest, marks, deep=True)


def test_a_damaged_master_is_replaced_when_its_file_is_taken_again(tmp_path: Path) -> None:
    """What has the name of a digest is looked into before it is relied upon."""
    store = ArtifactStore(tmp_path / "store")
    digest, _ = store.take(_sample(tmp_path / "folder"))
    _damaged_file(store, digest)
    again, marks = store.take(_sample(tmp_path / "anew"))
    assert again == digest
    assert store.is_whole(digest, marks, deep=True)


@pytest.mark.parametrize(
    "name",
    ["../out", "/etc/passwd", "a/../../out", "", "a\0b"],
    ids=["up", "root", "in", "no", "nul"],
)
def test_a_manifest_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A user who shares a store cannot make others write elsewhere."""
    manifest = json.dumps({"format": 1, "files": [[name, "0" * 64, 1]], "empty": []}).encode()
    with pytest.raises(ValueError, match="outside of its folder"):
        Tree.parse(manifest)


def test_names_that_are_no_utf8_come_back(tmp_path: Path) -> None:
    """A name is bytes to the file system, whatever it looks like."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/\xff\xfe", "wb") as file:  # noqa: PTH123 - a name in bytes
        file.write(b"x")
    store = ArtifactStore(tmp_path / "store")
    digest, _ = store.take(folder)
    store.place(digest, tmp_path / "copy")
    assert os.listdir(os.fsencode(tmp_path / "copy")) == [b"\xff\xfe"]  # noqa: PTH208


def test_marks_of_a_folder_from_outside_tell_every_change(tmp_path: Path) -> None:
    """At a glance, without reading."""
    folder = _sample(tmp_path / "folder")
    seen = [survey(folder).marks()]
    for change in (
        "(folder / 'a').write_bytes(b'uno')",
        "(folder / 'a').rename(folder / 'z')",
        "(folder / 'e/x').mkdir()",
        "(folder / 'new').touch()",
    ):
        time.sleep(0.01)
        exec(change, {"folder": folder})
        seen.append(survey(folder).marks())
    assert len({tuple(marks) for marks in seen}) == len(seen)
    assert survey(folder).marks() == seen[-1]


def test_a_writer_that_is_killed_leaves_nothing_that_passes_for_whole(tmp_path: Path) -> None:
    """Whenever it ends: there is no manifest, and taking the folder again mends the rest."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from mlkit.store.artifact_store import ArtifactStore\n"
        "store = ArtifactStore(Path(sys.argv[1]) / 'store')\nprint('go', flush=True)\n"
        "print(store.take(Path(sys.argv[1]) / 'folder')[0], flush=True)\n"
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(3000):
        (folder / str(number)).write_bytes(str(number).encode() * 400)
    digest = digest_tree(folder)
    for delay_s in (0.0, 0.01, 0.03, 0.1, 0.2):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "go\n"
            time.sleep(delay_s)
            writer.kill()
        store = ArtifactStore(tmp_path / "store")
        assert not store.master(digest).exists() or store.is_whole(digest, None, deep=True)
    taken, marks = store.take(folder)
    assert taken == digest
    assert store.is_whole(digest, marks, deep=True)
    store.sweep()
    own = marks_of(store.master(digest))
    assert own is not None
    assert len(list(store.digests())) == 3001
