"""What an engine cannot express is refused with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlkit import load_pipeline
from mlkit.api.exports import export
from mlkit.engines.refusals import Refusal, refuse
from mlkit.engines.registry import ENGINES
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import Sketch, mapped, product, write_pipeline
from tests.engines.constructs import in_image

AIRFLOW = ENGINES["airflow"]


def test_a_refusal_names_the_stage_its_line_and_the_remedy(tmp_path: Path) -> None:
    """One sentence that can be acted on; the first of several."""
    pipeline = load_pipeline(mapped(tmp_path))
    stage = pipeline.stages["all"]
    odd = Refusal(stage=stage, fact="it is too odd", remedy="Write it otherwise")
    whole = Refusal(stage=None, fact="it is too large", remedy="Write less")
    with pytest.raises(UnsupportedByEngineError) as caught:
        refuse(AIRFLOW, pipeline, [odd, whole])
    error = caught.value
    assert (error.line, error.remedy, error.exit_code) == (stage.line, "Write it otherwise", 2)
    assert error.message == "Airflow cannot express stage 'all': it is too odd"
    with pytest.raises(UnsupportedByEngineError, match="this pipeline: it is too large"):
        refuse(AIRFLOW, pipeline, [whole])


def test_nothing_to_refuse_is_no_error(tmp_path: Path) -> None:
    """The usual case."""
    refuse(AIRFLOW, load_pipeline(mapped(tmp_path)), [])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stage_that_depends_on_its_past_goes_to_airflow_alone(
    tmp_path: Path, engine: str
) -> None:
    """Its scheduler knows of the interval before; elsewhere it is refused, with the line."""
    load = Sketch(name="load", keys={"depends_on_past": True})
    file = write_pipeline(tmp_path, Sketch(name="free"), load, schedule="0 2 * * *")
    if ENGINES[engine].knows_the_past:
        made = export(file, engine)
        assert made.files[made.entry].count("depends_on_past=True") == 1
        return
    said = "stage 'load': 'depends_on_past'"
    with pytest.raises(UnsupportedByEngineError, match=said) as caught:
        export(file, engine)
    assert caught.value.line == load_pipeline(file).stages["load"].line


@pytest.mark.parametrize("engine", ENGINES)
def test_maps_that_no_export_expresses_are_refused(tmp_path: Path, engine: str) -> None:
    """With the stage's line and the remedy, before a file is written."""
    lists = {"foreach": {"a": [1, 2], "b": "top.out"}}
    grid = write_pipeline(
        tmp_path / "grid",
        Sketch(name="top"),
        Sketch(name="g", declares="a = 1\nb = 1", keys=lists),
    )
    with pytest.raises(UnsupportedByEngineError) as caught:
        export(grid, engine)
    assert caught.value.line == 7
    assert "stage 'g': it maps over a and b, and one of the lists stands in an" in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "most", "made"),
    [
        ("airflow", 250, "{}.py"),
        ("argo", 52, "{}-workflow.yaml"),
        ("dagster", 200, "{}_definitions.py"),
        ("kubeflow", 128, "{}_pipeline.py"),
        ("prefect", 247, "{}_flow.py"),
        ("stepfunctions", 80, "{}.asl.json"),
    ],
)
def test_a_name_is_as_long_as_the_engine_takes(
    tmp_path: Path, engine: str, most: int, made: str
) -> None:
    """One character more is refused; the engine, or the disk, would say so later."""

    def called(name: str) -> Path:
        file = write_pipeline(tmp_path / name, Sketch(name="a"), name=name)
        return in_image(file) if engine == "argo" else file

    name = "n" * most
    assert export(called(name), engine).entry == made.format(name)
    longer = called(f"{name}n")
    with pytest.raises(UnsupportedByEngineError, match=r"this pipeline: .* are the most") as caught:
        export(longer, engine)
    assert (caught.value.remedy, caught.value.exit_code) == ("Shorten 'name'", 2)


def test_a_stage_is_called_as_long_as_a_cluster_takes(tmp_path: Path) -> None:
    """Argo's task is called after it, and a bit longer."""
    export(write_pipeline(tmp_path / "a", Sketch(name="s" * 116)), "kubeflow")
    longer = write_pipeline(tmp_path / "b", Sketch(name="a"), Sketch(name="s" * 117))
    with pytest.raises(UnsupportedByEngineError, match="with 117 characters, and 116") as caught:
        export(longer, "kubeflow")
    assert caught.value.line == load_pipeline(longer).stages["s" * 117].line


def _chained(folder: Path, first: str, over: Any) -> Path:
    lists = {"foreach": {"m": over}}
    return write_pipeline(
        folder,
        Sketch(name="top", file="top.json"),
        Sketch(name=first, declares="m = 'a'", keys=lists),
        Sketch(name="last", declares="m = 'a'", keys={**lists, "after": [f"{first}[m]"]}),
    )


@pytest.mark.parametrize(
    ("longest", "over", "most"),
    [
        (149, ["v" * 120, "w"], 250),  # STAGE.VALUE, of whose value a hundred characters stand
        (194, "top.out", 200),  # the group each_STAGE
    ],
)
def test_what_airflow_makes_of_names_is_as_long_as_it_takes(
    tmp_path: Path, longest: int, over: Any, most: int
) -> None:
    """Tasks and groups that are called after a stage and something beside it."""
    export(_chained(tmp_path / "a", "s" * longest, over), "airflow")
    longer = _chained(tmp_path / "b", "s" * (longest + 2), over)
    with pytest.raises(UnsupportedByEngineError, match=f"and {most} are the most") as caught:
        export(longer, "airflow")
    assert caught.value.line == load_pipeline(longer).stages["s" * (longest + 2)].line


def test_the_branch_of_a_long_name_is_told_with_the_stage_that_it_asks(tmp_path: Path) -> None:
    """It is called STAGE.OUTPUT."""
    output = "o" * 150
    asked = Sketch(name="a" * 100, keys={"outputs": {output: "asked.json"}})
    reader = Sketch(name="b", keys={"when": {f"{asked.name}.{output}": True}})
    file = write_pipeline(tmp_path, asked, reader)
    with pytest.raises(UnsupportedByEngineError, match="251 characters, and 250") as caught:
        export(file, "airflow")
    assert caught.value.line == load_pipeline(file).stages[asked.name].line


_OVER = {"foreach": {"a": "top.out"}}


@pytest.mark.parametrize("engine", ["airflow", "argo", "dagster", "kubeflow", "stepfunctions"])
@pytest.mark.parametrize(
    ("keys", "fact"),
    [
        ({"after": ["g[a]", "g"]}, "waits for 'g' as a whole"),
        ({"after": ["g[a]"], "wait_for": {"path": "x"}}, "'wait_for', in a chain"),
    ],
)
def test_what_one_loop_cannot_do_is_refused(
    tmp_path: Path, engine: str, keys: dict[str, Any], fact: str
) -> None:
    """They run all values of a list in an artifact by one construct."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="top"),
        Sketch(name="g", declares="a = 1", keys=_OVER),
        Sketch(name="h", declares="a = 1", keys={**_OVER, **keys}),
    )
    file = in_image(file) if engine == "argo" else file
    with pytest.raises(UnsupportedByEngineError, match=fact) as caught:
        export(file, engine)
    assert caught.value.line == load_pipeline(file).stages["h"].line
    if "wait_for" not in keys:
        export(file, "prefect")


def test_what_stands_between_two_stages_of_a_loop_is_refused_where_a_loop_is_whole(
    tmp_path: Path,
) -> None:
    """What waits for a loop cannot be waited for in it; Airflow knows each task."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="top"),
        Sketch(name="g", declares="a = 1", keys=_OVER),
        Sketch(name="between", keys={"after": ["g"]}),
        Sketch(name="h", declares="a = 1", keys={**_OVER, "after": ["g[a]", "between"]}),
    )
    export(file, "airflow")
    for engine in ("dagster", "kubeflow", "stepfunctions", "argo"):
        file = in_image(file) if engine == "argo" else file
        with pytest.raises(UnsupportedByEngineError, match="'h': it waits for 'between'"):
            export(file, engine)


@pytest.mark.parametrize(
    ("engine", "keys", "fact"),
    [
        ("prefect", {"wait_for": {"path": "x"}}, "waits for its own upstream, and all for one"),
        ("kubeflow", {"when": {"top.out": ["go", "on"]}}, "one of them stands behind a condition"),
    ],
)
def test_what_the_stages_of_a_chain_have_in_common(
    tmp_path: Path, engine: str, keys: dict[str, Any], fact: str
) -> None:
    """Prefect has one task for a file, kfp one loop in one branch; the stage is named."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="top"),
        Sketch(name="g", declares="a = 1", keys=_OVER),
        Sketch(name="h", declares="a = 1", keys={**_OVER, "after": ["g[a]"], **keys}),
    )
    with pytest.raises(UnsupportedByEngineError, match=fact):
        export(file, engine)


@pytest.mark.parametrize("trigger", ["one_success", "one_failed", "all_failed", "always"])
def test_rules_that_a_mapped_group_cannot_keep_are_refused(tmp_path: Path, trigger: str) -> None:
    """The task that reads the list would count among their upstream."""
    keys = {**_OVER, "after": ["g[a]"], "trigger": trigger}
    file = write_pipeline(
        tmp_path,
        Sketch(name="top"),
        Sketch(name="g", declares="a = 1", keys=_OVER),
        Sketch(name="h", declares="a = 1", keys=keys),
    )
    with pytest.raises(UnsupportedByEngineError, match=f"'h': the trigger {trigger}, in a chain"):
        export(file, "airflow")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_product_is_one_task_for_each_combination(tmp_path: Path, engine: str) -> None:
    """With both values in its brackets."""
    made = export(in_image(product(tmp_path), engine), engine)
    text = made.files[made.entry]
    for label in ("a,1", "a,2", "b,c"):
        assert label in text
