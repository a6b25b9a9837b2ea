"""Folders, outputs that may be missing, and the executed notebook as an output."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from mlkit import load_pipeline, plan, resume, run
from mlkit.api import clean, promote
from mlkit.core.record import RunRecord, StageRecord
from mlkit.driver.options import RunOptions
from mlkit.errors import PipelineError, UsageError
from mlkit.store.artifact_store import ArtifactStore
from mlkit.testing import FakeRunner, Sketch, run_fake, write_notebook, write_pipeline
from mlkit.testing.running import fake_services

WRITE = (
    "from pathlib import Path\n"
    "(Path(parts) / 'deep').mkdir()\n(Path(parts) / 'none').mkdir()\n"
    "for name in ('1', '2', 'deep/3'): (Path(parts) / name).write_text(name * size)"
)
READ = (
    "from pathlib import Path\n"
    "found = sorted(p.relative_to(parts).as_posix() for p in Path(parts).rglob('*'))\n"
    "Path(out).write_text(','.join(found))"
)
NAMES = "1,2,deep,deep/3,none"


def _writer(body: str = WRITE, **keys: Any) -> Sketch:
    outputs = {"outputs": {"parts": "parts/"}}
    return Sketch(name="w", file="", declares="size: int = 3", body=body, keys={**outputs, **keys})


def _reader(body: str = READ, name: str = "r", **keys: Any) -> Sketch:
    inputs = {"inputs": {"parts": "w.parts"}}
    return Sketch(name=name, declares='parts: str = ""', body=body, keys={**inputs, **keys})


def _folder(record: RunRecord) -> Path:
    return Path(record.stages["w"].outputs["parts"])


def _error(stage: StageRecord) -> tuple[str, str]:
    assert stage.error is not None
    return stage.error.type, stage.error.message


def test_a_folder_is_handed_on_kept_and_reused(tmp_path: Path) -> None:
    """Under the name that pipeline.yaml gives, read-only, equal to what was written."""
    file = write_pipeline(tmp_path, _writer(), _reader())
    record = run_fake(file)
    assert record.ok
    folder = _folder(record)
    assert folder == Path(record.runs_dir) / record.run_id / "w/parts"
    assert Path(record.stages["r"].outputs["out"]).read_text() == NAMES
    assert record.stages["r"].inputs["parts"] == str(folder)
    assert stat.S_IMODE((folder / "deep/3").stat().st_mode) == 0o444
    artifact = record.stages["w"].artifacts["parts"]
    assert artifact.is_folder
    assert artifact.size_bytes == 3 + 3 + 18

    again = run_fake(file)
    assert {key: item.status for key, item in again.stages.items()} == {
        "w": "cached",
        "r": "cached",
    }
    assert (_folder(again) / "deep/3").samefile(folder / "deep/3")
    assert (_folder(again) / "none").is_dir()
    written = json.loads((Path(again.runs_dir) / again.run_id / "run.json").read_text())
    assert written["stages"]["w"]["outputs"] == {"parts": str(_folder(again))}


def test_only_what_a_folder_holds_counts_for_its_readers(tmp_path: Path) -> None:
    """Written anew with equal contents, its reader is reused; with others, it runs."""
    file = write_pipeline(tmp_path, _writer(), _reader())
    run_fake(file)
    same = run_fake(file, force=frozenset({"w"}))
    assert [same.stages[key].status for key in ("w", "r")] == ["succeeded", "cached"]
    other = run_fake(file, parameters={"w.size": 4})
    assert [other.stages[key].status for key in ("w", "r")] == ["succeeded", "succeeded"]
    assert other.stages["r"].reason == "input parts changed"


UNFIT = {
    "left empty": ("pass", "the declared output 'parts' (parts/) was left empty"),
    "removed": ("import os; os.rmdir(parts)", "the declared output 'parts' (parts/) was not"),
    "a file": (
        "import os; os.rmdir(parts); open(parts, 'w').close()",
        "the declared output 'parts' (parts/) is a file; a name in pipeline.yaml that ends with",
    ),
    "a link": (
        "import os; os.rmdir(parts); os.symlink('/etc', parts)",
        "the declared output 'parts' (parts/) is not a folder of its own",
    ),
    "a link within": (
        "import os; os.mkdir(parts + '/a'); os.symlink('x', parts + '/a/b')",
        "the declared output 'parts' (parts/) cannot be handed on: 'a/b' in it is a link",
    ),
    "a pipe within": (
        "import os; os.mkfifo(parts + '/p')",
        "the declared output 'parts' (parts/) cannot be handed on: 'p' in it is neither a file",
    ),
}


@pytest.mark.parametrize(("body", "message"), UNFIT.values(), ids=list(UNFIT))
def test_a_folder_that_cannot_be_handed_on_is_missing(
    tmp_path: Path, body: str, message: str
) -> None:
    """The stage has failed with `MissingOutput`; nothing of it is kept or told as dropped."""
    record = run_fake(write_pipeline(tmp_path, _writer(body), _reader()))
    kind, text = _error(record.stages["w"])
    assert (kind, text[: len(message)]) == ("MissingOutput", message)
    assert "dropped" not in text
    assert record.stages["r"].status == "upstream_failed"
    assert not list((Path(record.runs_dir) / record.run_id / "w").glob("parts*"))


def test_a_folder_without_its_slash_is_told_with_the_remedy(tmp_path: Path) -> None:
    """A name without a slash is a file."""
    body = "import os; os.mkdir(parts)\nfor n in '12': open(parts + '/' + n, 'w').close()"
    keys = {"outputs": {"parts": "parts"}}
    record = run_fake(write_pipeline(tmp_path, _writer(body, **keys)))
    kind, text = _error(record.stages["w"])
    assert kind == "MissingOutput"
    assert text == (
        "the declared output 'parts' (parts) is a folder; to hand on a folder, end its name in "
        "pipeline.yaml with '/': 'parts/'; the notebook wrote parts/ (2 files), which no output "
        "declares: dropped"
    )


ATTACKS = {
    "a file changed": "f = parts + '/1'\n__import__('os').chmod(f, 0o644)\nopen(f, 'w').write('X')",
    "a file added": "open(parts + '/new', 'w').close()",
    "a file removed": "import os\nos.unlink(parts + '/1')",
    "all removed": "import shutil\nshutil.rmtree(parts)",
    "a folder added": "import os\nos.mkdir(parts + '/more')",
}


@pytest.mark.parametrize("body", ATTACKS.values(), ids=list(ATTACKS))
def test_a_stage_that_changes_a_folder_is_found_out(tmp_path: Path, body: str) -> None:
    """Its result is not used, and the next reader sees the folder as it was."""
    bad = _reader(body + "\nopen(out, 'w').close()", name="bad")
    good = _reader(after=["bad"], trigger="all_done")
    record = run_fake(write_pipeline(tmp_path, _writer(), bad, good))
    kind, text = _error(record.stages["bad"])
    assert kind == "InputChanged"
    assert "changed its input w/parts; the input was made good" in text
    assert record.warnings == (
        "stage 'bad' changed its input w/parts; the folder was made good from the store",
    )
    assert Path(record.stages["r"].outputs["out"]).read_text() == NAMES
    assert (_folder(record) / "1").read_text() == "111"


def test_a_damaged_copy_is_restored_before_it_is_reused(tmp_path: Path) -> None:
    """By size and time; where both are kept, `--verify` finds it."""
    file = write_pipeline(tmp_path, _writer(), _reader())
    first = run_fake(file)
    (_folder(first) / "2").unlink()
    again = run_fake(file)
    assert again.warnings == (
        f"{first.run_id}/w/parts was damaged and has been restored from the store",
    )
    assert (_folder(again) / "2").read_text() == "222"


@pytest.mark.parametrize("what", ["manifest", "file"])
def test_a_damaged_folder_in_the_store_is_rebuilt(tmp_path: Path, what: str) -> None:
    """And said so; the run that rebuilds it leaves the store whole."""
    file = write_pipeline(tmp_path, _writer(), _reader())
    first = run_fake(file)
    store = ArtifactStore(Path(first.runs_dir) / "store")
    digest = first.stages["w"].artifacts["parts"].digest
    tree = store.tree(digest)
    assert tree is not None
    (store.master(digest) if what == "manifest" else store.master(tree.leaves[1].digest)).unlink()
    again = run_fake(file)
    assert [again.stages[key].status for key in ("w", "r")] == ["succeeded", "cached"]
    assert "artifact parts was" in again.warnings[0]
    assert store.is_whole(digest, None, deep=True)


def test_verify_reads_the_files_of_a_folder(tmp_path: Path) -> None:
    """A master that kept its size and its times is damaged all the same."""
    file = write_pipeline(tmp_path, _writer(), _reader())
    first = run_fake(file)
    store = ArtifactStore(Path(first.runs_dir) / "store")
    tree = store.tree(first.stages["w"].artifacts["parts"].digest)
    assert tree is not None
    master = store.master(tree.leaves[0].digest)
    times = master.stat()
    master.chmod(0o644)
    master.write_text("XXX")
    os.utime(master, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run_fake(file).stages["w"].status == "cached"
    checked = run_fake(file, verify=True)
    assert checked.stages["w"].status == "succeeded"
    assert "damaged" in checked.warnings[0]


def test_a_mapped_stage_hands_on_its_folders(tmp_path: Path) -> None:
    """As a list, and one by one."""
    writer = _writer("open(parts + '/' + which, 'w').close()", foreach={"which": ["a", "b"]})
    writer = Sketch(
        name="w", file="", declares='which: str = ""', body=writer.body, keys=writer.keys
    )
    every = Sketch(
        name="r",
        declares="parts: list[str] = []\none: str = ''",
        body="import os\nopen(out, 'w').write(str([os.listdir(p) for p in parts + [one]]))",
        keys={"inputs": {"parts": "w.parts", "one": "w[b].parts"}},
    )
    record = run_fake(write_pipeline(tmp_path, writer, every))
    assert Path(record.stages["r"].outputs["out"]).read_text() == "[['a'], ['b'], ['b']]"


def test_resume_keeps_a_finished_folder(tmp_path: Path) -> None:
    """Its copy is looked at, and made good where it is damaged."""
    file = write_pipeline(tmp_path, _writer(), _reader("raise ValueError"))
    first = run_fake(file)
    assert not first.ok
    (_folder(first) / "1").unlink()
    write_notebook(tmp_path / "r.ipynb", READ, parameters='parts: str = ""\nout: str = ""')
    record = resume(first.run_id, file, services=fake_services())
    assert record.ok
    assert record.stages["w"].attempts == 1
    assert (_folder(record) / "1").read_text() == "111"


def test_one_stage_alone_gets_its_folder_and_its_absence(tmp_path: Path) -> None:
    """`--only`, in a run of its own and in one that an orchestrator's tasks join."""
    maybe = "w.maybe"
    writer = _writer(outputs={"parts": "parts/", "maybe": "maybe.json?"})
    reader = _reader(READ + "\nassert maybe is None", inputs={"parts": "w.parts", "maybe": maybe})
    reader = Sketch(
        name="r",
        declares='parts: str = ""\nmaybe: str | None = None',
        body=reader.body,
        keys=reader.keys,
    )
    file = write_pipeline(tmp_path, writer, reader)
    run_fake(file, only="w", run_id="joined")
    joined = run_fake(file, only="r", run_id="joined")
    assert Path(joined.stages["r"].outputs["out"]).read_text() == NAMES
    alone = run_fake(file, only="r", force=True)
    assert alone.ok
    assert Path(alone.stages["r"].outputs["out"]).read_text() == NAMES


# Outputs that may be missing


def _optional(body: str, file: str, declares: str = "extra: str | None = None") -> list[Sketch]:
    return [
        Sketch(name="w", body=f"{body}\nopen(out, 'w').close()", keys={"outputs": {"extra": file}}),
        Sketch(
            name="r",
            declares=declares,
            body="open(out, 'w').write(repr(extra and extra.split('/')[-1]))",
            keys={"inputs": {"extra": "w.extra"}},
        ),
    ]


@pytest.mark.parametrize("file", ["extra.json?", "extra/?"])
def test_an_output_that_may_be_missing_arrives_as_none(tmp_path: Path, file: str) -> None:
    """And a reuse reproduces its absence; a folder that was left empty is missing."""
    pipeline = write_pipeline(tmp_path, *_optional("pass", file))
    for status in ("succeeded", "cached"):
        record = run_fake(pipeline)
        stage = record.stages["w"]
        assert stage.status == status
        assert stage.outputs["extra"] is None
        assert stage.summary()["outputs"]["extra"] is None
        assert not Path(stage.outputs["out"]).with_name("extra").exists()
        assert Path(record.stages["r"].outputs["out"]).read_text() == "None"
        assert record.stages["r"].inputs == {"extra": None}
    assert RunRecord.from_json(record.to_full_json()).stages["w"].absent == ("extra",)
    assert plan(load_pipeline(pipeline), runs_dir=record.runs_dir)["r"].action == "reuse"


@pytest.mark.parametrize(
    ("file", "body", "name"),
    [
        ("extra.json?", "open(extra, 'w').close()", "'extra.json'"),
        ("extra/?", "open(extra + '/x', 'w').close()", "'extra'"),
    ],
)
def test_an_output_that_may_be_missing_is_handed_on_when_it_is_there(
    tmp_path: Path, file: str, body: str, name: str
) -> None:
    """Like any other."""
    record = run_fake(write_pipeline(tmp_path, *_optional(body, file)))
    assert Path(record.stages["r"].outputs["out"]).read_text() == name
    assert record.stages["w"].absent == ()


def test_one_that_may_be_missing_must_be_what_it_says(tmp_path: Path) -> None:
    """A folder where a file is declared is a mistake, not an absence."""
    record = run_fake(write_pipeline(tmp_path, *_optional("__import__('os').mkdir(extra)", "e?")))
    assert _error(record.stages["w"])[1].endswith("end its name in pipeline.yaml with '/': 'e/?'")


def test_of_a_mapped_stage_what_is_missing_is_left_out_of_the_list(tmp_path: Path) -> None:
    """As an instance is that was skipped."""
    writer = Sketch(
        name="w",
        declares='which: str = ""',
        body="open(out, 'w').close()\nif which != 'b': open(extra, 'w').close()",
        keys={"foreach": {"which": ["a", "b", "c"]}, "outputs": {"extra": "extra.json?"}},
    )
    reader = Sketch(
        name="r",
        declares="extra: list[str] = []",
        body="open(out, 'w').write(','.join(p.split('/')[-2] for p in extra))",
        keys={"inputs": {"extra": "w.extra"}},
    )
    record = run_fake(write_pipeline(tmp_path, writer, reader))
    assert Path(record.stages["r"].outputs["out"]).read_text() == "w[a],w[c]"


# Folders from outside


def _outside(tmp_path: Path) -> Path:
    (tmp_path / "data/sub").mkdir(parents=True)
    (tmp_path / "data/x.csv").write_text("1")
    (tmp_path / "data/sub/y.csv").write_text("2")
    reader = Sketch(
        name="r", declares='parts: str = ""', body=READ, keys={"inputs": {"parts": "file:data/"}}
    )
    return write_pipeline(tmp_path, reader)


def test_a_folder_from_outside_counts_by_what_it_holds(tmp_path: Path) -> None:
    """It is read where it stands; touching changes nothing, a change does."""
    file = _outside(tmp_path)
    first = run_fake(file)
    assert Path(first.stages["r"].outputs["out"]).read_text() == "sub,sub/y.csv,x.csv"
    assert first.stages["r"].inputs["parts"] == str(tmp_path / "data")
    (tmp_path / "data/x.csv").touch()
    assert run_fake(file).stages["r"].status == "cached"
    assert plan(load_pipeline(file), runs_dir=first.runs_dir)["r"].action == "reuse"
    (tmp_path / "data/sub/y.csv").write_text("3")
    changed = run_fake(file)
    assert changed.stages["r"].status == "succeeded"
    assert changed.stages["r"].reason == "input parts changed"
    (tmp_path / "data/sub/empty").mkdir()
    assert run_fake(file).stages["r"].status == "succeeded"


def test_a_folder_from_outside_that_holds_a_link_is_refused(tmp_path: Path) -> None:
    """By name, when the file is read; what comes after that, `plan` and the run say."""
    file = _outside(tmp_path)
    pipeline = load_pipeline(file)
    (tmp_path / "data/sub/link").symlink_to("y.csv")
    with pytest.raises(PipelineError, match="'sub/link' in it is a link") as caught:
        load_pipeline(file)
    assert caught.value.line
    reasons = plan(pipeline, runs_dir=tmp_path / "runs")["r"].reasons
    assert "'sub/link' in it is a link" in reasons[0]
    kind, text = _error(run_fake(pipeline).stages["r"])
    assert kind == "MissingInput"
    assert "'sub/link' in it is a link" in text


def test_a_folder_from_outside_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    """What was read is not what is recorded."""
    file = _outside(tmp_path)
    write_notebook(
        tmp_path / "r.ipynb",
        "open(parts + '/new.csv', 'w').close()\nopen(out, 'w').close()",
        parameters='parts: str = ""\nout: str = ""',
    )
    kind, text = _error(run_fake(file).stages["r"])
    assert kind == "InputChanged"
    assert f"the folder {tmp_path / 'data'} changed while" in text


# The executed notebook


def _report(name: str) -> list[Sketch]:
    return [
        Sketch(name="a", declares="rows: int = 1"),
        Sketch(
            name="report",
            upstream=("a",),
            file="",
            body="#%% md\n# What came out",
            keys={"outputs": {"page": name}},
        ),
        Sketch(
            name="send",
            declares='page: str = ""',
            body="open(out, 'w').write(open(page).read()[:20])",
            keys={"inputs": {"page": "report.page"}},
        ),
    ]


@pytest.mark.parametrize("kind", ["ipynb", "html"])
def test_an_executed_notebook_is_an_output(tmp_path: Path, kind: str) -> None:
    """The notebook declares nothing for it; it is reused, and handed on."""
    write = _report(f"@notebook.{kind}")
    file = write_pipeline(tmp_path, *write)
    write_notebook(
        tmp_path / "report.ipynb",
        "#%% md\n# What came out",
        "print('here')",
        parameters="a: str = ''",
    )
    record = run_fake(file)
    assert record.ok
    page = Path(record.stages["report"].outputs["page"])
    assert page == Path(record.runs_dir) / record.run_id / f"report/notebook.{kind}"
    assert "What came out" in page.read_text()
    assert page.with_name("notebook.ipynb").is_file()
    assert stat.S_IMODE(page.stat().st_mode) == 0o444
    assert Path(record.stages["send"].outputs["out"]).read_text() == page.read_text()[:20]
    again = run_fake(file)
    assert {item.status.value for item in again.stages.values()} == {"cached"}
    assert Path(again.stages["report"].outputs["page"]).read_text() == page.read_text()
    assert run_fake(file, parameters={"a.rows": 2}).stages["report"].status == "cached"
    document = json.loads((tmp_path / "report.ipynb").read_text())
    document["cells"].insert(1, {"cell_type": "markdown", "metadata": {}, "source": "# New words"})
    (tmp_path / "report.ipynb").write_text(json.dumps(document))
    edited = run_fake(file).stages["report"]
    assert edited.status == "succeeded", "a page shows its words"
    assert edited.reason == "prose added: cell 2 (# New words)"
    assert "New words" in Path(edited.outputs["page"]).read_text()


def test_a_notebook_may_declare_the_output_that_mlkit_writes(tmp_path: Path) -> None:
    """It then hears where its page will stand."""
    report = Sketch(
        name="report",
        file="",
        declares="page: str = ''",
        body="print(page)\nopen(page, 'w').write('mine')",
        keys={"outputs": {"page": "@notebook.html"}},
    )
    record = run_fake(write_pipeline(tmp_path, report))
    assert "mine" in Path(record.stages["report"].outputs["page"]).read_text()
    assert Path(record.stages["report"].outputs["page"]).read_text().startswith("<!doctype html>")


def test_a_failed_report_has_no_page(tmp_path: Path) -> None:
    """Its executed notebook stands with its attempt, as of every stage."""
    report = Sketch(
        name="report", file="", body="1 / 0", keys={"outputs": {"page": "@notebook.ipynb"}}
    )
    record = run_fake(write_pipeline(tmp_path, report))
    folder = Path(record.runs_dir) / record.run_id / "report"
    assert record.stages["report"].status == "failed"
    assert sorted(p.name for p in folder.iterdir()) == ["attempts"]


@pytest.mark.slow
def test_a_report_is_cached_on_the_second_run_with_a_real_kernel(tmp_path: Path) -> None:
    """What a kernel showed stands in the page."""
    file = write_pipeline(tmp_path, *_report("@notebook.html"))
    write_notebook(
        tmp_path / "report.ipynb", "print(6 * 7)", "'seen'.upper()", parameters="a: str = ''"
    )
    record = run(load_pipeline(file), options=RunOptions())
    assert record.ok
    page = Path(record.stages["report"].outputs["page"]).read_text()
    assert "42" in page
    assert "SEEN" in page
    again = run(load_pipeline(file), options=RunOptions())
    assert {item.status.value for item in again.stages.values()} == {"cached"}


def test_cleaning_takes_the_files_of_a_folder_with_it(tmp_path: Path) -> None:
    """What another folder holds too stays, and is reused."""
    file = write_pipeline(tmp_path, _writer(), _reader())
    first = run_fake(file)
    last = run_fake(file, parameters={"w.size": 4})
    store = ArtifactStore(Path(first.runs_dir) / "store")
    gone, kept = (r.stages["w"].artifacts["parts"].digest for r in (first, last))
    promote(
        last.run_id, runs_dir=first.runs_dir
    )  # an experiment is not `latest`, which would be kept
    shown = clean(first.runs_dir, keep=1)
    assert len(shown.artifacts) == 4  # three files and a manifest; the reader wrote the same
    clean(first.runs_dir, keep=1, dry_run=False)
    assert store.tree(gone) is None
    assert len(list(store.digests())) == 5
    assert store.is_whole(kept, None, deep=True)
    again = run_fake(file, parameters={"w.size": 4})
    assert {item.status.value for item in again.stages.values()} == {"cached"}


def test_a_folder_travels_with_its_run(tmp_path: Path) -> None:
    """A runs folder that was copied, without its database, reads as before."""
    file = write_pipeline(tmp_path, _writer(), _reader())
    first = run_fake(file)
    shutil.copytree(first.runs_dir, tmp_path / "moved", symlinks=True)
    (tmp_path / "moved/mlkit.db").unlink()
    again = run_fake(file, runs_dir=tmp_path / "moved")
    assert again.ok


def test_an_upstream_without_results_is_told(tmp_path: Path) -> None:
    """`--only` needs what stands before it."""
    file = write_pipeline(tmp_path, _writer(), _reader())
    with pytest.raises(UsageError, match="has no result that can be reused"):
        run_fake(file, only="r", runner=FakeRunner())
