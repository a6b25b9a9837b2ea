"""The layers of configuration, weakest first: pipeline.yaml, files, environment, command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlkit.core.configuration import HIDDEN, Bound, Configuration
from mlkit.core.pipeline import Declaration, Pipeline, Stage
from mlkit.core.types import ValueMismatchError, fit
from mlkit.core.values import encode
from mlkit.errors import ConfigurationError
from mlkit.load.contract import holds_variable
from mlkit.load.environment import Environment
from mlkit.load.section import did_you_mean
from mlkit.load.yaml_tree import parse_value, read_yaml

__all__ = ["ENVIRONMENT_PREFIX", "Given", "Layers", "configure", "parse_assignment"]

ENVIRONMENT_PREFIX = "MLKIT_PARAM_"


@dataclass(frozen=True, kw_only=True)
class Given:
    """One value that a layer gives to a name: `NAME` or `STAGE.NAME`.

    Parameters
    ----------
    name : str
        The name as it was given.
    value : object
        The value, read as YAML.
    raw : str, optional
        Its text before it was read as YAML.
    origin : str
        The layer, for people.
    """

    name: str
    value: Any
    origin: str
    raw: str | None = None


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
    """

    files: Sequence[Path] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


def parse_assignment(text: str) -> Given:
    """Read `name=value` of the command line."""
    name, equals, raw = text.partition("=")
    if not equals or not name.strip():
        raise ConfigurationError(f"-p {text!r} is not name=value", remedy="Write -p rows=5000")
    value = parse_value(raw, ConfigurationError, f"-p {name}")
    return Given(name=name.strip(), value=value, origin="command line", raw=raw)


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
    merger = _Merger(pipeline, environment)
    for given in [*_from_files(layers.files), *_from_environ(pipeline, layers.environ)]:
        merger.give(given)
    for text in layers.assignments:
        merger.give(parse_assignment(text))
    for name, value in layers.values.items():
        merger.give(Given(name=name, value=value, origin="run(parameters=…)"))
    return merger.finish()


def _from_files(files: Iterable[Path]) -> list[Given]:
    found = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the file cannot be read ({error})", file) from None
        tree = read_yaml(text, str(file), ConfigurationError)
        if tree.value is None:
            continue
        if not isinstance(tree.value, Mapping):
            raise ConfigurationError(
                "a parameter file maps names to values", file, tree.line, "Write rows: 5000"
            )
        found += [
            Given(name=name, value=entry.plain(), origin=f"{file}:{entry.line}")
            for name, entry in tree.value.items()
        ]
    return found


def _from_environ(pipeline: Pipeline, environ: Mapping[str, str]) -> list[Given]:
    names = {name.upper(): name for name in _known(pipeline)}
    found = []
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        key = variable.removeprefix(ENVIRONMENT_PREFIX)
        origin = f"environment variable {variable}"
        if key.upper() not in names:
            raise ConfigurationError(
                f"{origin}: no parameter is called '{key.lower()}'",
                remedy=did_you_mean(key.lower(), names.values()),
            )
        raw = environ[variable]
        value = parse_value(raw, ConfigurationError, origin)
        found.append(Given(name=names[key.upper()], value=value, origin=origin, raw=raw))
    return found


def _known(pipeline: Pipeline) -> list[str]:
    """Every name that reaches at least one stage, and the pipeline's own parameters."""
    declared = [name for stage in pipeline.stages.values() for name in stage.configurable]
    mapped = {s.foreach.parameter for s in pipeline.stages.values() if s.foreach is not None}
    free = [name for name in declared if name not in mapped or name in pipeline.parameters]
    return list(dict.fromkeys([*pipeline.parameters, *free]))


class _Merger:
    """Gathers values, weakest layer first."""

    def __init__(self, pipeline: Pipeline, environment: Environment) -> None:
        self.pipeline = pipeline
        self.environment = environment
        self.secrets: set[str] = set()
        self.overrides: dict[str, Any] = {}
        self.own: dict[str, Bound] = {}
        self.stages: dict[str, dict[str, Bound]] = {name: {} for name in pipeline.stages}
        for name, value in pipeline.parameters.items():
            self._spread(name, value, None, "pipeline.yaml")
        for stage in pipeline.stages.values():
            for name, value in stage.parameters.items():
                origin = f"pipeline.yaml:{stage.line}, stage '{stage.name}'"
                self.stages[stage.name][name] = self._bind(stage, name, value, None, origin)

    def give(self, given: Given) -> None:
        """Take one value of a layer above pipeline.yaml."""
        stage_name, dot, name = given.name.rpartition(".")
        if dot:
            self._give_stage(given, stage_name, name)
        elif given.name in _known(self.pipeline):
            self._spread(given.name, given.value, given.raw, given.origin)
        else:
            raise ConfigurationError(
                f"{given.origin}: no parameter is called '{given.name}'",
                remedy=did_you_mean(given.name, _known(self.pipeline)),
            )
        secret = any(
            bound.secret
            for values in ([self.own] if not dot else [self.stages[stage_name]])
            for key, bound in values.items()
            if key == (name or given.name)
        ) or (not dot and self._is_secret(given.name))
        if not secret:
            self.overrides[given.name] = encode(given.value)

    def _is_secret(self, name: str) -> bool:
        return any(
            name in stage.configurable and stage.configurable[name].spec.is_secret
            for stage in self.pipeline.stages.values()
        )

    def _give_stage(self, given: Given, stage_name: str, name: str) -> None:
        stage = self.pipeline.stages.get(stage_name)
        if stage is None:
            raise ConfigurationError(
                f"{given.origin}: '{given.name}' names the stage '{stage_name}', which does not "
                "exist",
                remedy=did_you_mean(stage_name, self.pipeline.stages),
            )
        if stage.foreach is not None and stage.foreach.parameter == name:
            raise ConfigurationError(
                f"{given.origin}: stage '{stage_name}' is mapped over '{name}'; it cannot be set",
                remedy="Change 'foreach' in pipeline.yaml",
            )
        if name not in stage.configurable:
            raise ConfigurationError(
                f"{given.origin}: stage '{stage_name}' declares no parameter '{name}'",
                remedy=did_you_mean(name, stage.configurable),
            )
        self.stages[stage_name][name] = self._bind(
            stage, name, given.value, given.raw, given.origin
        )

    def _spread(self, name: str, value: Any, raw: str | None, origin: str) -> None:
        """Bind a pipeline parameter and hand it to every stage that declares it."""
        secret = False
        for stage in self.pipeline.stages.values():
            mapped = stage.foreach is not None and stage.foreach.parameter == name
            if name in stage.configurable and not mapped:
                bound = self._bind(stage, name, value, raw, origin)
                self.stages[stage.name][name] = bound
                secret = secret or bound.secret
        filled = self._fill(value, origin)
        tainted = secret or filled != value
        shown = value if filled != value else HIDDEN
        self.own[name] = Bound(value=filled, origin=origin, secret=tainted, shown=shown)

    def _bind(self, stage: Stage, name: str, value: Any, raw: str | None, origin: str) -> Bound:
        item: Declaration = stage.configurable[name]
        filled = self._fill(value, origin)
        if item.spec.is_secret:
            return self._bind_secret(
                item, filled if raw is None or filled != value else raw, origin
            )
        try:
            fitted = fit(filled, item.spec)
        except ValueMismatchError as error:
            fact = "its value does not fit" if filled != value else str(error)
            raise ConfigurationError(
                f"parameter '{name}' of stage '{stage.name}': {fact} ({origin}); "
                f"{stage.notebook.name} declares {item.spec}",
                remedy="Give a value of that type",
            ) from None
        if filled != value:
            return Bound(value=fitted, origin=origin, secret=True, shown=value)
        return Bound(value=fitted, origin=origin)

    def _bind_secret(self, item: Declaration, value: Any, origin: str) -> Bound:
        if value is None or isinstance(value, str):
            if value:
                self.environment.keep_secret(value, f"parameter '{item.name}' ({origin})")
            return Bound(value=value or "", origin=origin, secret=True)
        raise ConfigurationError(f"parameter '{item.name}' is a secret text ({origin})")

    def _fill(self, value: Any, origin: str) -> Any:
        if not holds_variable(value):
            return value
        return self.environment.fill(value, origin)

    def finish(self) -> Configuration:
        """Fill in files and notifications, and freeze everything."""
        files, notify = {}, {}
        for stage in self.pipeline.stages.values():
            place = f"pipeline.yaml:{stage.line}, stage '{stage.name}'"
            files.update(self.environment.files(stage, self.pipeline.folder, place))
            notify[stage.name] = self.environment.notify(stage.notify, place)
        return Configuration(
            pipeline=self.own,
            stages=self.stages,
            files=files,
            notify=notify,
            secrets=tuple(sorted(self.environment.secrets, key=lambda text: (-len(text), text))),
            overrides=self.overrides,
        )
