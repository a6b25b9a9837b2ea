"""What stands beside Dagster definitions, without Dagster."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.engines.carried import loaded, speaking_mlkit

MODULE = loaded("dagster", "mlkit_dagster")


def context(retry_number: int = 0) -> Any:
    """What Dagster tells an op of itself."""
    return SimpleNamespace(
        run_id="dagsters-own",
        retry_number=retry_number,
        op_handle=SimpleNamespace(name="s"),
        op_def=SimpleNamespace(name="s"),
        get_mapping_key=lambda: None,
        log=MagicMock(),
        log_event=MagicMock(),
        has_partition_key=False,
    )


def resource(program: Path) -> Any:
    """The resource, as Dagster would hand it to an op."""
    made = MODULE.Mlkit()
    made.command, made.pipeline, made.runs_dir = str(program), "p.yaml", str(program.parent)
    made.run_id = "mlkits"
    return made


def ended(folder: Path, code: int, document: Any, *, retry_number: int = 0, **facts: Any) -> Any:
    """The names of what an op hands on, or what it raises."""
    program = speaking_mlkit(folder, code, json.dumps(document))
    stage = MODULE.Stage(name="s", **facts)
    MODULE.Output.side_effect = lambda _, name, **more: name
    try:
        return list(resource(program).run_stage(context(retry_number), stage))
    except (MODULE.Failure, MODULE.RetryRequested) as error:
        return type(error).__name__, *error.args, error.named


def said(status: str, **error: Any) -> Any:
    """Mlkit's answer for one stage."""
    told = {"type": "E", "message": "m", **error} if status == "failed" else None
    return {"stages": {"s": {"status": status, "error": told, "reason": "why", "outputs": {}}}}


FAILED = ("Failure", "s: E: m", {"allow_retries": False})


@pytest.mark.parametrize(
    ("code", "document", "facts", "expected"),
    [
        (0, said("succeeded"), {}, ["done"]),
        (0, said("cached"), {"goes_on": True}, ["done", "ended"]),
        (99, said("skipped"), {}, []),
        (99, said("skipped"), {"goes_on": True}, ["ended"]),
        (1, said("upstream_failed"), {}, []),
        (1, said("upstream_failed"), {"goes_on": True}, ["ended"]),
        (1, said("failed"), {}, FAILED),
        (1, said("failed"), {"goes_on": True}, ["ended", "failed"]),
        (1, said("failed"), {"critical": False}, []),
        (1, said("failed"), {"critical": False, "goes_on": True}, ["ended"]),
        (2, {"error": {"type": "E", "message": "m"}}, {"goes_on": True}, FAILED),
    ],
)
def test_an_op_ends_as_mlkit_says(
    tmp_path: Path, code: int, document: Any, facts: Any, expected: Any
) -> None:
    """A mistake in the call fails it in any case: nothing may go on behind that."""
    assert ended(tmp_path, code, document, **facts) == expected


@pytest.mark.parametrize(
    ("retry_number", "retryable", "expected"),
    [
        (0, True, ("RetryRequested", {"max_retries": 2, "seconds_to_wait": 1.0})),
        (1, True, ("RetryRequested", {"max_retries": 2, "seconds_to_wait": 3.0})),
        (2, True, FAILED),
        (0, False, FAILED),
    ],
)
def test_an_op_asks_for_another_try(
    tmp_path: Path, retry_number: int, retryable: Any, expected: Any
) -> None:
    """As often, and as late, as the stage's policy says."""
    retries = MODULE.Retries(most=2, delay_s=1.0, backoff=3.0, jitter=False)
    document = said("failed", retryable=retryable)
    found = ended(tmp_path, 1, document, retry_number=retry_number, retries=retries)
    assert found == expected


def test_delays_have_an_end_and_are_drawn() -> None:
    """Between half of their length and all of it."""
    retries = MODULE.Retries(most=9, delay_s=2.0, backoff=2.0, max_delay_s=5.0)
    for place, whole in enumerate((2.0, 4.0, 5.0, 5.0)):
        assert all(whole / 2 <= retries.delay(place) <= whole for _ in range(50))


def test_mlkit_is_called_with_the_runs_ids_and_parameters(tmp_path: Path) -> None:
    """Its own run, and Dagster's beside it."""
    program = speaking_mlkit(tmp_path, 0, json.dumps(said("succeeded")))
    mlkit = resource(program)
    mlkit.options, mlkit.parameters = ["--verify"], {"rows": "7"}
    list(mlkit.run_stage(context(), MODULE.Stage(name="s", waited=True), "a b"))
    called = json.loads((tmp_path / "called.json").read_text())
    assert called["words"] == [
        *("run", "p.yaml", "--only", "s[a b]", "--run-id", "mlkits", "--verify"),
        *("-p", "rows:=7", "--runs-dir", str(tmp_path), "--json"),
    ]
    assert called["environ"]["MLKIT_ENGINE"] == "dagster"
    assert called["environ"]["MLKIT_ENGINE_RUN_ID"] == "dagsters-own"
    assert called["environ"]["MLKIT_ENGINE_WAITED"] == "1"


def test_a_partition_is_the_interval_of_the_run(tmp_path: Path) -> None:
    """Told as a moment; mlkit writes it on the schedule's clock."""
    made, known = resource(speaking_mlkit(tmp_path, 99, json.dumps(said("skipped")))), context()
    made.takes_logical_date, known.has_partition_key = True, True
    start = dt.datetime(2013, 1, 2, tzinfo=dt.UTC)
    known.partition_time_window = SimpleNamespace(start=start)
    list(made.run_stage(known, MODULE.Stage(name="s")))
    told = json.loads((tmp_path / "called.json").read_text())
    assert told["environ"]["MLKIT_ENGINE_INTERVAL"] == "2013-01-02T00:00:00+00:00"


def test_keys_of_a_map_are_what_dagster_takes() -> None:
    """Letters, digits and `_`, each once; the values themselves are handed on."""
    MODULE.DynamicOutput.side_effect = lambda text, mapping_key: (text, mapping_key)
    texts = ["a b", "a,b", "ä", "", "a_b", "x" * 300]
    handed = list(MODULE.mapped(texts))
    keys = [key for _, key in handed]
    assert [text for text, _ in handed] == texts
    assert len(set(keys)) == len(keys)
    assert all(key.replace("_", "a").isalnum() and key.isascii() for key in keys)


@pytest.mark.parametrize("found", [None, "a", 7, {"a": 1}, [["a"]]])
def test_where_there_is_no_list_the_stage_is_called_as_a_whole(tmp_path: Path, found: Any) -> None:
    """By its own op, which waits for all that is upstream; no partition is made of it."""
    MODULE.DynamicOutput.side_effect = lambda text, mapping_key: (text, mapping_key)
    program = speaking_mlkit(tmp_path, 0, json.dumps({"value": found}))
    handed = list(resource(program).values(context(), "s", "list.out"))
    assert [text for text, _ in handed] == [MODULE.NO_VALUE]
    assert MODULE.label(MODULE.NO_VALUE) != MODULE.NO_VALUE
    program = speaking_mlkit(tmp_path, 0, json.dumps(said("succeeded")))
    list(resource(program).run_stage(context(), MODULE.Stage(name="s"), MODULE.NO_VALUE))
    called = json.loads((tmp_path / "called.json").read_text())
    assert called["words"][2:4] == ["--only", "s"]


def test_a_branch_follows_a_value_strictly() -> None:
    """1 is neither true nor 1.0."""
    MODULE.Output.side_effect = lambda _, name: name
    choices = {"yes": [True, "yes"], "one": [1], "other": [1.0, None]}
    followed = {repr(found): list(MODULE.chosen(found, choices)) for found in (True, 1, 1.0, None)}
    assert followed == {"True": ["yes"], "1": ["one"], "1.0": ["other"], "None": ["other"]}


@pytest.mark.parametrize(
    ("item", "text"),
    [("a", "a"), ("a,b", '"a,b"'), (" a", '" a"'), (1, "1"), (0.5, "0.5"), (True, "true")],
)
def test_a_value_is_written_as_in_ids(item: Any, text: str) -> None:
    """What means something between the brackets is quoted."""
    assert MODULE.label(item) == text


def test_a_partition_holds_nothing_that_dagster_refuses() -> None:
    """Neither `...` nor a line break."""
    assert MODULE.partition("a...b\nc") == "a…b\\nc"
