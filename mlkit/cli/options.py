"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlkit.driver.options import ALL, OPTIONS, TYPES, flag, offered

if TYPE_CHECKING:
    from mlkit.load.parameters import Layers

__all__ = [
    "EnvFileOption",
    "FilesOption",
    "Given",
    "InstancesOption",
    "JsonOption",
    "ParametersOption",
    "PipelineArgument",
    "ReportOption",
    "RunsDirOption",
    "SolutionsOption",
    "TimezoneOption",
    "VerboseOption",
    "command_group",
    "environment_of",
    "layers_of",
    "pipeline_path",
    "run_option",
    "takes_run_options",
]

DEFAULT_PIPELINE = Path("notebooks/flights")


def _take_own_variables(file: Path | None) -> Path | None:
    """Set what a command looks for in its own environment: `MLKIT_RUNS_DIR`, `MLKIT_PROFILE`."""
    if file is not None:
        import os

        from mlkit.load.env_file import OWN_VARIABLES, read_env_file

        for name, value in read_env_file(file).items():
            if name.startswith(OWN_VARIABLES):
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


Given = dict[str, Any]
"""The options of a run that were given on a command line, by name."""

Command = Callable[..., None]


def run_option(name: str, command: str = "run") -> Any:
    """Spell an option of a run for a command's help.

    Parameters
    ----------
    name : str
        The field of `RunOptions`.
    command : str
        The command; where it resumes a run, that run's options are the defaults.
    """
    spelling, names = OPTIONS[name], flag(name)
    default = spelling.default
    if command == "resume" and spelling.is_resumed:
        default = "as in that run"
        names += f"/--no-{names[2:]}" if TYPES[name] is bool else ""
    words = spelling.words
    if default is not None:
        words = f"{words.removesuffix('.')} (default: {default})."
    if _on_a_line(name) == list[str]:
        words += " May be repeated."
    return typer.Option(
        names,
        metavar=spelling.metavar,
        min=spelling.least,
        help=words,
        show_default=False,
    )


def _on_a_line(name: str) -> Any:
    """The type that an option has on a command line, where stages are a list of words."""
    return list[str] if TYPES[name] == bool | frozenset[str] else TYPES[name]


def takes_run_options(command: Command) -> Command:
    """Let a command take all options of a run that it offers: its parameter `given` holds them."""
    name = command.__name__
    names = offered(name)
    added = [
        inspect.Parameter(
            option,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[_on_a_line(option) | None, run_option(option, name)],
        )
        for option in names
    ]
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        parameters += added if parameter.name == "given" else [parameter]

    @functools.wraps(command)
    def called(**values: Any) -> None:
        given = {option: values.pop(option) for option in names}
        command(**values, given={key: _read(v) for key, v in given.items() if v is not None})

    called.__dict__["__signature__"] = signature.replace(parameters=parameters)
    called.__annotations__ = {item.name: item.annotation for item in parameters}
    return called


def _read(value: Any) -> Any:
    """An option's value from what stands on the command line."""
    return (ALL in value or frozenset(value)) if isinstance(value, list) else value


def pipeline_path(given: Path | None) -> Path:
    """Give the pipeline that a command is about."""
    if given is not None:
        if not given.expanduser().exists():
            from mlkit.errors import PipelineError

            raise PipelineError(
                "there is no such pipeline",
                given,
                remedy="Name a pipeline.yaml or its folder; 'mlkit init DIR' writes a first one",
            )
        return given
    here = Path("pipeline.yaml")
    return here if here.is_file() else DEFAULT_PIPELINE


def layers_of(
    assignments: list[str] | None, files: list[Path] | None, env_file: Path | None = None
) -> Layers:
    """Gather the layers of configuration of a command."""
    from mlkit.load.parameters import Layers

    environ = environment_of(env_file)
    return Layers(files=files or (), environ=environ, assignments=assignments or ())


def environment_of(env_file: Path | None) -> dict[str, str]:
    """Give this process's environment, and below it the variables of a `.env` file."""
    import os

    from mlkit.load.env_file import with_env_file

    return with_env_file(env_file, os.environ)


SolutionsOption = Annotated[
    Path | None,
    typer.Option(
        "--solutions", metavar="DIR", help="The solutions' folder (default: mlkit's own)."
    ),
]


def command_group() -> typer.Typer:
    """A word with commands below it, whose help looks as that of any command."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
