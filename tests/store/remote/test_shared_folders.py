"""Folders in a store behind a URL: sent by file, fetched as a whole, cleaned with their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlkit.api.labelling import promote
from mlkit.api.old_runs import clean
from mlkit.core.record import RunRecord
from mlkit.store.artifact_store import ArtifactStore
from mlkit.store.remote.files import Remote
from mlkit.store.remote.places import working_copy
from mlkit.store.remote.shared import SharedStore, artifact_name
from mlkit.testing import FakeRunner, Sketch, run_fake, write_pipeline
from tests.store.remote.conftest import Machine


class Counting(Remote):
    """Counts what is sent and fetched."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent: list[str] = []
        self.fetched: list[str] = []

    def upload(self, file: Path, name: str) -> None:
        """Send a file."""
        self.sent.append(name)
        super().upload(file, name)

    def download(self, name: str, to: Path) -> bool:
        """Fetch a file."""
        self.fetched.append(name)
        return super().download(name, to)


def _folder(path: Path, *numbers: int) -> Path:
    (path / "sub").mkdir(parents=True)
    (path / "none").mkdir()
    for number in numbers:
        (path / "sub" / str(number)).write_text(f"file {number}")
    return path


def _read(path: Path) -> dict[str, str]:
    return {
        p.relative_to(path).as_posix(): p.read_text() if p.is_file() else "a folder"
        for p in path.rglob("*")
    }


def test_equal_files_are_neither_sent_nor_fetched_twice(url: str, tmp_path: Path) -> None:
    """A month more sends one file and a manifest, and fetches no more elsewhere."""
    remote = Counting(url)
    here = SharedStore(tmp_path / "here", remote)
    first, _ = here.take(_folder(tmp_path / "first", 1, 2, 3))
    here.share([first])
    assert len(remote.sent) == 4
    second, _ = here.take(_folder(tmp_path / "second", 1, 2, 3, 4))
    here.share([second])
    anew = SharedStore(tmp_path / "here", remote)  # knows nothing of what was sent
    anew.share([first, second])
    assert len(remote.sent) == 6

    there = SharedStore(tmp_path / "there", remote)
    assert there.is_whole(first, None, deep=False)
    assert len(remote.fetched) == 4
    assert there.is_whole(second, None, deep=False)
    assert len(remote.fetched) == 6
    there.place(second, tmp_path / "copy")
    assert _read(tmp_path / "copy") == _read(tmp_path / "second")


def test_many_files_are_listed_instead_of_asked_for(url: str, tmp_path: Path) -> None:
    """Hundreds of questions would take minutes on a store that is far away."""
    remote = Counting(url)
    store = SharedStore(tmp_path / "here", remote)
    first, _ = store.take(_folder(tmp_path / "first", *range(210)))
    second, _ = store.take(_folder(tmp_path / "second", *range(215)))
    store.share([first])
    asked: list[str] = []
    anew = SharedStore(tmp_path / "here", remote)
    size = remote.size
    remote.size = lambda name: asked.append(name) or size(name)  # type: ignore[method-assign, func-returns-value] # counts
    anew.share([second])
    assert len(asked) == 1
    assert len(remote.sent) == 211 + 6


@pytest.mark.parametrize("what", ["manifest", "file"])
@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_damaged_folder_behind_the_url_is_none(
    url: str, tmp_path: Path, what: str, damage: str
) -> None:
    """Nothing of it is used; a whole one takes its place."""
    remote = Remote(url)
    here = SharedStore(tmp_path / "here", remote)
    digest, _ = here.take(_folder(tmp_path / "first", 1, 2))
    here.share([digest])
    tree = here.tree(digest)
    assert tree is not None
    name = artifact_name(digest if what == "manifest" else tree.leaves[0].digest)
    if damage == "gone":
        remote.remove([name])
    else:
        remote.write(name, b"something")
    there = SharedStore(tmp_path / "there", remote)
    assert not there.is_whole(digest, None, deep=False)
    there.drop(digest)
    again, _ = there.take(_folder(tmp_path / "again", 1, 2))
    assert again == digest
    there.share([digest], deep=True)
    assert SharedStore(tmp_path / "third", remote).is_whole(digest, None, deep=True)


def _pipeline(folder: Path) -> Path:
    body = (
        "from pathlib import Path\n(Path(parts) / 'none').mkdir()\n"
        "for k in range(n): (Path(parts) / f'{k}.txt').write_text(str(k))"
    )
    return write_pipeline(
        folder,
        Sketch(
            name="w",
            file="",
            declares="n: int = 3",
            body=body,
            keys={"outputs": {"parts": "parts/", "extra": "extra.json?"}},
        ),
        Sketch(
            name="r",
            declares="parts: str = ''\nextra: str | None = None",
            body="import os\nopen(out, 'w').write(f'{sorted(os.listdir(parts))} {extra}')",
            keys={"inputs": {"parts": "w.parts", "extra": "w.extra"}},
        ),
    )


def _ran(file: Path, url: str, **options: Any) -> tuple[RunRecord, list[str]]:
    runner = FakeRunner()
    record = run_fake(file, runs_dir=url, runner=runner, **options)
    assert record.ok
    return record, runner.stages


def test_another_machine_reuses_a_folder_and_an_absence(
    url: str, on: Machine, tmp_path: Path
) -> None:
    """And the mirrored run names it without sending its files a second time."""
    file = _pipeline(tmp_path / "p")
    _ran(file, url)
    on("two")
    record, ran = _ran(file, url)
    assert ran == []
    folder = Path(record.stages["w"].outputs["parts"])
    assert _read(folder) == {"none": "a folder", "0.txt": "0", "1.txt": "1", "2.txt": "2"}
    assert record.stages["w"].outputs["extra"] is None
    assert Path(record.stages["r"].outputs["out"]).read_text().endswith("'none'] None")
    mirrored = [entry.name for entry in Remote(url).entries()]
    assert not [name for name in mirrored if "parts/" in name]


def test_cleaning_takes_the_files_of_a_folder_with_it(
    url: str, on: Machine, tmp_path: Path
) -> None:
    """Here and behind the URL; files that another folder holds too stay."""
    file = _pipeline(tmp_path / "p")
    _ran(file, url)
    last, _ = _ran(file, url, parameters={"n": 2})
    promote(last.run_id, runs_dir=url)
    before = {entry.name for entry in Remote(f"{url}/store").entries()}
    clean(working_copy(url), keep=1, dry_run=False)
    after = {entry.name for entry in Remote(f"{url}/store").entries()}
    gone = {name for name in before - after if not name.startswith("results/")}
    # The third file, the first manifest, and what the reader wrote of it
    assert len(gone) == 3
    store = ArtifactStore(working_copy(url) / "store")
    digest = last.stages["w"].artifacts["parts"].digest
    assert store.is_whole(digest, None, deep=True)
    on("two")
    assert _ran(file, url, parameters={"n": 2})[1] == []
