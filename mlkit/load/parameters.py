"""The layers of configuration: pipeline.yaml, profile, files, environment, command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Pipeline
from mlkit.core.types import ValueMismatchError, as_parameter, as_written, takes_texts
from mlkit.errors import ConfigurationError, why_unreadable
from mlkit.frozen import dataclass
from mlkit.load.environment import Environment
from mlkit.load.merging import Given, Merger, known_names, types_of
from mlkit.load.section import did_you_mean
from mlkit.load.yaml_tree import parse_value, read_yaml

__all__ = [
    "ENVIRONMENT_PREFIX",
    "Assignment",
    "Given",
    "Layers",
    "configure",
    "parse_assignment",
    "read_assignment",
    "read_text",
]

ENVIRONMENT_PREFIX = "MLKIT_PARAM_"


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What is given beside pipeline.yaml.

    Parameters
    ----------
    files : sequence of Path
        Parameter files, the later one wins.
    environ : mapping of str to str
        The environment: `MLKIT_PARAM_NAME`, and the variables that `${NAME}` takes.
    assignments : sequence of str
        `name=value` or `name:=value` of the command line.
    form : str
        Where the assignments were written, if not on the command line, in the words of an error.
    values : mapping of str to object
        Values given from Python; they rank with the command line.
    origins : mapping of str to str
        Where some of these values come from, in the words of an error; the others come from a call.
    defaults : mapping of str to object
        What the pipeline's own parameters were when a run began, in place of what pipeline.yaml
        says today; the weakest layer.
    begun : mapping of str to object
        What a run that goes on was given when it began; weaker than what is given now.
    needs_values : bool
        Whether every `${NAME}` must have its value; an export leaves that to where stages run.
    """

    files: Sequence[Path] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    form: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    begun: Mapping[str, Any] = field(default_factory=dict)
    needs_values: bool = True


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """`name=value` of the command line, in its parts.

    Parameters
    ----------
    name : str
        `NAME` or `STAGE.NAME`.
    raw : str
        Everything behind the first `=`.
    exact : bool
        Whether it was written `name:=value`: YAML in any case, also for a text.
    """

    name: str
    raw: str
    exact: bool = False


def parse_assignment(text: str, example: str = "-p rows=5000") -> Assignment:
    """Take `name=value` apart.

    Parameters
    ----------
    text : str
        What follows `-p`.
    example : str
        How it is written, for the error.
    """
    name, equals, raw = text.partition("=")
    exact = name.endswith(":")
    name = name.removesuffix(":").strip()
    if not equals or not name:
        shape = example.removeprefix("-p ").partition("=")[2]
        shown = "name=a,b,c" if "," in shape else "name=value"
        raise ConfigurationError(
            f"-p {text!r} is not {shown}", remedy=f"Write {example}", code="E407"
        )
    return Assignment(name=name, raw=raw, exact=exact)


def configure(pipeline: Pipeline, layers: Layers | None = None) -> Configuration:
    """Merge all layers into the values that each stage receives.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    layers : Layers, optional
        What is given beside pipeline.yaml.

    Returns
    -------
    Configuration
        Checked against what the notebooks declare.

    Raises
    ------
    ConfigurationError
        If a name is unknown, a value has the wrong type, an environment variable is missing, or a
        secret is too short to be hidden.
    """
    layers = layers or Layers()
    environment = Environment(layers.environ, needs_values=layers.needs_values)
    merger = Merger(pipeline, environment, layers.defaults)
    merger.give_profile()
    origin = "given when the run began"
    merger.give_layer([_from_call(pipeline, n, v, origin) for n, v in layers.begun.items()])
    for file in layers.files:
        merger.give_layer(_from_file(file))
    merger.give_layer(_from_environ(pipeline, layers.environ))
    assigned = [read_assignment(pipeline, text, layers.form) for text in layers.assignments]
    values = [
        _from_call(pipeline, name, value, layers.origins.get(name, "run(parameters=…)"))
        for name, value in layers.values.items()
    ]
    merger.give_layer([*assigned, *values])
    return merger.finish()


def _from_call(pipeline: Pipeline, name: str, value: Any, origin: str) -> Given:
    """A value from Python, where a name or a value may be of any type."""
    if not isinstance(name, str):
        raise ConfigurationError(
            f"{origin}: no parameter is called {name!r}",
            remedy=did_you_mean(str(name), known_names(pipeline)),
            code="E401",
        )
    try:
        return Given(name=name, value=as_parameter(value), origin=origin)
    except ValueMismatchError as error:
        raise ConfigurationError(
            f"parameter '{name}': {error} ({origin})",
            remedy="Give a bool, int, float, str, list, dict, None, date or path",
            code="E402",
        ) from None


def read_assignment(pipeline: Pipeline, text: str, form: str = "") -> Given:
    """Read `name=value` as YAML, or as the text that it is where the notebooks declare a text."""
    given = parse_assignment(text)
    origin = form or "command line"
    place = f"the field '{given.name}'" if form else f"-p {given.name}"
    if given.exact:
        value = parse_value(given.raw, ConfigurationError, place)
        return Given(name=given.name, value=value, origin=origin)
    return _read(pipeline, given.name, given.raw, origin, place)


def read_text(pipeline: Pipeline, name: str, raw: str, place: str) -> Any:
    """Read the value of a parameter, as `read_assignment` does.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    name : str
        `NAME` or `STAGE.NAME`.
    raw : str
        The text.
    place : str
        Where it was written, for an error.
    """
    return _read(pipeline, name, raw, "", place).value


def _read(pipeline: Pipeline, name: str, raw: str, origin: str, place: str) -> Given:
    specs = types_of(pipeline, name)
    if any(spec.is_secret for spec in specs):
        return Given(name=name, value=raw, origin=origin, raw=raw)
    try:
        value = parse_value(raw, ConfigurationError, place)
    except ConfigurationError:
        if not specs or not all(map(takes_texts, specs)):
            raise
        value = raw
    meanings = [as_written(raw, value, spec) for spec in specs]
    if meanings and all(meaning is meanings[0] for meaning in meanings):
        value = meanings[0]
    return Given(name=name, value=value, origin=origin, raw=raw)


def _from_file(file: Path) -> list[Given]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no such parameter file",
            file,
            remedy="Name a YAML file of names and values",
            code="E406",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        fact, remedy = why_unreadable(error)
        fact = f"the file cannot be read: {fact}"
        raise ConfigurationError(fact, file, remedy=remedy, code="E406") from None
    tree = read_yaml(text, str(file), ConfigurationError)
    if tree.value is None:
        return []
    if not isinstance(tree.value, Mapping):
        raise ConfigurationError(
            "a parameter file maps names to values",
            file,
            tree.line,
            "Write rows: 5000",
            code="E406",
        )
    return [
        Given(name=name, value=entry.plain(), origin=f"{file}:{entry.line}")
        for name, entry in tree.value.items()
    ]


def _from_environ(pipeline: Pipeline, environ: Mapping[str, str]) -> list[Given]:
    known = known_names(pipeline)
    names = {name.upper(): name for name in known} | {name: name for name in known}
    found = []
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        key = variable.removeprefix(ENVIRONMENT_PREFIX)
        origin = f"environment variable {variable}"
        name = names.get(key) or names.get(key.upper())
        if name is None:
            raise ConfigurationError(
                f"{origin}: no parameter is called '{key.lower()}'",
                remedy=did_you_mean(key.lower(), known),
                code="E401",
            )
        found.append(_read(pipeline, name, environ[variable], origin, origin))
    return found
