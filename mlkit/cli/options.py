"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from mlkit.load.parameters import Layers

__all__ = [
    "ExecutorOption",
    "FilesOption",
    "InstancesOption",
    "JsonOption",
    "ParametersOption",
    "PipelineArgument",
    "RunsDirOption",
    "StartOption",
    "StoreOption",
    "TimezoneOption",
    "WorkersOption",
    "layers_of",
    "pipeline_path",
]

DEFAULT_PIPELINE = Path("notebooks/flights")

PipelineArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="PIPELINE",
        help="A pipeline.yaml or its folder (default: ./pipeline.yaml, else notebooks/flights).",
        show_default=False,
    ),
]
RunsDirOption = Annotated[
    str | None,
    typer.Option(
        "--runs-dir",
        metavar="DIR|URL",
        help="The runs folder (default: runs/ beside pipeline.yaml, or MLKIT_RUNS_DIR). A URL "
        "(s3://BUCKET/RUNS, gs://, file://) shares runs and results with other machines.",
        show_default=False,
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Share artifacts and results through this URL (default: MLKIT_STORE, or store/ below "
        "a runs folder that is a URL).",
        show_default=False,
    ),
]
ExecutorOption = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="WHERE",
        help="Where notebooks run: threads (here; the default) or dask://HOST:PORT (the workers "
        "of a Dask cluster).",
        show_default=False,
    ),
]
InstancesOption = Annotated[
    bool, typer.Option("--instances", help="List each instance of a mapped stage by itself.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print exactly one JSON document on stdout.")
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        metavar="NAME=VALUE",
        help="Set a parameter, for every stage that declares it (rows=5000) or for one stage "
        "(train.n_estimators=50). Values are YAML; a parameter that is a text takes it as it "
        "stands. NAME:=VALUE is YAML in any case. May be repeated.",
        show_default=False,
    ),
]
FilesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "-f",
        metavar="FILE",
        help="A YAML file of parameters; later files win, -p wins over all.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, metavar="N", help="How many stages run at once (default: the cores)."
    ),
]
StartOption = Annotated[
    Literal["fork", "spawn"],
    typer.Option(
        "--start",
        help="How kernels start: fork (in a moment, libraries loaded) or spawn (as in Jupyter).",
    ),
]

TimezoneOption = Annotated[
    str,
    typer.Option(
        "--timezone",
        metavar="ZONE",
        help="The zone whose clock the schedule follows, such as Europe/Berlin. Where that clock "
        "jumps, a named hour still comes once a day, as in cron.",
    ),
]


def pipeline_path(given: Path | None) -> Path:
    """Give the pipeline that a command is about."""
    if given is not None:
        if not given.expanduser().exists():
            from mlkit.errors import PipelineError

            raise PipelineError(
                "there is no such pipeline",
                given,
                remedy="Name a pipeline.yaml or the folder that holds one",
            )
        return given
    here = Path("pipeline.yaml")
    return here if here.is_file() else DEFAULT_PIPELINE


def layers_of(assignments: list[str] | None, files: list[Path] | None) -> Layers:
    """Gather the layers of configuration of a command."""
    import os

    from mlkit.load.parameters import Layers

    return Layers(files=files or (), environ=dict(os.environ), assignments=assignments or ())
