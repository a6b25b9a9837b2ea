"""`mlkit plan`: what a run would do, found out without running or changing anything."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlkit import RunOptions, plan
from mlkit.api.old_runs import clean
from mlkit.core.instances import stage_of
from mlkit.core.states import Status
from mlkit.core.triggers import TriggerRule
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


def test_a_condition_without_values_never_holds(tmp_path: Path) -> None:
    """And its reason says so."""
    file = branching(tmp_path)
    file.write_text(file.read_text().replace("decide.out: no\n", "decide.out: []\n"))
    assert "decide.out: []" in file.read_text()
    run_fake(file)
    reason = 'would be skipped: decide.out is "yes", not one of no values'
    assert plan(file)["no"].reasons == (reason,)


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


def test_a_plan_names_the_result_that_differs_least(tmp_path: Path) -> None:
    """Not the newest one; of equally near ones the newer."""
    body = "from pathlib import Path\nPath(out).write_text(f'{a} {b} {c}')"
    file = write_pipeline(tmp_path, Sketch(name="s", body=body, declares="a = 1\nb = 1\nc = 1"))

    def valued(a: int, b: int, c: int) -> dict[str, int]:
        return {"s.a": a, "s.b": b, "s.c": c}

    for values in ((1, 1, 1), (2, 2, 2), (3, 3, 3)):
        run_fake(file, parameters=valued(*values))
    for values, reason in {
        (1, 1, 7): "parameter c: 1 → 7",
        (2, 7, 2): "parameter b: 2 → 7",
        (1, 2, 2): "parameter a: 2 → 1",
        (3, 3, 1): "parameter c: 3 → 1",
    }.items():
        assert plan(file, parameters=valued(*values))["s"].reasons == (reason,)
    assert plan(file, parameters=valued(1, 2, 3))["s"].reasons[0] == "parameter a: 3 → 1"


def test_what_was_cleaned_is_told_as_cleaned(tmp_path: Path) -> None:
    """Neither as never run nor as another value; a stage that never ran says so."""
    body = "open(out, 'w').write(str(n))"

    def with_n(n: int) -> Path:
        sketch = Sketch(name="s", body=body, declares="n = 1", keys={"parameters": {"n": n}})
        return write_pipeline(tmp_path, sketch)

    run_fake(with_n(1))
    run_fake(with_n(2))
    clean(tmp_path / "runs", keep=1, dry_run=False)
    assert plan(with_n(1))["s"].reasons == ("its result was removed by mlkit clean",)
    assert plan(with_n(3))["s"].reasons == ("parameter n: 2 → 3",)
    run_fake(with_n(1))
    assert plan(with_n(1))["s"].action == "reuse"


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A stage of a random pipeline, the stages before it by their numbers.

    `lists` are the values that it writes; if it maps, then over those of another stage, and a
    condition looks whether another one's list is empty.
    """

    lists: tuple[int, ...]
    over: int | None
    reads: tuple[int, ...]
    after: tuple[int, ...]
    when: int | None
    trigger: TriggerRule
    revision: int = 0

    def sketch(self, number: int, before: Sequence[Drawn]) -> Sketch:
        """The stage as it is written."""
        keys: dict[str, Any] = {"trigger": self.trigger.value, "parameters": {"v": [*self.lists]}}
        if self.over is not None:
            keys["foreach"] = {"x": f"s{self.over}.out"}
        if self.when is not None:
            keys["when"] = {f"s{self.when}.out": [[1], [1, 2]]}
        keys["after"] = [f"s{other}" for other in self.after]
        keys["inputs"] = {f"i{other}": f"s{other}.out" for other in self.reads}
        declared = [f"i{other}: str | list[str] | None = None" for other in self.reads]
        return Sketch(
            name=f"s{number}",
            body=f"import json\nopen(out, 'w').write(json.dumps(v))  # {self.revision}",
            declares="\n".join(["v: list[int] = []", "x = 1", *declared]),
            keys=keys,
        )


@st.composite
def drawn(draw: st.DrawFn) -> list[Drawn]:
    """Some stages, each of which may hang on those before it."""
    made: list[Drawn] = []
    for number in range(draw(st.integers(2, 5))):
        plain = [n for n, other in enumerate(made) if other.over is None]
        others = st.lists(st.integers(0, number - 1), unique=True, max_size=2)
        made.append(
            Drawn(
                lists=draw(st.sampled_from([(), (1,), (1, 2)])),
                over=draw(st.sampled_from([None, *plain])),
                reads=tuple(draw(others)) if number else (),
                after=tuple(draw(others)) if number else (),
                when=draw(st.sampled_from([None, None, *plain])),
                trigger=draw(st.sampled_from(TriggerRule)),
            )
        )
    return made


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn(), st.data())
def test_a_run_does_what_its_plan_is_sure_of(stages: list[Drawn], data: st.DataObject) -> None:
    """Whatever the rules, lists and conditions, before the first run and after edits."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(3):
            sketches = [stage.sketch(n, stages) for n, stage in enumerate(stages)]
            file = write_pipeline(Path(folder), *sketches)
            told, record = plan(file), run_fake(file)
            for key, status in ((k, item.status) for k, item in record.stages.items()):
                alike = (key, key.partition("[")[0], *(k for k in told if stage_of(k) == key))
                item = next(told[k] for k in alike if k in told)
                assert (Status.SUCCEEDED if status is Status.CACHED else status) in item.ends
                sure = {"run": Status.SUCCEEDED, "reuse": Status.CACHED}.get(item.action, status)
                assert status is sure, (key, item)
            assert all(key in record.stages for key, i in told.items() if i.action != "unknown")
            edited = data.draw(st.integers(0, len(stages) - 1))
            lists = data.draw(st.sampled_from([(), (1,), (1, 2)]))
            revision = stages[edited].revision + data.draw(st.integers(0, 1))
            stages[edited] = replace(stages[edited], lists=lists, revision=revision)


def test_who_reads_a_list_of_unknown_length_may_be_skipped(tmp_path: Path) -> None:
    """Until the list is there: whether anything is read at all hangs on it."""
    reads = "x = 1\ngot: list[str] = []"
    rules = ("all_success", "none_failed_min_one_success", "none_failed", "one_success")
    file = write_pipeline(
        tmp_path,
        Sketch(name="listing", body="open(out, 'w').write('[1]')"),
        Sketch(name="each", declares="x = 1", keys={"foreach": {"x": "listing.out"}}),
        *(
            Sketch(name=f"by_{rule}", declares=reads,
                   keys={"trigger": rule, "inputs": {"got": "each.out"}})
            for rule in rules
        ),
        Sketch(name="later", keys={"after": ["each"]}),
    )  # fmt: skip
    told = plan(file)
    assert {key: item.action for key, item in told.items()} == {
        "listing": "run",
        "each": "unknown",
        "by_all_success": "unknown",
        "by_none_failed_min_one_success": "unknown",
        "by_none_failed": "run",
        "by_one_success": "unknown",
        "later": "unknown",
    }
    assert told["later"].reasons == ("depends on whether each will be skipped",)
    run_fake(file)
    assert {item.action for item in plan(file).values()} == {"reuse"}


@pytest.mark.parametrize("text", ["not json", "[1, 1]"])
def test_who_depends_on_what_would_fail_would_not_start(tmp_path: Path, text: str) -> None:
    """And a stage that waits for a failure would run."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="listing", body=f"open(out, 'w').write({text!r})"),
        Sketch(name="each", declares="x = 1", keys={"foreach": {"x": "listing.out"}}),
        Sketch(name="later", keys={"after": ["each"]}),
        Sketch(name="alert", keys={"after": ["each"], "trigger": "one_failed"}),
    )
    run_fake(file)
    told = plan(file)
    assert told["each"].reasons[0].startswith("would fail: listing.out holds")
    assert told["later"].reasons == ("would not start: each would fail",)
    assert told["alert"].action == "reuse"
