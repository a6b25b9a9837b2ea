"""Fill `${NAME}` from the environment, and keep what must not be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from mlkit.core.pipeline import ExternalFile, Stage
from mlkit.core.policies import Notify
from mlkit.errors import ConfigurationError

__all__ = ["SHORTEST_SECRET", "Environment"]

SHORTEST_SECRET = 6
"""A shorter secret would hide half of every text that is scrubbed for it."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Environment:
    """The environment's variables, and the secrets taken from them.

    Parameters
    ----------
    variables : mapping of str to str
        The environment.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.secrets: set[str] = set()

    def keep_secret(self, value: str, what: str) -> None:
        """Remember a value that must appear nowhere; refuse one too short to be scrubbed."""
        if len(value) < SHORTEST_SECRET:
            raise ConfigurationError(
                f"{what}: a secret of {len(value)} characters is too short to be hidden",
                remedy=f"Use one of at least {SHORTEST_SECRET} characters",
            )
        self.secrets.add(value)

    def fill(self, value: Any, origin: str) -> Any:
        """Replace every `${NAME}` in a value by its variable."""
        if isinstance(value, str):
            return _VARIABLE.sub(lambda match: self._variable(match[1], origin), value)
        if isinstance(value, Mapping):
            return {key: self.fill(item, origin) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, origin) for item in value]
        return value

    def _variable(self, name: str, origin: str) -> str:
        value = self.variables.get(name)
        if value is None:
            raise ConfigurationError(
                f"{origin}: the environment variable {name} is not set",
                remedy=f"Set it: export {name}=…",
            )
        self.keep_secret(value, f"{origin}: environment variable {name}")
        return value

    def files(self, stage: Stage, folder: PurePath, origin: str) -> dict[str, PurePath]:
        """Fill in the paths of the files that a stage reads from outside, by `STAGE.INPUT`."""
        return {
            f"{stage.name}.{name}": Path(folder) / self.fill(str(source.path), origin)
            for name, source in stage.inputs.items()
            if isinstance(source, ExternalFile)
        }

    def notify(self, notify: Notify, origin: str) -> Notify:
        """Fill in the addresses of notifications."""
        return replace(
            notify,
            on_failure=tuple(self.fill(list(notify.on_failure), origin)),
            on_success=tuple(self.fill(list(notify.on_success), origin)),
        )
