"""`mlkit notify`: tell people how a stage of a run ended."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit.cli.options import (
    EnvFileOption,
    FilesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunsDirOption,
    layers_of,
    pipeline_path,
)
from mlkit.cli.output import print_json, say

__all__ = ["notify"]


def notify(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id, the start of one, or latest.")
    ],
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="STAGE or STAGE[VALUE].")],
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    env_file: EnvFileOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Tell the addresses in a stage's `notify` how the stage ended in a run.

    A run tells people by itself. On an engine its own callbacks do, and they call this: once when
    a stage has failed for good, once when it has succeeded. Exit code 1 if a message did not get
    through.

    \b
    Examples
      mlkit notify latest train
      mlkit notify 20260101-12 'train[xgboost]' notebooks/flights
    """
    from mlkit import api
    from mlkit.api.resuming import run_pipeline
    from mlkit.driver.telling import tell_end

    path = pipeline_path(pipeline)
    record = api.find_run(run, api.runs_folder(path, runs_dir))
    loaded = run_pipeline(record, path)
    configuration = api.configure(loaded, layers_of(assignments, files, env_file))
    told = tell_end(record, stage, configuration)
    if as_json:
        print_json({"run_id": record.run_id, "stage": stage, "told": told})
    for item in told:
        say(f"{item['scheme']}://…: {item['message']}")
    raise typer.Exit(0 if all(item["ok"] for item in told) else 1)
