"""The options of a run, as commands offer them."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.driver.options import ALL, OPTIONS, TYPES, flag, offered

__all__ = ["Given", "environment_of", "layers_of", "run_option", "takes_run_options"]

Given = dict[str, Any]
"""The options of a run that were given on a command line, by name."""

Command = Callable[..., None]

OFFERED: Final = {
    "profile": candidates.profiles,
    **dict.fromkeys(("until", "before", "only", "force"), candidates.stages),
}


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
        autocompletion=OFFERED.get(name),
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


def layers_of(
    assignments: list[str] | None, files: list[Path] | None, env_file: Path | None = None
) -> api.Layers:
    """Gather the layers of configuration of a command."""
    environ = environment_of(env_file)
    return api.Layers(files=files or (), environ=environ, assignments=assignments or ())


def environment_of(env_file: Path | None) -> dict[str, str]:
    """Give this process's environment, and below it the variables of a `.env` file."""
    return api.with_env_file(env_file, os.environ)
