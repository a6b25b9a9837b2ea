"""`mlkit plan`: what a run would do, found out without running or changing anything."""

from __future__ import annotations

from pathlib import Path

from mlkit import RunOptions, plan
from mlkit.testing import (
    FakeRunner,
    RecordingObserver,
    Sketch,
    branching,
    chain,
    diamond,
    dynamic_map,
    mapped,
    run_fake,
    write_pipeline,
)


def test_a_plan_without_runs_makes_no_folder(tmp_path: Path) -> None:
    """Everything would run, and the runs folder is not even made."""
    file = diamond(tmp_path)
    found = plan(file)
    assert {item.action for item in found.values()} == {"run"}
    assert found["top"].reasons == ("never run",)
    assert not (tmp_path / "runs").exists()


def test_the_order_is_upstream_first(tmp_path: Path) -> None:
    """A plan lists the stages in an order in which they can run."""
    file = diamond(tmp_path)
    assert list(plan(file)) == ["top", "left", "right", "bottom"]


def test_downstream_of_a_change_is_unknown(tmp_path: Path) -> None:
    """Whether a dependent runs depends on the bytes that will be written: early cut-off."""
    file = chain(tmp_path)
    run_fake(file)
    path = tmp_path / "s1.ipynb"
    path.write_text(path.read_text().replace("Path(out)", "Path( out)"))
    found = plan(file)
    assert [item.action for item in found.values()] == ["run", "unknown", "unknown"]
    assert found["s2"].reasons == ("depends on what s1 will write",)


def test_a_dependent_that_changed_itself_runs_for_certain(tmp_path: Path) -> None:
    """Its own reason is given."""
    file = chain(tmp_path, 2)
    run_fake(file)
    for name in ("s1", "s2"):
        path = tmp_path / f"{name}.ipynb"
        path.write_text(path.read_text().replace("Path(out)", "Path( out)"))
    assert plan(file)["s2"].reasons == ("code changed: cell 2 (from pathlib import Path)",)


def test_a_branch_that_is_not_taken_would_be_skipped(tmp_path: Path) -> None:
    """The reason holds the artifact's value against the wanted one."""
    file = branching(tmp_path)
    run_fake(file)
    found = plan(file)
    assert found["no"].reasons == ('would be skipped: decide.out is "yes", not "no"',)
    assert found["finish"].action == "reuse"


def test_instances_of_a_map_are_planned_one_by_one(tmp_path: Path) -> None:
    """A literal list at once, one from an artifact when it is known."""
    assert list(plan(mapped(tmp_path / "m"))) == ["each[a]", "each[b]", "each[c]", "all"]
    file = dynamic_map(tmp_path / "d")
    assert plan(file)["each"].reasons == (
        "the values come from choose.out, which is not known yet",
    )
    run_fake(file)
    assert list(plan(file)) == ["choose", "each[a]", "each[b]", "each[c]", "all"]


def test_an_artifact_that_holds_no_json_is_no_traceback(tmp_path: Path) -> None:
    """A `when` or `foreach` on it would fail, and the plan says so."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="a", body="open(out, 'w').write('not json')"),
        Sketch(name="b", keys={"when": {"a.out": "yes"}}),
        Sketch(name="c", declares='x: str = ""', keys={"foreach": {"x": "a.out"}}),
    )
    run_fake(file)
    found = plan(file)
    assert (
        found["b"].reasons[0].startswith("would fail: 'when' looks at a.out, which holds no JSON")
    )
    assert found["c"].reasons[0].startswith("would fail: a.out holds no JSON")


def test_what_is_planned_is_what_happens(tmp_path: Path) -> None:
    """After any edit, `run` runs what `plan` said and reuses what it said."""
    file = diamond(tmp_path)
    run_fake(file)
    path = tmp_path / "right.ipynb"
    path.write_text(path.read_text().replace("right(", "RIGHT("))
    found = plan(file)
    runner = FakeRunner()
    record = run_fake(file, runner=runner)
    certain = [name for name, item in found.items() if item.action == "run"]
    assert set(certain) <= set(runner.stages)
    for name, item in found.items():
        if item.action == "reuse":
            assert record.stages[name].status == "cached"


def test_until_and_only_narrow_the_plan(tmp_path: Path) -> None:
    """As they narrow the run."""
    file = diamond(tmp_path)
    assert list(plan(file, options=RunOptions(until="left"))) == ["top", "left"]
    assert list(plan(file, options=RunOptions(only="left"))) == ["left"]


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    """The database's rows and the store are as before."""
    from mlkit.store.database import Database

    file = chain(tmp_path)
    run_fake(file, observers=[RecordingObserver()])

    def state() -> tuple[list[str], list[tuple[object, ...]]]:
        names = sorted(str(p) for p in (tmp_path / "runs").rglob("*") if "mlkit.db" not in p.name)
        database = Database(tmp_path / "runs" / "mlkit.db")
        rows = [tuple(r) for t in ("fingerprints", "artifacts", "digests", "stages")
                for r in database._query(f"SELECT * FROM {t}", ())]  # fmt: skip
        database.close()
        return names, rows

    before = state()
    plan(file, parameters={})
    assert state() == before


def test_who_waits_for_a_failure_is_not_said_to_have_skipped_upstream(tmp_path: Path) -> None:
    """Nobody upstream would be skipped; nobody would fail either."""
    rules = ("one_failed", "all_failed")
    inputs = {"text": "top.out"}
    stages = [
        Sketch(
            name=rule,
            declares="text: str | None = None",
            body="from pathlib import Path\nPath(out).write_text(str(text))",
            keys={"trigger": rule, "inputs": inputs},
        )
        for rule in rules
    ]
    found = plan(write_pipeline(tmp_path, Sketch(name="top"), *stages))
    for rule in rules:
        assert found[rule].skipped
        assert found[rule].reasons == (f"would be skipped: {rule}: its upstream would not fail",)
