"""Merge what the layers give into the value that each stage receives."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from mlkit.core.configuration import Bound, Configuration
from mlkit.core.logical_date import LOGICAL_DATE, as_declared
from mlkit.core.pipeline import ExternalFile, Pipeline, Setting, Stage
from mlkit.core.types import TypeSpec, ValueMismatchError, accepts, as_written, fit
from mlkit.core.values import encode
from mlkit.errors import ConfigurationError
from mlkit.frozen import dataclass
from mlkit.load.contract import holds_variable, written_path
from mlkit.load.environment import VARIABLE, Environment
from mlkit.load.outside import trouble_with_file, waits
from mlkit.load.section import did_you_mean
from mlkit.load.yaml_tree import parse_value

__all__ = ["Given", "Merger", "check_given", "is_secret", "known_names", "types_of"]


@dataclass(frozen=True, kw_only=True)
class Given:
    """One value that a layer gives to a name: `NAME` or `STAGE.NAME`.

    Parameters
    ----------
    name : str
        The name as it was given.
    value : object
        The value: what a text declares it to be, or read as YAML.
    raw : str, optional
        The text as it was written, for stages that declare a text.
    origin : str
        The layer, for people.
    line : int, optional
        Where it stands in pipeline.yaml, if it does.
    """

    name: str
    value: Any
    origin: str
    raw: str | None = None
    line: int | None = None


def known_names(pipeline: Pipeline) -> list[str]:
    """Give every name that reaches at least one stage, and the pipeline's own parameters."""
    declared = [
        name
        for stage in pipeline.stages.values()
        for name in stage.configurable
        if not stage.maps_over(name)
    ]
    return list(dict.fromkeys([*pipeline.parameters, *declared]))


def types_of(pipeline: Pipeline, name: str) -> list[TypeSpec]:
    """Give what the stages that a name (`NAME` or `STAGE.NAME`) reaches declare it to be."""
    stage_name, dot, bare = name.rpartition(".")
    if dot and stage_name not in pipeline.stages:
        return []
    stages = [pipeline.stages[stage_name]] if dot else pipeline.stages.values()
    return [
        stage.configurable[bare].spec
        for stage in stages
        if bare in stage.configurable and not stage.maps_over(bare)
    ]


def is_secret(pipeline: Pipeline, name: str) -> bool:
    """Whether a name (`NAME` or `STAGE.NAME`) is declared as secret by a stage that it reaches."""
    return any(spec.is_secret for spec in types_of(pipeline, name))


def check_given(pipeline: Pipeline, given: Given) -> None:
    """Check one value without anything else: its name, and its type where it can be told.

    Raises
    ------
    ConfigurationError
        If no stage knows the name, or one declares another type.
    """
    merger = Merger(pipeline, Environment({}), {})
    merger.give_layer([given])
    if not holds_variable(given.value) and not is_secret(pipeline, given.name):
        for stage in pipeline.stages.values():
            for name, layers in merger.stages[stage.name].items():
                if layers[-1] is given:
                    merger.fit(stage, name, given, given.value)


class Merger:
    """Gathers values, weakest layer first, and binds the strongest.

    A weaker value is still checked for its type, but its environment variables are not asked for.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline; its own values are the weakest layer.
    environment : Environment
        Fills in `${NAME}`.
    defaults : mapping of str to object
        Values of the pipeline's parameters that replace those of pipeline.yaml.
    """

    def __init__(
        self, pipeline: Pipeline, environment: Environment, defaults: Mapping[str, Any]
    ) -> None:
        self.pipeline = pipeline
        self.environment = environment
        self.known = known_names(pipeline)
        self.overrides: dict[str, Any] = {}
        self.own: dict[str, Given] = {}
        self.stages: dict[str, dict[str, list[Given]]] = {name: {} for name in pipeline.stages}
        self._kept = defaults
        self._file = pipeline.file.name
        for name, value in pipeline.parameters.items():
            if name in defaults:
                given = Given(name=name, value=defaults[name], origin="the run's own record")
            else:
                line = pipeline.lines.get(name)
                given = Given(name=name, value=value, origin=self._file, line=line)
            self._spread(given)
        for stage in pipeline.stages.values():
            for name, value in stage.parameters.items():
                key, origin = f"{stage.name}.{name}", self._place(stage)
                line = pipeline.lines.get(key)
                self._add(stage, name, Given(name=key, value=value, origin=origin, line=line))

    def _place(self, stage: Stage) -> str:
        return f"{self._file}:{stage.line}, stage '{stage.name}'"

    @contextlib.contextmanager
    def _standing(self, origin: str, line: int | None) -> Iterator[None]:
        """Say of a mistake in pipeline.yaml in which file and line it stands."""
        try:
            yield
        except ConfigurationError as error:
            if line is None:
                raise
            fact = error.message.removeprefix(f"{origin}: ")
            raise ConfigurationError(
                fact, str(self.pipeline.file), line, error.remedy, error.code
            ) from None

    def give_profile(self) -> None:
        """Take the profile that was chosen: over pipeline.yaml, below everything else.

        The profile's name is recorded and handed on, so its values are no overrides; a run that is
        resumed keeps those that it began with.
        """
        profile, overrides = self.pipeline.profile, dict(self.overrides)
        if profile is None:
            return
        self.give_layer(
            Given(
                name=name,
                value=value,
                origin=f"{self._file}:{profile.lines[name]}, profile '{profile.name}'",
                line=profile.lines[name],
            )
            for name, value in profile.parameters.items()
            if name not in self._kept
        )
        self.overrides = overrides

    def give_layer(self, layer: Iterable[Given]) -> None:
        """Take one layer above pipeline.yaml; in it `STAGE.NAME` is stronger than `NAME`."""
        for given in sorted(layer, key=lambda item: "." in item.name):
            _refuse_broken_text(given)
            self._give(given)

    def finish(self) -> Configuration:
        """Bind everything, fill in files and notifications, and freeze it."""
        stages = {
            stage.name: {
                name: self._bind_last(stage, name, layers)
                for name, layers in self.stages[stage.name].items()
            }
            for stage in self.pipeline.stages.values()
        }
        own = {name: self._bind_own(given) for name, given in self.own.items()}
        files, notify = {}, {}
        for stage in self.pipeline.stages.values():
            place = self._place(stage)
            with self._standing(place, stage.line):
                files.update(self.environment.files(stage, self.pipeline.folder, place))
                notify[stage.name] = self.environment.notify(stage.notify, place)
        env = {
            stage.name: {name: self._set(stage, name, item) for name, item in stage.env.items()}
            for stage in self.pipeline.stages.values()
        }
        self.environment.check()
        for stage in self.pipeline.stages.values():
            with self._standing(self._place(stage), stage.line):
                self._look_at_files(stage, files, self._place(stage))
        settled = self.environment.settled
        secrets = sorted(self.environment.secrets, key=lambda text: (-len(text), text))
        return Configuration(
            pipeline=own,
            stages=stages,
            files=files,
            notify=notify,
            env=env,
            secrets=tuple(secrets),
            overrides={
                name: encode(
                    value
                    if is_secret(self.pipeline, name)
                    else self._meant(name, value, settled(value))
                )
                for name, value in self.overrides.items()
            },
        )

    def _set(self, stage: Stage, name: str, setting: Setting) -> Bound:
        origin = f"{self._file}:{setting.line}"
        with self._standing(origin, setting.line):
            return self.environment.setting(name, setting, origin, stage.name)

    def _look_at_files(self, stage: Stage, files: Mapping[str, PurePath], place: str) -> None:
        """Look at the files whose paths are known only now that their variables are filled in."""
        for name, source in stage.inputs.items():
            if not isinstance(source, ExternalFile):
                continue
            text = written_path(source, self.pipeline.folder)
            if not holds_variable(text):
                continue
            path = Path(files[f"{stage.name}.{name}"])
            if not self.environment.needs_values and holds_variable(str(path)):
                continue
            may_come = waits(stage.name, self.pipeline.stages)
            trouble = trouble_with_file(text, path, may_come=may_come, folder=source.is_folder)
            if trouble is not None:
                # Nothing of the variables' values is shown: they may be secrets.
                remedy = "Look at the values of the variables in it"
                raise ConfigurationError(
                    f"{place}: input '{name}': {trouble[0]}", remedy=remedy, code="E211"
                )

    def _give(self, given: Given) -> None:
        stage_name, dot, name = given.name.rpartition(".")
        if dot:
            self._add(self._stage_of(given, stage_name, name), name, given)
        else:
            self._check_known(given)
            self._spread(given)
            for key in [key for key in self.overrides if key.endswith(f".{name}")]:
                del self.overrides[key]
        names_it_only = isinstance(given.value, str) and VARIABLE.fullmatch(given.value)
        if names_it_only or not is_secret(self.pipeline, given.name):
            self.overrides[given.name] = given.value
            for stage in self._with_texts(given) if not dot else ():
                self.overrides[f"{stage}.{name}"] = given.raw

    def _with_texts(self, given: Given) -> Iterator[str]:
        """The stages that take the text as it stands, where others read a value in it."""
        for stage in self.pipeline.stages.values():
            declared = stage.configurable.get(given.name)
            if declared is not None and given.raw is not None:
                written = as_written(given.raw, given.value, declared.spec)
                if written is given.raw and written != given.value:
                    yield stage.name

    def _check_known(self, given: Given) -> None:
        if given.name in self.known:
            return
        for stage in self.pipeline.stages.values():
            if stage.maps_over(given.name):
                _refuse_mapped(given, stage, given.name)
        raise ConfigurationError(
            f"{given.origin}: no parameter is called '{given.name}'",
            remedy=did_you_mean(given.name, self.known),
            code="E401",
        )

    def _stage_of(self, given: Given, stage_name: str, name: str) -> Stage:
        stage = self.pipeline.stages.get(stage_name)
        if stage is None:
            raise ConfigurationError(
                f"{given.origin}: '{given.name}' names the stage '{stage_name}', which does not "
                "exist",
                remedy=did_you_mean(stage_name, self.pipeline.stages),
                code="E401",
            )
        if stage.maps_over(name):
            _refuse_mapped(given, stage, name)
        if name not in stage.configurable:
            raise ConfigurationError(
                f"{given.origin}: stage '{stage_name}' declares no parameter '{name}'",
                remedy=did_you_mean(name, stage.configurable),
                code="E401",
            )
        return stage

    def _spread(self, given: Given) -> None:
        """Hand a pipeline parameter to every stage that declares it."""
        for stage in self.pipeline.stages.values():
            if given.name in stage.configurable and not stage.maps_over(given.name):
                self._add(stage, given.name, given)
        self.own[given.name] = given

    def _add(self, stage: Stage, name: str, given: Given) -> None:
        self.stages[stage.name].setdefault(name, []).append(given)

    def _bind_last(self, stage: Stage, name: str, layers: list[Given]) -> Bound:
        spec = stage.configurable[name].spec
        given = layers[-1]
        for weaker in layers[:-1]:
            meant = weaker.origin != given.origin or weaker.name == given.name
            hidden = holds_variable(weaker.value) or is_secret(self.pipeline, weaker.name)
            if meant and not hidden:
                with self._standing(weaker.origin, weaker.line):
                    self.fit(stage, name, weaker, _written(weaker, spec))
        with self._standing(given.origin, given.line):
            if spec.is_secret or is_secret(self.pipeline, given.name):
                return self._bind_secret(stage, name, given, spec)
            value = self._plain(_written(given, spec), given.origin, name)
            value = self._meant(f"{stage.name}.{name}", given.value, value)
            return Bound(value=self.fit(stage, name, given, value), origin=given.origin)

    def _bind_secret(self, stage: Stage, name: str, given: Given, spec: TypeSpec) -> Bound:
        value = self._secret(given, name)
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(
                f"parameter '{name}' of stage '{stage.name}' is a secret: its value must be a "
                f"text ({given.origin})",
                remedy="Put quotes around it",
                code="E402",
            )
        text = value or ""
        if text and (self.environment.needs_values or not holds_variable(text)):
            self.environment.keep_secret(text, f"parameter '{name}' ({given.origin})")
        if not accepts(spec, text):
            raise ConfigurationError(
                f"parameter '{name}' of stage '{stage.name}' does not take a secret text "
                f"({given.origin}); {stage.notebook.name} declares {spec}",
                remedy=f"Declare it '{name}: mlkit.Secret'",
                code="E402",
            )
        return Bound(value=text, origin=given.origin, secret=True)

    def _bind_own(self, given: Given) -> Bound:
        """What the record says of a pipeline parameter."""
        with self._standing(given.origin, given.line):
            if is_secret(self.pipeline, given.name):
                value = self._secret(given, given.name)
                return Bound(value=value, origin=given.origin, secret=True)
            value = self._plain(given.value, given.origin, given.name)
            value = self._meant(given.name, given.value, value)
            return Bound(value=value, origin=given.origin)

    def fit(self, stage: Stage, name: str, given: Given, value: Any) -> Any:
        """Give a value the type that a stage declares; refuse what does not fit."""
        if not self.environment.needs_values and holds_variable(value):
            return value
        spec = stage.configurable[name].spec
        try:
            return fit(as_declared(value, spec) if name == LOGICAL_DATE else value, spec)
        except ValueMismatchError as error:
            raise ConfigurationError(
                f"parameter '{name}' of stage '{stage.name}': {error} ({given.origin}); "
                f"{stage.notebook.name} declares {spec}",
                remedy="Give a value of that type",
                code="E402",
            ) from None

    def _plain(self, value: Any, origin: str, name: str) -> Any:
        """A value that records show, its environment variables filled in."""
        remedy = f"Declare it '{name}: mlkit.Secret', or take a variable with another name"
        what = f"parameter '{name}'"
        return self.environment.plain(value, origin, what, remedy)

    def _meant(self, name: str, written: Any, filled: Any) -> Any:
        """What a variable that is a whole value says: YAML, as `-p` does, where no text is taken.

        For a stage that takes its text it stays that.
        """
        if not isinstance(written, str) or not VARIABLE.fullmatch(written):
            return filled
        specs = types_of(self.pipeline, name)
        if any(accepts(spec, filled) for spec in specs) or not (specs or self._is_list(name)):
            return filled
        try:
            return parse_value(filled, ConfigurationError, name)
        except ConfigurationError:
            return filled

    def _is_list(self, name: str) -> bool:
        """Whether a stage maps over a parameter of the pipeline."""
        axes = [s.foreach.axes for s in self.pipeline.stages.values() if s.foreach is not None]
        return any(axis.listed == name for own in axes for axis in own)

    def _secret(self, given: Given, name: str) -> Any:
        """A value that appears nowhere, its environment variables filled in."""
        value = given.value if given.raw is None else given.raw
        return self.environment.secret(value, given.origin, f"parameter '{name}'")


def _refuse_broken_text(given: Given) -> None:
    """Refuse a text that no file could hold: what a terminal sent in another encoding, say."""
    try:
        json.dumps([encode(given.value), given.raw], ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"{given.origin}: the value of '{given.name}' is no text in UTF-8",
            remedy="Give it in UTF-8, or write it in a file of parameters (-f)",
            code="E402",
        ) from None


def _written(given: Given, spec: TypeSpec) -> Any:
    """What a value is to a stage: a text as it stands, where the stage declares one."""
    return given.value if given.raw is None else as_written(given.raw, given.value, spec)


def _refuse_mapped(given: Given, stage: Stage, name: str) -> None:
    raise ConfigurationError(
        f"{given.origin}: stage '{stage.name}' is mapped over '{name}'; it cannot be set",
        remedy="Change 'foreach' in pipeline.yaml",
        code="E401",
    )
