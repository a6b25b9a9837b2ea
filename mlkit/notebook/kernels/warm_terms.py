"""On what terms a zygote may outlive its run: where its door is, and who may come in by it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlkit.core.scrubbing import names_a_secret
from mlkit.errors import UsageError
from mlkit.notebook.kernels.fixed_environment import fixed_at_start
from mlkit.notebook.kernels.mlkit_zygote.identity import (
    Identity,
    digest,
    install_facts,
    names_at_start,
    process_facts,
)
from mlkit.notebook.kernels.own_folder import own_folder

__all__ = ["IDLE_S", "Terms", "is_carried", "terms_of", "warm_place"]

IDLE_S = 600.0
"""How long a zygote waits for the next run."""

OFF = ("CI", "MLKIT_NO_WARM")
"""Where one of these is set, nothing outlives a run."""

LONGEST_PLACE = 78
"""A socket's path holds 107 bytes, and its name has 26."""

CARRIED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "DISPLAY", "TZ", "TZDIR"),
        *("TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "PYTHONPATH", "XDG_CONFIG_HOME"),
        *("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "IPYTHONDIR"),
        *("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_PATH"),
        *("JUPYTER_PLATFORM_DIRS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"),
        *("SSL_CERT_DIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    }
)
CARRIED_FAMILIES = ("MPL", "JOBLIB_", "LOKY_")
"""What zygotes start with, besides what an interpreter and its libraries read when they start.

Whatever else a run's environment holds, secrets among it, never reaches a zygote that outlives it.
"""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What this process and a zygote have to have in common.

    Parameters
    ----------
    place : Path
        The folder of the doors, this user's own.
    identity : mapping of str to str
        See `mlkit_zygote.identity`; `variables` are part of it.
    variables : mapping of str to str
        The environment of the zygote.
    others : sequence of str
        The names of what else the kernels' environment holds: no import may have read them.
    extra : sequence of str
        What else decides about what is imported.
    idle_s : float
        How long the zygote waits for the next run.
    """

    place: Path
    identity: Identity
    variables: Mapping[str, str]
    others: Sequence[str]
    extra: Sequence[str] = ()
    idle_s: float = IDLE_S

    def key(self, names: Sequence[str]) -> str:
        """Under what a zygote is found that has imported some modules."""
        imported = {"names": "\n".join(names), "extra": "\n".join(self.extra)}
        return f"{digest(self.identity)}-{digest(imported)}"

    def door(self, names: Sequence[str]) -> Path:
        """Where the socket of such a zygote stands."""
        return self.place / f"{self.key(names)}.sock"

    def has_some(self) -> bool:
        """Whether a zygote of these terms is there, whatever it has imported."""
        return any(self.place.glob(f"{digest(self.identity)}-*.sock"))

    def orders(self, names: Sequence[str]) -> dict[str, Any]:
        """What a zygote has to know in order to stay."""
        return {
            "place": str(self.place),
            "key": self.key(names),
            "identity": dict(self.identity),
            "idle_s": self.idle_s,
            "names": list(names),
        }

    def new_folder(self) -> Path:
        """Make a folder for a zygote: its working directory, and its log."""
        import tempfile  # it brings `random` along; a run that reuses everything needs neither

        return Path(tempfile.mkdtemp(prefix="z-", dir=self.place))

    def remove_folder(self, folder: Path) -> None:
        """Remove the folder of a zygote that has ended."""
        shutil.rmtree(folder, ignore_errors=True)


def warm_place(env: Mapping[str, str]) -> Path:
    """The folder, which need not be there, of this user's doors.

    Parameters
    ----------
    env : mapping of str to str
        The environment, which may name the user's runtime folder.
    """
    runtime = Path(env.get("XDG_RUNTIME_DIR", ""), "mlkit-warm")
    import tempfile  # as above

    temporary = Path(tempfile.gettempdir(), f"mlkit-warm-{os.geteuid()}")
    usable = [
        each
        for each in (runtime, temporary)
        if each.is_absolute() and each.parent.is_dir() and len(os.fsencode(each)) <= LONGEST_PLACE
    ]
    return usable[0] if usable else Path(os.sep, "tmp", temporary.name)


def terms_of(
    env: Mapping[str, str], extra: Sequence[str], say: Callable[[str], None]
) -> Terms | None:
    """Give the terms of the kernels of an environment; None where nothing may outlive a run.

    Parameters
    ----------
    env : mapping of str to str
        The environment that the kernels share.
    extra : sequence of str
        What else decides about what is imported.
    say : callable
        Receives one line for people if something is not as it should be.
    """
    if any(env.get(name) for name in OFF):
        return None
    if not Path("/proc/self/ns").is_dir() or not hasattr(os, "pidfd_open"):
        return None
    variables = {name: text for name, text in env.items() if is_carried(name)}
    others = sorted(env.keys() - variables.keys() - {"PYTEST_CURRENT_TEST"})
    path = env.get("PYTHONPATH", "")
    if not all(map(os.path.isabs, path.split(os.pathsep) if path else ())):
        return None  # it depends on the working directory
    if names_at_start(path) & set(others):  # what runs at an interpreter's start may read it
        return None
    try:
        place = own_folder(warm_place(env), "no zygote outlives its run", "XDG_RUNTIME_DIR")
    except (OSError, UsageError) as error:
        say(str(error))
        return None
    told = {f"variable.{name}": text for name, text in variables.items()}
    identity = {**process_facts(), **install_facts(path), **told}
    return Terms(place=place, identity=identity, variables=variables, others=others, extra=extra)


def is_carried(name: str) -> bool:
    """Whether a zygote that may outlive its run starts with a variable."""
    if names_a_secret(name):
        return False
    return name in CARRIED or fixed_at_start(name) or name.startswith(CARRIED_FAMILIES)
