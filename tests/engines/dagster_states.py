"""Run in Dagster's environment: ask its storage how the ops of a run ended."""

import json
import sys

from dagster import DagsterInstance


def _ask(run_id: str) -> dict[str, object]:
    steps: dict[str, str] = {}
    handed: dict[str, list[str]] = {}
    assets: dict[str, dict[str, str | None]] = {}
    checks: list[list[object]] = []
    with DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        for record in instance.all_logs(run_id):
            event = record.dagster_event
            if event is None:
                continue
            kind, step = event.event_type_value, str(event.step_key)
            if kind in ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED"):
                steps[step] = kind
            elif kind == "STEP_OUTPUT":
                handed.setdefault(step, []).append(event.step_output_data.output_name)
            elif kind == "ASSET_MATERIALIZATION":
                made = event.step_materialization_data.materialization
                name = "/".join(
                    [*made.asset_key.path, *([made.partition] if made.partition else [])]
                )
                assets[name] = dict(made.tags or {})
            elif kind == "ASSET_CHECK_EVALUATION":
                seen = event.event_specific_data
                checks.append([seen.check_name, "/".join(seen.asset_key.path), seen.passed])
    return {
        "status": run.status.value,
        "steps": {step: _state(step, kind, steps, handed) for step, kind in steps.items()},
        "assets": assets,
        "checks": checks,
    }


def _state(step: str, kind: str, steps: dict[str, str], handed: dict[str, list[str]]) -> str:
    """An op that hands on that its stage has failed, to another that fails in its place."""
    if kind != "STEP_SUCCESS":
        return {"STEP_FAILURE": "failed", "STEP_SKIPPED": "skipped"}[kind]
    name, bracket, key = step.partition("[")
    if steps.get(f"{name}_failed{bracket}{key}") == "STEP_FAILURE":
        return "failed"
    return "success" if handed.get(step) and "done" in handed[step] else "skipped"


if __name__ == "__main__":
    print(json.dumps(_ask(sys.argv[1])))  # noqa: T201 - it is a command
