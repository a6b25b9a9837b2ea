"""The environment in which kernels start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mlkit.inside.injected import INJECTED_PREFIX
from mlkit.load.parameters import ENVIRONMENT_PREFIX
from mlkit.notebook.injection import Assignment
from mlkit.store.tracking import RUN_TAG, STAGE_TAG, TRACKING_FILE

__all__ = ["attempt_environment", "kernel_environment", "with_tracking"]

FIXED = {
    "PYTHONHASHSEED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}
"""The hash seed orders sets, and with it the bytes of what is written."""

DROPPED = frozenset({"MPLBACKEND", "MLKIT_TRACE"})
"""How plots are shown is the kernel's choice; the recorder of a stage that starts a run itself is
none of that run's."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""One thread for each kernel unless the user says otherwise: workers share the cores, and sums
split over another number of threads end in other last digits."""


def kernel_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Give the environment that all kernels of a driver share.

    Parameters
    ----------
    own : mapping of str to str
        The driver's environment.
    """
    shared = {
        name: value
        for name, value in own.items()
        if not name.startswith((ENVIRONMENT_PREFIX, INJECTED_PREFIX)) and name not in DROPPED
    }
    for name in THREADS:
        shared.setdefault(name, "1")
    return {**shared, **FIXED}


def with_tracking(env: Mapping[str, str], pipeline: str) -> dict[str, str]:
    """Add where MLflow keeps what a notebook logs without naming an address: in the runs folder.

    A user who has set `MLFLOW_TRACKING_URI` has decided, and so does a notebook that sets one. A
    worker that does not see the runs folder cannot write there. Called where the attempt runs.

    Parameters
    ----------
    env : mapping of str to str
        The attempt's environment.
    pipeline : str
        The pipeline's name: MLflow's experiment, unless the user has chosen one.
    """
    folder = Path(env.get("MLKIT_RUNS_DIR", ""))
    given = "MLFLOW_TRACKING_URI" in env or "MLKIT_RUN_ID" not in env
    # SQLAlchemy takes what follows `?` for options, Alembic replaces `%`: neither can be written.
    if given or {"?", "%"} & set(str(folder)) or not folder.is_absolute() or not folder.is_dir():
        return dict(env)
    tags = {RUN_TAG: env["MLKIT_RUN_ID"], STAGE_TAG: env["MLKIT_STAGE"]}
    tracking = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / TRACKING_FILE}",
        # Without it files go to ./mlruns, which is the working folder and vanishes with it.
        "_MLFLOW_SERVER_ARTIFACT_ROOT": (folder / "mlartifacts").as_uri(),
        "MLFLOW_EXPERIMENT_NAME": pipeline,
        "MLFLOW_RUN_CONTEXT": json.dumps(tags),
    }
    return {**tracking, **env}


def attempt_environment(
    shared: Mapping[str, str], facts: Mapping[str, str], assignments: tuple[Assignment, ...]
) -> dict[str, str]:
    """Add what belongs to one attempt: who it is, and the values that no notebook may hold.

    Parameters
    ----------
    shared : mapping
        `kernel_environment`.
    facts : mapping
        `MLKIT_RUNS_DIR`, `MLKIT_RUN_ID`, `MLKIT_STAGE`, `MLKIT_ATTEMPT`.
    assignments : tuple of Assignment
        What the attempt receives.
    """
    hidden = {
        INJECTED_PREFIX + item.name: item.environment_text for item in assignments if item.hidden
    }
    return {**shared, **facts, **hidden}
