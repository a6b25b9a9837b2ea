"""Which environment variables a stage can depend on, and how their values are compared."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import field
from hashlib import sha256

from mlkit.frozen import dataclass
from mlkit.inside.injected import INJECTED_PREFIX
from mlkit.inside.measuring import METRICS_VARIABLE

__all__ = ["SESSION_VARIABLES", "Circumstances", "is_of_kernel", "is_of_session"]

FACTS = (
    *("MLKIT_RUN_ID", "MLKIT_RUNS_DIR", "MLKIT_STAGE", "MLKIT_ATTEMPT", "MLKIT_LEASH"),
    *(
        "MLKIT_TRACE",
        METRICS_VARIABLE,
        "MLKIT_PRELOAD",
        "JPY_PARENT_PID",
        "JPY_SESSION_NAME",
        "PYDEVD_USE_FRAME_EVAL",
    ),
)
"""What mlkit and Jupyter say to each kernel: it differs in each and is part of nothing."""

TRACKING = (
    *("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"),
    *("MLFLOW_RUN_CONTEXT", "MLFLOW_RUN_ID"),
)
TRACKING_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
"""Where MLflow keeps what a stage logs is no part of what it makes; mlkit names the runs folder."""

SESSION_VARIABLES = frozenset(
    {
        *("_", "SHLVL", "PWD", "OLDPWD", "HOME", "USER", "LOGNAME", "USERNAME", "SHELL", "MAIL"),
        *("PATH", "MANPATH", "INFOPATH", "TMPDIR", "TEMP", "TMP", "HOSTNAME", "HOST", "HOSTTYPE"),
        *("TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERMINFO", "COLORTERM", "COLUMNS"),
        *("LINES", "PS1", "PS2", "PROMPT_COMMAND", "LS_COLORS", "LSCOLORS", "CLICOLOR", "LESS"),
        *("LESSOPEN", "LESSCLOSE", "PAGER", "GIT_PAGER", "EDITOR", "VISUAL", "BROWSER", "HISTFILE"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "WINDOWID", "DESKTOP_SESSION", "GDMSESSION"),
        *(
            "DBUS_SESSION_BUS_ADDRESS",
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "STY",
            "WINDOW",
            "GPG_TTY",
        ),
        *("PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID", "VIRTUAL_ENV"),
        *("VIRTUAL_ENV_PROMPT", "CONDA_PROMPT_MODIFIER", "CONDA_SHLVL", "CONDA_DEFAULT_ENV"),
        *("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKE_TERMOUT", "MAKE_TERMERR", "FORCE_COLOR"),
        *("NO_COLOR", "BUILD_ID", "BUILD_NUMBER", "BUILD_TAG", "BUILD_URL", "JOB_NAME", "JOB_URL"),
    }
)
SESSION_PREFIXES = (
    *("XDG_", "SSH_", "TMUX", "VTE_", "VSCODE_", "KITTY_", "ITERM_", "WEZTERM_", "GNOME_", "KDE_"),
    *("GITHUB_", "RUNNER_", "CI_", "SLURM_", "PBS_", "LSB_", "JPY_", "MLKIT_"),
    *("AIRFLOW_", "PREFECT_", "KFP_", "KUBERNETES_", "DAGSTER_", "ARGO_"),
    # By two underscores a program marks what it tells its own children, as Airflow's supervisor the
    # number of an open file.
    *("__", "_AIRFLOW_"),
)
"""Variables of a login, a terminal or a job: a stage that reads the whole environment, as in
`subprocess.run(…, env={**os.environ, "X": "1"})`, does not depend on them."""


def is_of_session(name: str) -> bool:
    """Whether a variable belongs to a login, a terminal or a job, or to the kernel itself."""
    is_own = name in SESSION_VARIABLES or name.startswith(SESSION_PREFIXES)
    return is_own or is_of_kernel(name)


def is_of_kernel(name: str) -> bool:
    """Whether a variable is one of those by which mlkit and Jupyter speak to a kernel."""
    return name in (*FACTS, *TRACKING, TRACKING_ROOT) or name.startswith(
        (INJECTED_PREFIX, "MLKIT_ENGINE_")
    )


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """In what surroundings kernels start, beside the files.

    Parameters
    ----------
    environ : mapping of str to str
        The environment of kernels.
    key : bytes
        With what the digests of environment variables are keyed: it belongs to a runs folder or a
        store, and stands in no record. Empty where nothing was ever recorded.
    set_by_pipeline : frozenset of str
        The variables that are a part of the fingerprint themselves, and none of the trace.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    key: bytes = b""
    set_by_pipeline: frozenset[str] = frozenset()

    @property
    def key_id(self) -> str:
        """What tells one key from another."""
        return sha256(b"id:" + self.key).hexdigest()[:12]

    def digest(self, name: str) -> str | None:
        """The keyed digest of a variable's value; None if it is not set."""
        value = self.environ.get(name)
        if value is None:
            return None
        text = f"{name}={value}".encode("utf-8", "surrogateescape")
        return hmac.new(self.key, text, "sha256").hexdigest()[:32]
