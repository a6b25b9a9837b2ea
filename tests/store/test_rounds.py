"""The older rounds of a watch go, and nothing that they have computed."""

from __future__ import annotations

from pathlib import Path

from mlkit.api.old_runs import clean
from mlkit.core.states import Status
from mlkit.store.folder import RunsFolder
from mlkit.store.rounds import keep_newest
from mlkit.testing import chain, run_fake


def test_the_newest_stay_with_those_that_have_a_name(tmp_path: Path) -> None:
    """The results of all are reused, and go with the newest when that is cleaned."""
    file, runs = chain(tmp_path, 1, parameters={"p": 0}), tmp_path / "runs"
    notebook = tmp_path / "s1.ipynb"
    good = notebook.read_text()
    ids = []
    for number in range(5):
        notebook.write_text(good.replace("read_text()", f"read_text() * {number}"))
        name = "kept" if number == 0 else None
        ids.append(run_fake(file, runs_dir=runs, name=name).run_id)
    folder = RunsFolder(runs)
    assert keep_newest(folder, ids, 2) == tuple(ids[1:3])
    assert folder.run_ids() == [ids[0], *ids[3:]]
    assert keep_newest(folder, ids, 2) == ()
    notebook.write_text(good.replace("read_text()", "read_text() * 1"))
    again = run_fake(file, runs_dir=runs)
    assert again.stages["s1"].status is Status.CACHED
    assert again.stages["s1"].artifacts["out"].digest
    clean(runs, keep=1, dry_run=False)
    assert run_fake(file, runs_dir=runs).stages["s1"].status is Status.CACHED
