"""The parameters of a run: each value with the layer it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import PurePath
from typing import Any

from mlkit.core.pipeline import Instance
from mlkit.core.policies import Notify
from mlkit.core.types import fit
from mlkit.frozen import dataclass

__all__ = ["HIDDEN", "Bound", "Configuration"]

HIDDEN = "***"
"""What stands in records where a secret's value would."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A value bound to a parameter.

    Parameters
    ----------
    value : object
        What the notebook receives.
    origin : str
        Where it came from: `pipeline.yaml:7`, `environment variable MLKIT_PARAM_ROWS`, ….
    secret : bool
        Whether the value must appear nowhere.
    shown : str, optional
        What is said of a secret one that is made of several parts: its variables by their names.
    """

    value: Any
    origin: str
    secret: bool = False
    shown: str | None = None

    def __repr__(self) -> str:
        """The fields, a secret's value hidden."""
        return f"Bound({self.public!r}, origin={self.origin!r}, secret={self.secret})"

    @property
    def public(self) -> Any:
        """The value for records and fingerprints; asterisks for a secret's."""
        return (self.shown or HIDDEN) if self.secret else self.value


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that the layers say for one run.

    Parameters
    ----------
    pipeline : mapping of str to Bound
        The pipeline's own parameters.
    stages : mapping of str to mapping of str to Bound
        For each stage, what its notebook receives beside inputs, outputs and `foreach`; what is
        absent keeps the notebook's default.
    files : mapping of str to PurePath
        The files from outside, by `STAGE.INPUT`, with environment variables filled in.
    notify : mapping of str to Notify
        For each stage, the addresses with environment variables filled in.
    env : mapping of str to mapping of str to Bound
        For each stage, the variables that its kernel finds set.
    secrets : tuple of str
        The values that must appear nowhere.
    overrides : mapping
        What was given beside pipeline.yaml, secrets left out, so that the run can be resumed.
    """

    pipeline: Mapping[str, Bound] = field(default_factory=dict)
    stages: Mapping[str, Mapping[str, Bound]] = field(default_factory=dict)
    files: Mapping[str, PurePath] = field(default_factory=dict, repr=False)
    notify: Mapping[str, Notify] = field(default_factory=dict, repr=False)
    env: Mapping[str, Mapping[str, Bound]] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """The pipeline's parameters for records, secrets hidden."""
        return {name: bound.public for name, bound in self.pipeline.items()}

    def sources(self) -> dict[str, str]:
        """Where each of the pipeline's parameters came from."""
        return {name: bound.origin for name, bound in self.pipeline.items()}

    def settings(self, instance: Instance) -> dict[str, str]:
        """The variables that the kernel of an instance finds set by the pipeline."""
        env = self.env.get(instance.stage.name, {})
        return {name: str(bound.value) for name, bound in env.items()}

    def of(self, instance: Instance) -> dict[str, Bound]:
        """What one instance receives, with those `foreach` values that its notebook declares."""
        bound = dict(self.stages.get(instance.stage.name, {}))
        for name, value in zip(instance.labels, instance.values, strict=True):
            if name in instance.stage.declared:
                spec = instance.stage.declared[name].spec
                bound[name] = Bound(value=fit(value, spec), origin="foreach")
        return bound
