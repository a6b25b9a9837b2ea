"""`mlkit promote`: make a run the one that `latest` shows."""

from __future__ import annotations

import typer

from mlkit import api
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption, PipelineArgument, RunArgument, RunsDirOption
from mlkit.cli.which_pipeline import pipeline_path

__all__ = ["promote"]


def promote(
    run: RunArgument,
    pipeline: PipelineArgument = None,
    *,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Make a run latest: the one whose files notebooks opened by hand read.

    Unless you promote one, latest is the newest whole run that succeeded with the parameters of
    pipeline.yaml. An experiment does not change it: a run with values of its own (-p, -f, the
    environment, a profile) takes the place of one with the same values only; a part of the pipeline
    (--only, --until) and a run of a sweep never do. Where there is no latest yet, the first whole
    run is.

    A promoted run is latest until a run that begins later, with the parameters of pipeline.yaml,
    succeeds.

    \b
    Examples
      mlkit promote best           a run by its name
      mlkit promote 20260101-12    the run whose id begins so
    """
    record = api.promote(run, pipeline_path(pipeline), runs_dir=runs_dir)
    if as_json:
        print_json({"latest": record.run_id, "labels": list(record.labels)})
        return
    typer.echo(f"latest is run {record.run_id}.")
