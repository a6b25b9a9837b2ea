"""The layers of configuration, weakest first: pipeline.yaml, files, environment, command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Pipeline
from mlkit.errors import ConfigurationError
from mlkit.load.environment import Environment
from mlkit.load.merging import Given, Merger, is_secret, known_names
from mlkit.load.section import did_you_mean
from mlkit.load.yaml_tree import parse_value, read_yaml

__all__ = [
    "ENVIRONMENT_PREFIX",
    "Given",
    "Layers",
    "configure",
    "parse_assignment",
    "read_assignment",
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
        `name=value` of the command line.
    values : mapping of str to object
        Values given from Python; they rank with the command line.
    defaults : mapping of str to object
        What the pipeline's own parameters were when a run began, in place of what pipeline.yaml
        says today; the weakest layer.
    """

    files: Sequence[Path] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


def parse_assignment(text: str, *, plain: bool = False) -> Given:
    """Read `name=value` of the command line.

    Parameters
    ----------
    text : str
        What follows `-p`.
    plain : bool
        Whether the value is a text as it stands (a secret), not YAML.
    """
    name, equals, raw = text.partition("=")
    name = name.strip()
    if not equals or not name:
        raise ConfigurationError(f"-p {text!r} is not name=value", remedy="Write -p rows=5000")
    value = raw if plain else parse_value(raw, ConfigurationError, f"-p {name}")
    return Given(name=name, value=value, origin="command line", raw=raw)


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
    environment = Environment(layers.environ)
    merger = Merger(pipeline, environment, layers.defaults)
    for file in layers.files:
        merger.give_layer(_from_file(file))
    merger.give_layer(_from_environ(pipeline, layers.environ))
    assigned = [read_assignment(pipeline, text) for text in layers.assignments]
    values = [
        Given(name=name, value=value, origin="run(parameters=…)")
        for name, value in layers.values.items()
    ]
    merger.give_layer([*assigned, *values])
    return merger.finish()


def read_assignment(pipeline: Pipeline, text: str) -> Given:
    """Read `name=value` as YAML, or as the text that it is where the name is a secret's."""
    return parse_assignment(text, plain=is_secret(pipeline, text.partition("=")[0].strip()))


def _from_file(file: Path) -> list[Given]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no such parameter file", file, remedy="Name a YAML file of names and values"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the file cannot be read ({error})", file) from None
    tree = read_yaml(text, str(file), ConfigurationError)
    if tree.value is None:
        return []
    if not isinstance(tree.value, Mapping):
        raise ConfigurationError(
            "a parameter file maps names to values", file, tree.line, "Write rows: 5000"
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
            )
        raw = environ[variable]
        secret = is_secret(pipeline, name)
        value = raw if secret else parse_value(raw, ConfigurationError, origin)
        found.append(Given(name=name, value=value, origin=origin, raw=raw))
    return found
