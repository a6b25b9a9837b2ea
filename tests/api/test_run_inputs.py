"""Inputs that another run has made: found by the run's name, counted by their digests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlkit import api
from mlkit.api.old_runs import clean
from mlkit.beginning.new_stage import NewStage, add_stage
from mlkit.core.pipeline import RunOutput
from mlkit.errors import MlkitError, PipelineError
from mlkit.load.references import read_run_output
from mlkit.testing import FakeRunner, Raises, Sketch, chain, mapped, run_fake, write_pipeline

READS = "from pathlib import Path\nPath(out).write_text(f'read {Path(given).read_text()}')"


def _reader(folder: Path, source: str, kind: str = 'str = ""', body: str = READS) -> Path:
    """A pipeline of one stage that reads `source`."""
    stage = Sketch(
        name="reader", body=body, declares=f"given: {kind}", keys={"inputs": {"given": source}}
    )
    return write_pipeline(folder, stage)


def _text(record: Any) -> str:
    assert record.ok, record.stages["reader"].error
    return Path(record.stages["reader"].outputs["out"]).read_text()


def test_what_a_named_run_has_made_is_read(tmp_path: Path) -> None:
    """Of another pipeline, whose place is named; it runs again when the name means another run."""
    made = write_pipeline(
        tmp_path / "maker",
        Sketch(name="s1", declares='word: str = "a"',
               body="from pathlib import Path\nPath(out).write_text(word)"),
        parameters={"word": "a"},
    )  # fmt: skip
    run_fake(made, name="best")
    other = run_fake(made, parameters={"word": "b"})
    file = _reader(tmp_path / "reader", "run:../maker/best/s1.out")
    assert _text(run_fake(file)) == "read a"
    again = run_fake(file)
    assert again.stages["reader"].status == "cached"
    api.label(other.run_id, "best", made, moves=True)
    (forecast,) = api.plan(file).values()
    assert (forecast.action, forecast.reasons) == ("run", ("input given changed",))
    assert _text(run_fake(file)) == "read b"
    assert _text(run_fake(_reader(tmp_path / "r2", "run:../maker/latest/s1.out"))) == "read a"
    runs = _reader(tmp_path / "r3", f"run:../maker/runs/{other.run_id[:-1]}/s1.out")
    assert _text(run_fake(runs)) == "read b"


def test_a_run_of_the_same_folder_needs_no_place(tmp_path: Path) -> None:
    """Also one of this very pipeline; a stage that can do without begins with None."""
    body = (
        "from pathlib import Path\n"
        "before = '' if given is None else Path(given).read_text()\n"
        "Path(out).write_text(before + 'x')"
    )
    file = _reader(tmp_path, "run:latest/reader.out", "str | None = None", body)
    assert [_text(run_fake(file)) for _ in range(3)] == ["x", "xx", "xxx"]
    file = _reader(tmp_path / "strict", "run:latest/reader.out")
    with pytest.raises(PipelineError, match="no run is latest yet") as refused:
        run_fake(file)
    assert "given: str | None = None" in str(refused.value.remedy)


def test_a_mapped_stage_gives_its_list_or_one_of_it(tmp_path: Path) -> None:
    """In the order of its values; a notebook that expects something else is told."""
    made = mapped(tmp_path / "maker", ["b", "a/x"])
    run_fake(made, name="best")
    joined = (
        "from pathlib import Path\n"
        "Path(out).write_text(' '.join(Path(item).read_text() for item in given))"
    )
    every = _reader(tmp_path / "all", "run:../maker/best/each.out", "list[str] = []", joined)
    one = _reader(tmp_path / "one", "run:../maker/best/each[a/x].out")
    texts = [
        Path(item.outputs["out"]).read_text()
        for item in api.find_run("best", made.parent / "runs").stages.values()
        if item.stage == "each"
    ]
    assert _text(run_fake(every)) == " ".join(texts)
    assert _text(run_fake(one)) == f"read {texts[1]}"
    assert run_fake(every).stages["reader"].status == "cached"
    with pytest.raises(PipelineError, match=r"a list of paths.*declares str"):
        run_fake(_reader(tmp_path / "wrong", "run:../maker/best/each.out"))
    with pytest.raises(PipelineError, match=r"it is one path, and reader.ipynb declares list"):
        run_fake(
            _reader(tmp_path / "w2", "run:../maker/best/each[b].out", "list[str] = []", joined)
        )


MISTAKES = {
    "run:bets/s1.out": ("there is no run 'bets'", "Did you mean 'best'?"),
    "run:best/s9.out": ("has no stage 's9'", "Known: s1, s2, s3"),
    "run:best/s1.uot": ("wrote no 'uot'", "Did you mean 'out'?"),
    "run:bad/s2.out": ("stage 's2' of run .* is failed", "mlkit show"),
    "run:bad/s3.out": ("is upstream_failed", "mlkit show"),
    "run:best": ("'run:best' is no output of a run", "run:NAME/STAGE.OUTPUT"),
    "run:/s1.out": ("is no output of a run", "run:NAME/STAGE.OUTPUT"),
    "run:best/s1": ("is no output of a run", "run:NAME/STAGE.OUTPUT"),
    "run:${X}/s1.out": ("is no output of a run", "run:NAME/STAGE.OUTPUT"),
    "run:nowhere/best/s1.out": ("there is no run 'best'", "mlkit runs"),
}


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline with a good run, `best`, and a bad one."""
    file = chain(tmp_path_factory.mktemp("maker"), 3)
    run_fake(file, name="best")
    run_fake(file, name="bad", force=True, runner=FakeRunner({"s2": [Raises()]}))
    return file


@pytest.mark.parametrize("source", MISTAKES)
def test_a_mistake_is_told_with_its_line_before_anything_runs(
    source: str, maker: Path, tmp_path: Path
) -> None:
    """By `run` and `plan` alike; what is not to run may wait."""
    file = _reader(tmp_path, source)
    fact, remedy = MISTAKES[source]
    line = next(n for n, t in enumerate(file.read_text().splitlines(), 1) if source in t)
    for call in (run_fake, api.plan):
        with pytest.raises(PipelineError, match=fact) as refused:
            call(file, runs_dir=maker.parent / "runs")
        assert (refused.value.line, refused.value.exit_code) == (line, 2)
        assert remedy in str(refused.value.remedy)
    assert len(api.list_runs(maker)) == 2


def test_a_file_that_was_changed_since_is_not_believed(tmp_path: Path) -> None:
    """Nor one that is gone; the run that a name keeps is never cleaned."""
    made = chain(tmp_path / "maker", 1)
    record = run_fake(made, name="best")
    file = _reader(tmp_path / "r", "run:../maker/best/s1.out")
    for _ in range(2):
        run_fake(made, force=True)
    clean(made.parent / "runs", keep=0, dry_run=False)
    assert _text(run_fake(file)) == "read s1()"
    path = Path(record.stages["s1"].outputs["out"])
    path.unlink()
    path.write_text("tampered")
    failed = run_fake(file, force=True)
    assert "is not what that run has written" in str(failed.stages["reader"].error)
    path.unlink()
    with pytest.raises(PipelineError, match="is gone"):
        run_fake(file)


def test_only_what_runs_is_looked_for(maker: Path, tmp_path: Path) -> None:
    """A stage that is not selected may name a run that is still to come."""
    reader = Sketch(
        name="reader", declares='given: str = ""', keys={"inputs": {"given": "run:later/s1.out"}}
    )
    file = write_pipeline(tmp_path, Sketch(name="s1"), reader)
    assert run_fake(file, until="s1").ok
    with pytest.raises(PipelineError, match="there is no run 'later'"):
        run_fake(file)


def test_a_task_of_an_engine_finds_it_by_itself(tmp_path: Path) -> None:
    """With `--run-id`, as an orchestrator calls it; an export needs no run."""
    made = chain(tmp_path / "maker", 1)
    file = _reader(tmp_path / "r", "run:../maker/best/s1.out")
    assert "reader" in api.export(file, "prefect").files[api.export(file, "prefect").entry]
    with pytest.raises(PipelineError, match="there is no run 'best'"):
        run_fake(file, only="reader", run_id="x")
    run_fake(made, name="best")
    assert _text(run_fake(file, only="reader", run_id="x")) == "read s1()"


def test_a_stage_is_added_with_such_an_input(tmp_path: Path) -> None:
    """Opened by hand its notebook reads below the run's name; the wired pipeline runs."""
    made = chain(tmp_path / "maker", 1)
    run_fake(made, name="best")
    file = chain(tmp_path / "mine", 1)
    run_fake(file)
    for place, default in (
        ("../maker/best", "../maker/runs/labels/best/s1/s1.txt"),
        ("latest", "runs/latest/s1/s1.txt"),
    ):
        name = f"n{len(place)}"
        new = NewStage(name=name, inputs=[f"given=run:{place}/s1.out"], outputs=["o.txt"])
        added = add_stage(file, new)
        assert default in added.notebook.read_text()
        assert (file.parent / default).read_text() == "s1()"
    with pytest.raises(MlkitError, match="has made no such thing"):
        add_stage(file, NewStage(name="x", inputs=["run:latest/s1.uot"]))


WORDS = st.text("abz09_-", min_size=1, max_size=5)


@given(
    st.lists(WORDS | st.just(".."), max_size=3),
    WORDS,
    WORDS,
    st.none() | st.text('ab/.,[]" ', max_size=6),
    WORDS,
)
def test_a_reference_reads_as_it_is_written(
    place: list[str], run: str, stage: str, value: str | None, output: str
) -> None:
    """Whatever stands in a value's brackets: it comes back as it was."""
    node = stage if value is None else f"{stage}[{value}]"
    meant = RunOutput(place="/".join(place), run=run, node=node, output=output)
    read = read_run_output(str(meant))
    assert read is not None
    assert str(read) == str(meant)
    if value is None or not set("[]") & set(value):
        assert (read.run, read.output) == (run, output)
