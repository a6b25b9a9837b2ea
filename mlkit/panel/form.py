"""What a panel asks about: a pipeline, with the parameters and the profile in its form."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlkit.core.pipeline import Pipeline
from mlkit.core.values import plain
from mlkit.driver.options import RunOptions
from mlkit.errors import UsageError
from mlkit.frozen import dataclass
from mlkit.load.parameters import Layers
from mlkit.widgets.views.fields import Field, fields_of

__all__ = ["Form", "field_documents"]


@dataclass(frozen=True, kw_only=True)
class Form:
    """A pipeline as one panel asks about it.

    Parameters
    ----------
    file : Path
        Its pipeline.yaml.
    parameters : tuple of (str, str)
        Names and values, as they would stand behind `-p` on a command line.
    profile : str, optional
        A profile's name; None is what the environment says.
    """

    file: Path
    parameters: tuple[tuple[str, str], ...] = ()
    profile: str | None = None

    @classmethod
    def read(cls, file: Path, asked: Mapping[str, Any]) -> Form:
        """Take what a page has sent.

        Raises
        ------
        UsageError
            If it is no form.
        """
        given, profile = asked.get("parameters") or {}, asked.get("profile") or None
        if not isinstance(given, dict) or not isinstance(profile, str | None):
            raise UsageError("parameters are an object of texts, and a profile is a text")
        pairs = tuple((str(name), str(value)) for name, value in given.items())
        return cls(file=file, parameters=pairs, profile=profile)

    @property
    def assignments(self) -> tuple[str, ...]:
        """What stands behind `-p`."""
        return tuple(f"{name}={value}" for name, value in self.parameters)

    @property
    def layers(self) -> Layers:
        """What is given beside pipeline.yaml."""
        environ = dict(os.environ)
        return Layers(environ=environ, assignments=self.assignments, form="the panel's form")

    @property
    def options(self) -> RunOptions:
        """What is asked beside parameters."""
        return RunOptions(profile=self.profile)

    @property
    def words(self) -> list[str]:
        """The same as arguments of a command."""
        said = [word for each in self.assignments for word in ("-p", each)]
        return said if self.profile is None else [*said, "--profile", self.profile]


def field_documents(pipeline: Pipeline) -> list[dict[str, Any]]:
    """The fields of a form; a secret is none, for it would stand in the page and in a command."""
    return [_field(field) for field in fields_of(pipeline) if field.kind != "secret"]


def _field(field: Field) -> dict[str, Any]:
    choices = [_text(value) for value in field.spec.choices] if field.kind == "choice" else []
    if field.kind == "tick":
        choices = ["true", "false"]
    return {
        "name": field.name,
        "label": field.label,
        "value": _text(field.value),
        "choices": choices,
        "own": field.is_own,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
