"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mlkit import api
from mlkit.cli import candidates

__all__ = [
    "OPENS_LAB",
    "EnvFileOption",
    "FilesOption",
    "InstancesOption",
    "JsonOption",
    "MetricsOption",
    "OpenOption",
    "OutOption",
    "ParametersOption",
    "PipelineArgument",
    "ReportOption",
    "RunArgument",
    "RunsDirOption",
    "SolutionsOption",
    "TimezoneOption",
    "VerboseOption",
    "command_group",
    "parallel_option",
]


def _take_own_variables(file: Path | None) -> Path | None:
    """Set what a command looks for in its own environment: `MLKIT_RUNS_DIR`, `MLKIT_PROFILE`."""
    if file is not None:
        for name, value in api.read_env_file(file).items():
            if name.startswith(api.OWN_VARIABLES):
                os.environ.setdefault(name, value)
    return file


PipelineArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="PIPELINE",
        help="A pipeline.yaml or its folder (default: ./pipeline.yaml, else notebooks/flights).",
        show_default=False,
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, the start of one, its name, or latest.",
        autocompletion=candidates.runs,
    ),
]
OPENS_LAB = ("--open/--no-open", "--browser/--no-browser")
"""Whether a command opens JupyterLab; the second spelling is that of other programs."""
OpenOption = Annotated[bool, typer.Option("--open", help="Open it in the browser.")]
OutOption = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="FILE", help="Write it to this file.", show_default=False),
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
        "(train.n_estimators=50). Values are YAML; a parameter annotated str takes "
        "the text unchanged. NAME:=VALUE is YAML in any case. May be repeated.",
        show_default=False,
        autocompletion=candidates.parameters,
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
MetricsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Show this number of each run, from any JSON output. May be repeated.",
        show_default=False,
    ),
]
EnvFileOption = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="A .env file (NAME=value): values for ${NAME} in pipeline.yaml, and MLKIT_* for this "
        "command. What is set in the environment wins; no kernel sees the file. No such file is "
        "read by itself.",
        show_default=False,
        callback=_take_own_variables,
        is_eager=True,
    ),
]
ReportOption = Annotated[
    bool, typer.Option("--report", help="Write the run's HTML report and say where it is.")
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", help="Show the tracebacks of failed notebooks.")
]
TimezoneOption = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        metavar="ZONE",
        help="The zone whose clock the schedule follows, such as Europe/Berlin (default: the "
        "pipeline's 'timezone', else UTC). Where that clock jumps, a named hour still comes once "
        "a day, as in cron.",
        show_default=False,
    ),
]
SolutionsOption = Annotated[
    Path | None,
    typer.Option(
        "--solutions", metavar="DIR", help="The solutions' folder (default: mlkit's own)."
    ),
]


def parallel_option(default: str) -> Any:
    """Spell how many runs are made at once, for a command that makes several."""
    words = f"How many runs at once (default: {default})."
    return typer.Option("--parallel", min=1, metavar="N", help=words, show_default=False)


def command_group() -> typer.Typer:
    """A word with commands below it, whose help looks as that of any command."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
