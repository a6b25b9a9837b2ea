"""`mlkit notify`: tell people how a stage of a run ended."""

from __future__ import annotations

from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import print_json, say
from mlkit.cli.run_options import layers_of
from mlkit.cli.shared_options import (
    EnvFileOption,
    FilesOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunArgument,
    RunsDirOption,
)
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.driver.telling import tell_end

__all__ = ["notify"]


def notify(
    run: RunArgument,
    stage: Annotated[
        str,
        typer.Argument(
            metavar="STAGE", help="STAGE or STAGE[VALUE].", autocompletion=candidates.stages
        ),
    ],
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    files: FilesOption = None,
    env_file: EnvFileOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Tell people how a stage of a run ended; an engine's callbacks call it.

    The addresses are those in the stage's `notify`. A run tells people by itself. On an engine its
    own callbacks do, and they call this: once when a stage has failed for good, once when it has
    succeeded. Exit code 1 if a message did not get through.

    \b
    Examples
      mlkit notify latest train
      mlkit notify 20260101-12 'train[xgboost]' notebooks/flights
    """
    path = pipeline_path(pipeline)
    record = api.find_run(run, api.runs_folder(path, runs_dir))
    loaded = api.run_pipeline(record, path)
    configuration = api.configure(loaded, layers_of(assignments, files, env_file))
    told = tell_end(record, stage, configuration)
    if as_json:
        print_json({"run_id": record.run_id, "stage": stage, "told": told})
    for item in told:
        say(f"{item['scheme']}://…: {item['message']}")
    raise typer.Exit(0 if all(item["ok"] for item in told) else 1)
