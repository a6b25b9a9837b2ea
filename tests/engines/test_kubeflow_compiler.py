"""What a pipeline becomes for Kubeflow Pipelines: text, checked without kfp."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from mlkit import load_pipeline
from mlkit.core.outputs import Output
from mlkit.core.pipeline import Stage
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.kubeflow.branches import Branch
from mlkit.engines.kubeflow.compiler import compile_pipeline, cron_with_seconds
from mlkit.engines.kubeflow.layout import Fork, lay_out
from mlkit.engines.kubeflow.lineage import artifact_type, made_arguments, read_arguments
from mlkit.engines.kubeflow.names import kfp_name, make_names
from mlkit.engines.python_text import formatted
from mlkit.errors import UnsupportedByEngineError
from mlkit.testing import Sketch, branching, chain, mapped, write_pipeline
from mlkit.testing.engine_pipelines import chains, everything

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden" / "kubeflow"
SETTINGS = ExportSettings(
    mlkit=PurePosixPath("/opt/mlkit/bin/mlkit"),
    pipeline_file=PurePosixPath("/data/pipeline.yaml"),
    runs_dir=PurePosixPath("/data/runs"),
    parameters={"rows": 2000, "months": [1, 2]},
)


def placed(folder: Path) -> Path:
    """Images, resources, notifications, a stage that is not critical, triggers, one instance."""
    return write_pipeline(
        folder,
        Sketch(
            name="fit",
            keys={
                "resources": {
                    "cpu": "500m",
                    "memory": "4Gi",
                    "gpu": 1,
                    "node_selector": {"disk": "ssd"},
                },
                "retry": {"max_retries": 9, "delay": "1m", "backoff": 3, "max_delay": "2h"},
                "notify": {"on_failure": ["json://localhost/hook"]},
            },
        ),
        Sketch(name="aside", keys={"critical": False, "image": "registry/other:2"}),
        Sketch(
            name="each",
            declares='value: str = "a"',
            keys={"foreach": {"value": ["a", "b"]}, "after": ["fit"]},
        ),
        Sketch(name="one", declares='part: str = ""', keys={"inputs": {"part": "each[a].out"}}),
        Sketch(name="last", keys={"after": ["aside", "one"], "trigger": "all_done"}),
        defaults={"image": "registry/mlkit:1"},
    )


PIPELINES: dict[str, Callable[[Path], Path]] = {
    "everything": everything,
    "chains": chains,
    "placed": placed,
    "flights": lambda _: ROOT / "notebooks" / "flights" / "pipeline.yaml",
}


def compiled(file: Path, **settings: Any) -> Export:
    """A pipeline's files."""
    pipeline = load_pipeline(file)
    return compile_pipeline(pipeline, SETTINGS if not settings else settings["settings"])


def main_text(file: Path) -> str:
    """The compiled file, with the pipeline's folder called /data."""
    made = compiled(file)
    return made.files[made.entry].replace(str(file.parent.parent), "/data")


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_the_file_is_the_golden_one(tmp_path: Path, name: str) -> None:
    """Byte for byte, twice; MLKIT_GOLDEN=write writes it anew, to be read before it is kept."""
    file = PIPELINES[name](tmp_path / "pipeline")
    text = main_text(file)
    golden = GOLDEN / f"{name}_pipeline.py.txt"
    if os.environ.get("MLKIT_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()
    assert text == main_text(file)


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_every_file_is_formatted_and_clean(tmp_path: Path, name: str) -> None:
    """Black would change nothing, and there is no unused or undefined name."""
    made = compiled(PIPELINES[name](tmp_path / "pipeline"))
    folder = tmp_path / "made"
    folder.mkdir()
    for file, text in made.files.items():
        (folder / file).write_text(text)
        assert not file.endswith(".py") or formatted(text) == text
    ruff = [sys.executable, "-m", "ruff"]
    words = ["check", "--isolated", "--no-cache", "--select", "E,F,W,B", "--ignore", "E501,B006"]
    done = subprocess.run([*ruff, *words, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_component_without_an_image_names_the_python_of_the_dockerfile(tmp_path: Path) -> None:
    """The one that mlkit's image, its locks and the engine's environment are made for."""
    text = main_text(chain(tmp_path / "pipeline"))
    named = set(re.findall(r'base_image="python:([\d.]+)-slim"', text))
    (wanted,) = re.findall(r"^ARG PYTHON=(.+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    assert {version.rpartition(".")[0] for version in named} == {wanted}


def test_the_file_needs_kfp_and_the_standard_library_only(tmp_path: Path) -> None:
    """Nothing of mlkit is imported there."""
    tree = ast.parse(main_text(everything(tmp_path / "pipeline")))
    names = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names - set(sys.stdlib_module_names) == {"kfp"}


def test_a_branch_holds_what_is_skipped_with_it(tmp_path: Path) -> None:
    """And the join stands in the open."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="gate", file="gate.json"),
        Sketch(name="yes", keys={"when": {"gate.out": "yes"}}),
        Sketch(name="more", upstream=("yes",)),
        Sketch(name="no", keys={"when": {"gate.out": "no"}}),
        Sketch(name="join", upstream=("more", "no"), keys={"trigger": "none_failed"}),
    )
    layout = lay_out(load_pipeline(file))
    fork = Fork(name="gate.out", branches={"yes": ("yes", "more"), "no": ("no",)})
    assert layout.blocks == ("gate", fork, "join")
    assert layout.paths["more"] == (Branch(fork="gate.out", answer="yes"),)
    assert (layout.sees("more", "gate"), layout.sees("join", "more")) == (True, False)


def test_a_branch_waits_for_no_more_than_it_asks(tmp_path: Path) -> None:
    """Kfp would hold back the whole branch for what one stage in it needs."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="slow"),
        Sketch(name="gate", file="gate.json"),
        Sketch(name="yes", keys={"when": {"gate.out": "yes"}}),
        Sketch(name="more", upstream=("yes", "slow")),
        Sketch(name="also", upstream=("slow",), keys={"when": {"gate.out": "yes"}}),
    )
    layout = lay_out(load_pipeline(file))
    assert "dsl.Else()" in main_text(file), "kfp allows waiting for a fork with all its ways only"
    alone = (Branch(fork="also", answer="yes"),)
    assert (layout.paths["more"], layout.paths["also"]) == ((), alone)
    assert layout.paths["yes"] == (Branch(fork="gate.out", answer="yes"),)


def test_branches_that_wait_for_each_other_are_taken_apart(tmp_path: Path) -> None:
    """`no` waits for the join of `yes`, though both ask the same."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="gate", file="gate.json"),
        Sketch(name="yes", keys={"when": {"gate.out": "yes"}}),
        Sketch(name="join", upstream=("yes",), keys={"trigger": "none_failed"}),
        Sketch(name="no", upstream=("join",), keys={"when": {"gate.out": "no"}}),
    )
    layout = lay_out(load_pipeline(file))
    assert [block.name if isinstance(block, Fork) else block for block in layout.blocks] == [
        *("gate", "gate.out", "join", "no")
    ]


def test_a_condition_that_kfp_cannot_ask_is_left_to_mlkit(tmp_path: Path) -> None:
    """Under a trigger rule that lets the stage start all the same, no branch skips it."""
    file = write_pipeline(
        tmp_path,
        Sketch(name="gate", file="gate.json"),
        Sketch(name="yes", keys={"when": {"gate.out": "yes"}, "trigger": "none_failed"}),
    )
    text = main_text(file)
    assert "dsl.If" not in text
    assert "yes_task.after(gate_task)" in text


def test_a_branch_that_nothing_joins_needs_no_other(tmp_path: Path) -> None:
    """`dsl.Else` and `dsl.OneOf` stand only where something follows."""
    joined = main_text(branching(tmp_path / "a" / "pipeline"))
    assert ("dsl.OneOf(" in joined, "dsl.Else()" in joined) == (True, True)
    file = write_pipeline(
        tmp_path / "b" / "pipeline",
        Sketch(name="gate", file="gate.json"),
        Sketch(name="yes", keys={"when": {"gate.out": "yes"}}),
    )
    text = main_text(file)
    assert ("dsl.If(" in text, "dsl.Else()" in text) == (True, False)


@pytest.mark.parametrize(
    ("keys", "fact"),
    [
        ({"retry": {"max_retries": 1, "backoff": 1.5}}, "whole factors"),
        ({"resources": {"memory": "1.5Gi"}}, "whole number with K, M, G"),
        ({"resources": {"cpu": "2k"}}, "cores or thousandths"),
        (
            {"wait_for": {"path": "x"}, "trigger": "all_done", "after": ["first"]},
            "'wait_for' under the trigger all_done",
        ),
    ],
)
def test_what_kfp_cannot_express_is_refused(
    tmp_path: Path, keys: dict[str, Any], fact: str
) -> None:
    """With the stage, its line and what to write instead."""
    file = write_pipeline(tmp_path, Sketch(name="first"), Sketch(name="odd", keys=keys))
    with pytest.raises(UnsupportedByEngineError) as caught:
        compiled(file)
    assert caught.value.message.startswith("Kubeflow Pipelines cannot express stage 'odd': ")
    assert fact in caught.value.message
    assert (caught.value.line, bool(caught.value.remedy)) == (
        load_pipeline(file).stages["odd"].line,
        True,
    )


def test_a_loop_over_what_may_be_missing_is_refused(tmp_path: Path) -> None:
    """Its list is read before the loop, so that it has to be there."""
    each = Sketch(
        name="each",
        declares='value: str = ""',
        keys={"foreach": {"value": "first.out"}, "trigger": "all_done"},
    )
    file = write_pipeline(tmp_path, Sketch(name="first", file="list.json"), each)
    with pytest.raises(UnsupportedByEngineError, match=r"'foreach' over first\.out"):
        compiled(file)


def test_a_loop_over_a_list_of_another_branch_is_refused(tmp_path: Path) -> None:
    """Kfp hands values out of a branch by `dsl.OneOf` only."""
    each = Sketch(
        name="each",
        declares='value: str = ""',
        keys={"foreach": {"value": "yes.out"}, "trigger": "none_failed"},
    )
    yes = Sketch(name="yes", file="list.json", keys={"when": {"gate.out": "yes"}})
    file = write_pipeline(tmp_path, Sketch(name="gate", file="gate.json"), yes, each)
    with pytest.raises(UnsupportedByEngineError, match="in a branch that 'each' is not in"):
        compiled(file)


@pytest.mark.parametrize(
    ("cron", "six"),
    [
        ("0 2 * * *", "0 0 2 * * *"),
        ("*/5 * * * 7", "0 */5 * * * 0"),
        ("0 9 * * 1-5", "0 0 9 * * 1-5"),
        ("0 9 * * 5-7", "0 0 9 * * 0,5,6"),
        ("0 9 * * mon-7/2", "0 0 9 * * 0,1,3,5"),
        ("0 9 1,15 * fri", "0 0 9 1,15 * fri"),
        ("@weekly", "0 0 0 * * 0"),
    ],
)
def test_a_schedule_gets_seconds_and_sunday_is_zero(cron: str, six: str) -> None:
    """As the cluster's scheduler reads it."""
    assert cron_with_seconds(cron) == six


def test_a_schedule_makes_the_settings_of_a_recurring_run(tmp_path: Path) -> None:
    """Without a schedule there is no such file."""
    with_schedule = compiled(chain(tmp_path / "a", schedule="0 2 * * *"))
    assert '"cron_expression": "0 0 2 * * *"' in with_schedule.files["recurring-run.json"]
    assert "recurring-run.json" not in compiled(chain(tmp_path / "b")).files


def test_a_scheduled_run_tells_stages_that_ask_for_which_interval(tmp_path: Path) -> None:
    """Kfp names the time at which the schedule fired; mlkit works out the interval."""
    dated = Sketch(name="dated", declares='logical_date: str = ""')
    with_schedule = main_text(write_pipeline(tmp_path / "a" / "p", dated, schedule="@daily"))
    assert '"scheduled_at": dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,' in with_schedule
    without = main_text(write_pipeline(tmp_path / "b" / "p", dated))
    assert "SCHEDULE_TIME" not in without


def test_names_are_free_of_each_other() -> None:
    """Stages named like Python's words, like each other's variables, or with dashes."""
    stages = ["class", "a-b", "a_b", "a", "a_task", "list", "run", "read_value"]
    names = make_names("my-pipe", stages, {"read_value"})
    made = [*names.components.values(), *names.tasks.values(), names.function]
    assert len(set(made)) == len(made)
    assert all(name.isidentifier() for name in made)
    assert not {"class", "list", "run", "read_value"} & set(made)
    assert (kfp_name("Été 2024!"), kfp_name("***")) == ("t-2024", "pipeline")


def test_values_of_every_type_are_named_as_mlkit_names_them(tmp_path: Path) -> None:
    """The items of a loop are instances, ready for `--only`."""
    assert '["each[1.0]", "each[2.5]"]' in main_text(mapped(tmp_path / "f", (1.0, 2.5)))
    assert '["each[true]", "each[false]"]' in main_text(mapped(tmp_path / "b", (True, False)))


@pytest.mark.parametrize(
    ("output", "file", "kind"),
    [
        ("metrics", "metrics.json", "Metrics"),
        ("scores", "scores.json", "Metrics"),  # named under `metrics`
        ("metrics", "metrics.csv", "Dataset"),
        ("other", "other.json", "Dataset"),
        ("fitted", "Fitted.JOBLIB?", "Model"),
        ("net", "deep/net.pkl.gz", "Model"),
        ("model", "weights.bin", "Model"),
        ("best", "model/", "Model"),
        ("table", "table.csv.gz", "Dataset"),
        ("parts", "parts/", "Dataset"),
        ("page", "page.html", "Artifact"),
        ("model", "@notebook.html", "Artifact"),
        ("plain", "plain", "Artifact"),
    ],
)
def test_a_plain_rule_says_what_an_output_is(output: str, file: str, kind: str) -> None:
    """By the output's name and by how its file ends."""
    outputs = {output: Output.of(file)}
    metrics = {"auc": "scores.auc"}
    stage = Stage(name="s", notebook=Path("s.ipynb"), outputs=outputs, metrics=metrics)
    assert artifact_type(stage, output) == kind


def test_the_arguments_of_artifacts_are_free(tmp_path: Path) -> None:
    """A stage may call its inputs and outputs as it likes."""
    inputs = {"a_artifact": "first.out", "x": "first.out", "read_x": "first.out"}
    declares = "\n".join(f"{name}: str = ''" for name in inputs)
    odd = Sketch(name="odd", declares=declares, keys={"inputs": inputs, "outputs": {"a": "a.csv"}})
    stage = load_pipeline(write_pipeline(tmp_path, Sketch(name="first"), odd)).stages["odd"]
    read, made = read_arguments(stage, list(inputs)), made_arguments(stage)
    every = [*read.values(), *made.values(), *inputs, *stage.outputs]
    assert len(set(every)) == len(every) == 10
    assert (read["a_artifact"], made["a"]) == ("read_a_artifact", "a_artifact_")
