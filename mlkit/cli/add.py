"""`mlkit add`: a further stage, wired."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlkit.beginning.new_stage import NewStage, add_stage
from mlkit.cli import candidates
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption, PipelineArgument
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.errors import UsageError
from mlkit.load.yaml_tree import parse_value

__all__ = ["add"]


def add(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="The new stage's name.")],
    pipeline: PipelineArgument = None,
    *,
    after: Annotated[
        list[str] | None,
        typer.Option(
            "--after",
            metavar="STAGE",
            help="A stage that it waits for without reading from it. May be repeated.",
            show_default=False,
            autocompletion=candidates.stages,
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--in",
            metavar="[NAME=]STAGE.OUTPUT",
            help="An input: another stage's output, file:PATH from outside, or "
            "run:RUN/STAGE.OUTPUT of another run. May be repeated.",
            show_default=False,
            autocompletion=candidates.artifacts,
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--out",
            metavar="[NAME=]FILE",
            help="An output: the file that the stage writes. May be repeated.",
            show_default=False,
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            metavar="NAME=DEFAULT",
            help="A parameter that its notebook declares; the default is YAML. May be repeated.",
            show_default=False,
        ),
    ] = None,
    notebook: Annotated[
        str | None,
        typer.Option(
            "--notebook",
            metavar="FILE",
            help="Its notebook: .ipynb, or text (.py, .md); one that is there is only wired.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Add a stage: write its notebook, and wire it in pipeline.yaml.

    The notebook declares what it receives in the cell tagged 'parameters', reads its inputs and
    writes something that fits, so that the pipeline runs at once; then the stage's own work is
    yours. Of pipeline.yaml only lines are added: comments and order stay.

    \b
    Examples
      mlkit add summary --in fit.metrics --out summary.md
      mlkit add clean --in raw=collect.table --out clean.parquet -p rows=1000
      mlkit add publish --after summary
    """
    defaults = {}
    for text in parameters or ():
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise UsageError(f"-p {text} names no parameter", remedy="Write -p NAME=DEFAULT")
        defaults[name] = parse_value(value, UsageError, f"-p {name}")
    added = add_stage(
        pipeline_path(pipeline),
        NewStage(
            name=stage,
            after=after or (),
            inputs=inputs or (),
            outputs=outputs or (),
            parameters=defaults,
            notebook=notebook,
        ),
    )
    if as_json:
        print_json(
            {
                "stage": added.stage,
                "pipeline": str(added.pipeline),
                "notebook": str(added.notebook),
                "notebook_is_new": added.notebook_is_new,
                "lines": added.lines,
            }
        )
        return
    shown = os.path.relpath(added.notebook)
    typer.echo(f"{'Written' if added.notebook_is_new else 'There already'}: {shown}")
    typer.echo(f"Added to {os.path.relpath(added.pipeline)}:")
    for line in added.lines:
        typer.echo(f"  {line}")
    typer.echo("Next: mlkit run; then open the notebook and write the stage's own work.")
