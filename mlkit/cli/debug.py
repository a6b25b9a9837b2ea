"""`mlkit debug`: open a stage's notebook of a run in JupyterLab, with its inputs injected."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import print_json, say
from mlkit.cli.run_options import environment_of
from mlkit.cli.shared_options import (
    OPENS_LAB,
    EnvFileOption,
    JsonOption,
    ParametersOption,
    PipelineArgument,
    RunArgument,
    RunsDirOption,
)
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.pipeline import Pipeline
from mlkit.errors import UsageError
from mlkit.observe.layout import near
from mlkit.observe.run_summary import command

__all__ = ["debug"]


def debug(
    run: RunArgument,
    stage: Annotated[
        str,
        typer.Argument(
            metavar="STAGE", help="The stage, or STAGE[VALUE].", autocompletion=candidates.stages
        ),
    ],
    pipeline: PipelineArgument = None,
    *,
    assignments: ParametersOption = None,
    env_file: EnvFileOption = None,
    launch: Annotated[
        bool, typer.Option(*OPENS_LAB, help="Open JupyterLab, or only write the notebook.")
    ] = True,
    live: Annotated[
        bool, typer.Option("--live", help="On the kernel that 'run --keep-failed' has kept.")
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over", help="Write what you corrected and saved after --live into the source."
        ),
    ] = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Open a stage's notebook of a run in JupyterLab, inputs injected.

    With --live it opens on the very kernel of the attempt that failed, at the failed cell, with all
    its variables: look, correct the cell, run on. Neither the run nor the source is touched. What
    you have corrected and saved goes into the source by --take-over, and the next run starts the
    stage again. Ctrl-C ends JupyterLab, and the kernel stays until its time is over.

    Without it a copy opens, on a new kernel. The copy is in the runs folder: change and run it as
    you like, neither the pipeline nor the run is touched. Outputs go to a folder beside the copy.
    Secrets are taken from the environment, --env-file, or from -p.

    \b
    Examples
      mlkit debug latest evaluate                one stage of the latest run
      mlkit debug 20260101-12 'train[xgboost]'   one instance of a mapped stage
      mlkit debug latest evaluate --no-open      only write the copy
      mlkit debug 20260101-12 evaluate --live        where it failed, alive
      mlkit debug 20260101-12 evaluate --take-over   what you corrected there
    """
    if live or take_over:
        _check_live(assignments, env_file, both=live and take_over)
    loaded = api.load_pipeline(pipeline_path(pipeline))
    if take_over:
        _take_over(run, stage, loaded, runs_dir, as_json=as_json)
        return
    if live:
        found = api.live_stage(run, stage, loaded, runs_dir=runs_dir)
        _go_live(found, launch=launch, as_json=as_json)
        return
    assigned = [api.read_assignment(loaded, text) for text in assignments or ()]
    given = {item.name: item.value for item in assigned}
    copy = api.debug_notebook(
        run,
        stage,
        loaded,
        runs_dir=runs_dir,
        parameters=given,
        environ=environment_of(env_file),
    )
    opens = launch and not as_json and sys.stdout.isatty()
    if as_json:
        print_json({"notebook": str(copy)})
    else:
        typer.echo(f"{copy}")
    if opens:
        api.open_in_lab(copy, copy.parent, ready=_told)


def _check_live(assignments: list[str] | None, env_file: Path | None, *, both: bool) -> None:
    """Refuse what a kernel that stands there already cannot heed."""
    if both:
        raise UsageError(
            "--live opens, and --take-over writes",
            remedy="Give --take-over when you have corrected and saved",
            code="E102",
        )
    if assignments or env_file is not None:
        raise UsageError(
            "-p and --env-file change nothing in a kernel that runs already",
            remedy="Leave them out, or assign the variables in a cell",
            code="E102",
        )


def _take_over(
    run: str, stage: str, pipeline: Pipeline, runs_dir: str | None, *, as_json: bool
) -> None:
    source, changed = api.take_over_stage(run, stage, pipeline, runs_dir=runs_dir)
    if as_json:
        print_json({"notebook": str(source), "changed": changed})
    elif changed:
        typer.echo(
            f"{near(source, Path.cwd())} has what you corrected; the next run starts it again."
        )
    else:
        typer.echo(f"{near(source, Path.cwd())} has it already.")


def _go_live(found: api.LiveStage, *, launch: bool, as_json: bool) -> None:
    """Serve the notebook on its kernel; or only say where both are."""
    kept, notebook = found.kept, found.notebook.path
    document = {
        "notebook": str(notebook),
        "connection_file": kept.connection,
        "kept_until": kept.until,
    }
    if not launch:
        print_json(document) if as_json else typer.echo(f"{notebook}\n{kept.connection}")
        return

    def ready(address: str) -> None:
        if as_json:
            print_json({"url": address, **document})
        words = ("debug", kept.run_id, kept.stage, "--take-over")
        say(
            f"JupyterLab is open at {address}\n"
            f"{kept.stage} stands where it failed ({kept.error}); its kernel is kept until "
            f"{kept.clock}. Saved, what you correct goes into {found.source.name} by\n"
            f"  {command(kept, *words, folder=Path.cwd())}\n"
            "End JupyterLab with Ctrl-C."
        )

    api.open_in_lab(
        notebook,
        notebook.parent,
        live=api.LiveKernel(
            connection=Path(kept.connection), pid=kept.pid, cell=found.notebook.cell
        ),
        browser=not as_json,
        ready=ready,
    )


def _told(address: str) -> None:
    """Where there is no browser, the address is the way in."""
    say(f"JupyterLab is open at {address}; end it with Ctrl-C.")
