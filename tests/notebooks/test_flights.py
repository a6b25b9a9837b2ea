"""The flights pipeline, run for real: its results, its branches, its reproducibility."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.notebooks.conftest import NOTEBOOKS, Outcome, copy_flights, run

pytestmark = pytest.mark.kernel

STAGES = YAML(typ="safe").load((NOTEBOOKS / "flights" / "pipeline.yaml").read_text())["stages"]
MODELS = STAGES["train"]["foreach"]["model"]
AFTER_THE_GATE = ("register", "deploy", "alert", "finish")


def test_every_stage_of_the_good_branch_runs(first: Outcome) -> None:
    """And the other branch is skipped."""
    assert first.exit_code == 0, first.text
    instances = [name for name in STAGES if name not in ("train", "alert")]
    instances += [f"train[{model}]" for model in MODELS]
    assert set(first.stages) == {*instances, "alert"}
    assert set(first.statuses(*instances)) == {"succeeded"}
    assert first.statuses("alert") == ["skipped"]


def test_the_summary_says_what_came_of_it(first: Outcome) -> None:
    """Score, base rate, chosen model, version, and the server's check."""
    summary = first.read("finish", "summary")
    metrics = first.read("evaluate", "metrics")
    assert summary["roc_auc"] == metrics["roc_auc"] > 0.6
    assert summary["base_rate"] == metrics["base_rate"]
    assert summary["chosen_model"] in {*MODELS, "tuned_xgboost"}
    assert (summary["registered_name"], summary["registered_version"]) == ("flights", 1)
    assert summary["served_check_passed"] is True


def test_the_choice_is_made_on_validation_and_reported_on_later_flights(first: Outcome) -> None:
    """The chosen candidate has the best validation score, and the test part lies after it."""
    metrics = first.read("evaluate", "metrics")
    best = max(metrics["candidates"], key=lambda candidate: candidate["roc_auc"])
    assert metrics["chosen_model"] == best["model"]
    assert [c["model"] for c in metrics["candidates"]] == [*MODELS, "tuned_xgboost"]
    parts = metrics["parts"]
    assert parts["train"]["last_day"] < parts["validation"]["first_day"]
    assert parts["validation"]["last_day"] < parts["test"]["first_day"]


@pytest.mark.long
def test_a_run_elsewhere_with_stock_kernels_writes_the_same_bytes(
    first: Outcome, tmp_path: Path
) -> None:
    """Every artifact of every stage before the registry, models and pictures included."""
    other = run(copy_flights(tmp_path / "elsewhere"), "--start", "spawn", "--until", "gate")
    assert other.exit_code == 0, other.text
    mine, others = (
        {k: v for k, v in outcome.digests().items() if k.split(".")[0] not in AFTER_THE_GATE}
        for outcome in (first, other)
    )
    assert others == mine
    assert len(mine) > 25


def test_a_second_run_reuses_all_but_what_looks_at_the_registry(
    first: Outcome, flights: Path
) -> None:
    """The champion is the candidate now; no second version is made, and nothing served again."""
    assert first.exit_code == 0
    second = run(flights)
    assert second.exit_code == 0, second.text
    ran = {name for name, stage in second.stages.items() if stage["status"] == "succeeded"}
    assert ran == {"champion", "gate", "register", "finish"}
    assert second.read("champion", "champion")["version"] == 1
    assert second.read("register", "registered") == first.read("register", "registered")
    detail = second.read("gate", "reasons")["verdicts"][-1]["detail"]
    assert detail == "it is the champion, version 1"
    logs = {path: path.read_text() for path in flights.glob("runs/*/*/attempts/*/log.txt")}
    assert len(logs) > 15
    assert [path for path, text in logs.items() if "stock kernel" in text] == []


def test_a_refused_candidate_alerts_and_is_not_registered(first: Outcome, flights: Path) -> None:
    """Without an address the alert stands in the log, which says so."""
    assert first.exit_code == 0
    refused = run(flights, "gate.min_roc_auc=0.99")
    assert refused.exit_code == 0, refused.text
    assert refused.statuses("register", "deploy") == ["skipped", "skipped"]
    assert refused.statuses("alert", "finish") == ["succeeded", "succeeded"]
    assert refused.read("alert", "alert")["sent"] is False
    run_folder = Path(refused.stages["alert"]["outputs"]["alert"]).parent
    log = "".join(file.read_text() for file in run_folder.glob("attempts/*/log.txt"))
    assert "not met: roc_auc is at least 0.99" in log
    assert "No alert_url is set: the alert stands in this log only." in log
    summary = refused.read("finish", "summary")
    assert summary["decision"] == "alert"
    assert summary["registered_version"] is None
