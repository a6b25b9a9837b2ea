"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlkit import api
from mlkit.errors import PipelineError
from mlkit.store.typed_path import typed_path

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
    "pipeline_path",
    "without_pipeline",
]

DEFAULT_PIPELINE = Path("notebooks/flights")


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
    str, typer.Argument(metavar="RUN", help="A run's id, the start of one, its name, or latest.")
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


def pipeline_path(given: Path | None) -> Path:
    """Give the pipeline that a command is about."""
    if given is not None:
        try:
            is_there = typed_path(given).exists()
        except OSError as error:  # a name that is too long, a folder that may not be entered
            raise PipelineError(
                f"it cannot be looked at: {error.strerror}",
                given,
                remedy="Name a pipeline.yaml that you may read, or its folder",
                code="E212",
            ) from None
        if not is_there:
            raise PipelineError(
                "there is no such pipeline",
                given,
                remedy="Name a pipeline.yaml or its folder; 'mlkit init DIR' writes a first one",
                code="E212",
            )
        return given
    here = Path("pipeline.yaml")
    return DEFAULT_PIPELINE if DEFAULT_PIPELINE.exists() and not here.exists() else here


def without_pipeline(words: Sequence[str], *, least: int) -> tuple[list[str], Path | None]:
    """Part the names of runs from the pipeline that may stand behind them.

    Parameters
    ----------
    words : sequence of str
        What was typed.
    least : int
        How many names there are at least: a word that could be either is a name if it is needed.
    """
    names, last = list(words[:-1]), typed_path(words[-1])
    # no name of a run holds a slash or begins with a dot
    is_path = "/" in words[-1] or words[-1].startswith(".") or last.suffix in (".yaml", ".yml")
    if names and (is_path or (len(names) >= least and os.path.isfile(last / "pipeline.yaml"))):  # noqa: PTH113 - a name may be too long for a path
        return names, last
    return list(words), None


def command_group() -> typer.Typer:
    """A word with commands below it, whose help looks as that of any command."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
