"""Run in Prefect's environment: ask its API how the tasks of a flow run ended."""

import asyncio
import json
import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId


async def _ask(flow_run_id: str) -> dict[str, object]:
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    async with get_client() as client:
        flow_run = await client.read_flow_run(flow_run_id)
        runs = await client.read_task_runs(flow_run_filter=wanted, limit=200)
    return {
        "flow": [flow_run.state.type.value, flow_run.state.name],
        "parameters": flow_run.parameters,
        "tasks": {run.name: [run.state.type.value, run.state.name, run.run_count] for run in runs},
        "tags": sorted({tag for run in runs for tag in run.tags}),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_ask(sys.argv[1]))))  # noqa: T201 - it is a command
