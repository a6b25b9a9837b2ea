"""The fields of a form, made from a pipeline's typed parameters. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Literal

from mlkit.core.pipeline import Pipeline
from mlkit.core.types import TypeSpec, ValueMismatchError, accepts, fit, infer
from mlkit.core.values import encode
from mlkit.errors import ConfigurationError
from mlkit.frozen import dataclass
from mlkit.load.yaml_tree import parse_value

__all__ = ["Field", "FieldKind", "fields_of", "read", "written"]

FieldKind = Literal["tick", "whole", "number", "choice", "date", "secret", "line", "yaml"]

_KINDS: Mapping[str, FieldKind] = {
    "bool": "tick",
    "int": "whole",
    "float": "number",
    "literal": "choice",
    "date": "date",
    "Secret": "secret",
    "str": "line",
    "Path": "line",
    "datetime": "line",
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field.

    Parameters
    ----------
    name : str
        `NAME`, or `STAGE.NAME` for a value of one stage.
    spec : TypeSpec
        The type that a notebook declares, or that is plain from the default.
    value : object
        What the pipeline gives it.
    kind : str
        How it is edited.
    """

    name: str
    spec: TypeSpec
    value: Any
    kind: FieldKind

    @property
    def label(self) -> str:
        """The name with its type, as in Python."""
        return self.name if self.spec.kind == "any" else f"{self.name}: {_type(self.spec)}"

    @property
    def is_own(self) -> bool:
        """Whether it is the pipeline's own parameter, not one stage's."""
        return "." not in self.name


def _type(spec: TypeSpec) -> str:
    return "choice" if spec.kind == "literal" else str(spec)


def fields_of(pipeline: Pipeline) -> tuple[Field, ...]:
    """Give a field for each parameter that pipeline.yaml sets, its own ones first."""
    return (*_own(pipeline), *_of_stages(pipeline))


def _own(pipeline: Pipeline) -> Iterator[Field]:
    for name, value in pipeline.parameters.items():
        declared = [
            s.configurable[name].spec
            for s in pipeline.stages.values()
            if name in s.configurable and not s.maps_over(name)
        ]
        yield _field(name, declared[0] if declared else infer(value), value)


def _of_stages(pipeline: Pipeline) -> Iterator[Field]:
    for stage in pipeline.stages.values():
        for name, value in stage.parameters.items():
            spec = stage.configurable[name].spec if name in stage.configurable else infer(value)
            yield _field(f"{stage.name}.{name}", spec, value)


def _field(name: str, spec: TypeSpec, value: Any) -> Field:
    kind: FieldKind = _KINDS.get(spec.kind, "yaml")
    if kind != "secret" and not accepts(spec, value):
        kind = "line"
    return Field(name=name, spec=spec, value=value, kind=kind)


def written(field: Field) -> Any:
    """What the field's control shows for the pipeline's value."""
    if field.kind == "yaml":
        return _yaml(field.value)
    if field.kind == "secret":
        return ""
    if field.kind == "date":
        return fit(field.value, field.spec)
    if field.kind == "line":
        value = field.value
        return value.isoformat() if isinstance(value, dt.date) else str(value)
    return field.value


def _yaml(value: Any) -> str:
    """A value in YAML's flow style, which is JSON but for dates and paths."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return (
        value.isoformat()
        if isinstance(value, dt.date)
        else str(value)
        if isinstance(value, PurePath)
        else encode(value)
    )


def read(field: Field, raw: Any) -> Any:
    """Read what a learner has put into a field.

    Raises
    ------
    ConfigurationError
        If it is no value of the field's type; the message is a sentence for beside the field.
    """
    value = raw
    if field.kind == "yaml":
        value = parse_value(raw, ConfigurationError, field.name)
    if value is None and field.kind == "date":
        raise ConfigurationError(f"{field.name}: there is no date", remedy="Choose a day")
    try:
        fit(value, field.spec)
    except ValueMismatchError as error:
        raise ConfigurationError(
            f"{field.name}: {error}", remedy=f"It takes {field.spec}"
        ) from None
    return value
