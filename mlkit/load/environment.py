"""Fill `${NAME}` from the environment, and keep what must not be shown.

A variable is plain, and appears in records like any other value, unless it reaches a place that is
secret (a parameter annotated `mlkit.Secret`, an address of `notify`) or its name says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from mlkit.core.configuration import Bound
from mlkit.core.pipeline import ExternalFile, Setting, Stage
from mlkit.core.policies import Notify
from mlkit.core.scrubbing import SHORTEST_SECRET, names_a_secret
from mlkit.errors import ConfigurationError
from mlkit.frozen import replace
from mlkit.load.contract import written_path

__all__ = ["VARIABLE", "Environment"]

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Environment:
    """The environment's variables, where each was used, and the secrets taken from them.

    Parameters
    ----------
    variables : mapping of str to str
        The environment.
    needs_values : bool
        Whether a variable that is not set is refused; otherwise `${NAME}` stays as it is, for the
        place where the stages run to fill in.
    """

    def __init__(self, variables: Mapping[str, str], *, needs_values: bool = True) -> None:
        self.variables = variables
        self.needs_values = needs_values
        self.secrets: set[str] = set()
        self._plain: dict[str, str] = {}
        self._secret: dict[str, str] = {}

    def keep_secret(self, value: str, what: str) -> None:
        """Remember a value that must appear nowhere; refuse one too short to be scrubbed."""
        length = len(value.strip())
        if length < SHORTEST_SECRET:
            raise ConfigurationError(
                f"{what}: a secret of {length} characters is too short to be hidden",
                remedy=f"Use one of at least {SHORTEST_SECRET} characters",
                code="E405",
            )
        self.secrets.add(value)

    def plain(self, value: Any, origin: str, what: str, remedy: str) -> Any:
        """Replace every `${NAME}` in a value that records show.

        Parameters
        ----------
        value : object
            A text, or a list or mapping of such.
        origin : str
            Where it was written.
        what : str
            The place, as people call it: `parameter 'url'`, `the path of input 'raw'`.
        remedy : str
            What to do where a variable's name says that it is a secret.

        Raises
        ------
        ConfigurationError
            If a variable is not set, or is a secret.
        """

        def find(name: str) -> str:
            if names_a_secret(name):
                raise ConfigurationError(
                    f"{origin}: the environment variable {name} is a secret by its name, and "
                    f"{what} appears in records",
                    remedy=remedy,
                    code="E404",
                )
            self._plain.setdefault(name, f"{what}, {origin}")
            return self._variable(name, origin)

        return _filled(value, find)

    def secret(self, value: Any, origin: str, what: str) -> Any:
        """Replace every `${NAME}` in a value that must appear nowhere; see `plain`."""

        def find(name: str) -> str:
            self._secret.setdefault(name, f"{what}, {origin}")
            text = self._variable(name, origin)
            if name in self.variables:
                self.keep_secret(text, f"{origin}: environment variable {name}")
            return text

        return _filled(value, find)

    def setting(self, name: str, setting: Setting, origin: str, stage: str) -> Bound:
        """Fill in a variable of a stage's `env`, which stands at `origin`.

        A secret may stand in it: what records and fingerprints see then names the variable, and
        holds all of the rest.
        """
        what = f"env {name} of stage '{stage}'"
        hides = False

        def secret(variable: str) -> bool:
            nonlocal hides
            hides = hides or names_a_secret(name) or names_a_secret(variable)
            return names_a_secret(name) or names_a_secret(variable)

        def whole(variable: str) -> str:
            if not secret(variable):
                return str(self.plain(f"${{{variable}}}", origin, what, ""))
            return str(self.secret(f"${{{variable}}}", origin, what))

        value = VARIABLE.sub(lambda match: whole(match[1]), setting.text)
        shown = VARIABLE.sub(
            lambda match: match[0] if secret(match[1]) else whole(match[1]), setting.text
        )
        return Bound(value=value, origin=origin, secret=hides, shown=shown if hides else None)

    def settled(self, value: Any) -> Any:
        """Replace `${NAME}` as `plain` does, where every variable is set; else leave the value."""
        missing = False

        def find(name: str) -> str:
            nonlocal missing
            missing = missing or name not in self.variables or names_a_secret(name)
            return self.variables.get(name, "")

        filled = _filled(value, find)
        return value if missing else filled

    def check(self) -> None:
        """Refuse a variable that stands in a plain and in a secret place.

        It would be told in the one and hidden in the other.
        """
        for name in sorted(self._plain.keys() & self._secret.keys()):
            raise ConfigurationError(
                f"the environment variable {name} stands in a secret place "
                f"({self._secret[name]}) and in one that records show ({self._plain[name]})",
                remedy="Give each a variable of its own",
                code="E404",
            )

    def _variable(self, name: str, origin: str) -> str:
        value = self.variables.get(name)
        if value is None and not self.needs_values:
            return f"${{{name}}}"
        if value is None:
            raise ConfigurationError(
                f"{origin}: the environment variable {name} is not set",
                remedy=f"Set it: export {name}=…, or name a file that does: --env-file FILE",
                code="E403",
            )
        return value

    def files(self, stage: Stage, folder: PurePath, origin: str) -> dict[str, PurePath]:
        """Fill in the paths of the files that a stage reads from outside, by `STAGE.INPUT`."""
        remedy = "Take a variable with another name; a secret has no place in a path"
        return {
            f"{stage.name}.{name}": Path(folder)
            / self.plain(
                written_path(source, folder), origin, f"the path of input '{name}'", remedy
            )
            for name, source in stage.inputs.items()
            if isinstance(source, ExternalFile)
        }

    def notify(self, notify: Notify, origin: str) -> Notify:
        """Fill in the addresses of notifications."""
        return replace(
            notify,
            on_failure=tuple(self.secret(list(notify.on_failure), origin, "notify")),
            on_success=tuple(self.secret(list(notify.on_success), origin, "notify")),
        )


def _filled(value: Any, find: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: find(match[1]), value)
    if isinstance(value, Mapping):
        return {key: _filled(item, find) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, find) for item in value]
    return value
