"""Names of runs: given, moved, taken; what cannot be one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mlkit import api
from mlkit.api.old_runs import clean
from mlkit.cli.main import app
from mlkit.errors import UnknownRunError, UsageError
from mlkit.store.folder import RESERVED, RunsFolder, new_run_id
from mlkit.store.labels import check_label
from mlkit.testing import chain, run_fake


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "latest", "store", "labels", "debug", "mlkit.db", "2", "2026", "20260101",
        "20260101-", "20260101-1200", "20260101-120000-123-9abc", ".", "..", ".x", "-x", "a/b",
        "../a", "a\\b", "a[b]", "a b", "a\nb", "a\0b", "a:b", "a*", "'a'", "$(x)", "x" * 81,
        "\ud800", "a\u202eb",
    ],
)  # fmt: skip
def test_what_could_be_taken_for_something_else_is_no_name(text: str) -> None:
    """It is refused with what to write instead."""
    with pytest.raises(UsageError) as refused:
        check_label(text, RESERVED)
    assert refused.value.remedy


@pytest.mark.parametrize(
    "text", ["best", "v1.2", "größe_2", "数据", "2026-baseline", "a+b", "x" * 80]
)
def test_ordinary_words_are_names(text: str) -> None:
    """Also those with other letters than ASCII's."""
    assert check_label(text, RESERVED) == text


def test_one_name_has_one_form() -> None:
    """Whichever way an accent was typed."""
    assert check_label("gro\u0308sse", RESERVED) == check_label("gr\u00f6sse", RESERVED)


@given(st.floats(0, 4e9), st.integers(1, 24))
def test_the_beginning_of_an_id_is_never_a_name(moment: float, length: int) -> None:
    """Whatever may stand for a run as the beginning of its id is no name of another."""
    with pytest.raises(UsageError, match="reads as the id"):
        check_label(new_run_id(moment)[:length], RESERVED)


@given(st.text(max_size=100))
def test_a_name_is_a_file_of_its_folder(text: str) -> None:
    """Whatever is accepted stands in the folder itself, and can be found again."""
    try:
        label = check_label(text, RESERVED)
    except UsageError:
        return
    assert Path("f", label).name == label
    assert check_label(label, RESERVED) == label
    label.encode()


def test_a_named_run_is_found_by_its_name(tmp_path: Path) -> None:
    """By others, too, until the name is moved or taken; its files stand below it."""
    file = chain(tmp_path, 1)
    one = run_fake(file, name="first", note="as it was")
    two = run_fake(file)
    folder = RunsFolder(tmp_path / "runs")
    assert (one.labels, one.note) == (("first",), "as it was")
    assert api.find_run("first", folder.path) == one
    api.label("latest", "best", file)
    assert api.find_run("best", folder.path).run_id == two.run_id
    assert (folder.path / "labels/best/s1/s1.txt").read_text() == "s1()"
    api.label(two.run_id, "best", file)
    with pytest.raises(UsageError, match=f"'best' is taken: run {two.run_id} has it"):
        api.label("first", "best", file)
    assert api.label("first", "best", file, moves=True).had == two.run_id
    assert [record.labels for record in api.list_runs(file)] == [("best", "first"), ()]
    assert [item.run_id for item in api.unlabel("first", file)] == [one.run_id]
    with pytest.raises(UnknownRunError, match="no run has the name 'first'"):
        api.unlabel("first", file)
    with pytest.raises(UnknownRunError, match="Did you mean 'best'"):
        api.find_run("besd", folder.path)


def test_a_name_is_taken_only_from_the_run_that_is_meant(tmp_path: Path) -> None:
    """Where the run is named with it; then the command takes both words, and a pipeline."""
    file = chain(tmp_path / "p", 1)
    one, two = run_fake(file, name="one"), run_fake(file, name="two")
    with pytest.raises(UsageError, match=f"'one': run {one.run_id} has it"):
        api.unlabel("one", file, run=two.run_id)
    with pytest.raises(UnknownRunError, match="there is no run 'three'"):
        api.unlabel("one", file, run="three")
    for words in (["two", "two"], ["one"]):
        done = CliRunner().invoke(app, ["unlabel", *words, str(file.parent)])
        assert f"no longer has the name '{words[-1]}'" in done.output
    many = CliRunner().invoke(app, ["unlabel", "a", "b", "c", str(file)])
    assert "one name is taken away at a time" in str(many.exception)


def test_a_name_that_is_taken_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """There is no further run; an id is no name, nor a name an id."""
    file = chain(tmp_path, 1)
    one = run_fake(file, name="a", run_id="own-id", only="s1")
    with pytest.raises(UsageError, match="the name 'a' is taken"):
        run_fake(file, name="a")
    with pytest.raises(UsageError, match="'own-id' is the id of a run"):
        run_fake(file, name="own-id")
    with pytest.raises(UsageError, match=f"'a' is the name of run {one.run_id}"):
        run_fake(file, run_id="a", only="s1")
    assert [record.run_id for record in api.list_runs(file)] == ["own-id"]


def test_who_is_quicker_has_the_name(tmp_path: Path) -> None:
    """Of many at once one gets it, and the others are told who."""
    labels, won, lost = RunsFolder(tmp_path).labels, [], []

    def give(run_id: str) -> None:
        try:
            labels.give("best", run_id)
            won.append(run_id)
        except UsageError as error:
            lost.append(error.message)

    threads = [threading.Thread(target=give, args=(f"r{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [labels.run_id("best")]
    assert lost == [f"the name 'best' is taken: run {won[0]} has it"] * 15


def test_runs_with_a_name_are_never_cleaned(tmp_path: Path) -> None:
    """Nor counted by `keep`; a name whose run somebody has removed goes."""
    import shutil

    file, runs = chain(tmp_path, 1), tmp_path / "runs"
    made = [run_fake(file, force=True, name=n).run_id for n in ("old", None, None, "mine", None)]
    told = clean(runs, keep=2)
    assert told.runs == (made[1],)
    assert told.named == (made[0],)
    assert clean(runs, keep=0, dry_run=False).runs == (made[1], made[2])
    assert {record.run_id for record in api.list_runs(file)} == {made[0], made[3], made[4]}
    shutil.rmtree(runs / made[0])
    with pytest.raises(UnknownRunError, match="no longer there"):
        api.find_run("old", runs)
    clean(runs, dry_run=False)
    assert RunsFolder(runs).labels.all() == {"mine": made[3]}


def test_names_outlive_the_database(tmp_path: Path) -> None:
    """They stand beside the runs; a killed run keeps its name, too."""
    file = chain(tmp_path, 1)
    one = run_fake(file, name="kept")
    for part in (tmp_path / "runs").glob("mlkit.db*"):
        part.unlink()
    assert api.find_run("kept", tmp_path / "runs").run_id == one.run_id
    assert api.list_runs(file)[0].labels == ("kept",)
