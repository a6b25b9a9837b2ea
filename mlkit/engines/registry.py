"""The engines that there are; what belongs to one is imported when it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Literal

from mlkit.core.suggesting import did_you_mean
from mlkit.errors import UsageError
from mlkit.frozen import dataclass

if TYPE_CHECKING:  # the help of `run` names the engines, and compiles nothing
    from mlkit.engines.export import Compiler
    from mlkit.engines.launching import Launcher

__all__ = ["ENGINES", "Engine", "compiler_of", "engine_named", "launcher_of", "names"]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A real orchestrator that a pipeline is compiled to.

    Parameters
    ----------
    name : str
        As the command line calls it; also the name of its folder here, of its extra and of its make
        target.
    title : str
        As people call it.
    package : str
        The package whose version is the engine's.
    compiles_itself : bool
        Whether running the entry in the engine's environment compiles it to a YAML file beside it;
        `mlkit export` does so where the environment is there.
    runs_images : bool
        Whether its server runs tasks in the stages' images only.
    has_pods : bool
        Whether each task with an image is a pod of its own.
    mounts : bool
        Whether a stage's volumes are mounted there.
    clock : {"any", "hourly", "outside", "daily", "utc"}
        Whose clock its schedules can follow: any, minute by minute; any, outside the jumps of that
        clock, and also every hour if it jumps by whole hours; any, outside its jumps; any, once a
        day and outside its jumps; or that of UTC.
    written_only : str
        Why `mlkit run --on` is refused, where files are written and checked but not run; such an
        engine has no launcher.
    knows_the_past : bool
        Whether its schedule can have a stage wait for its own success in the interval before.
    takes_spans : bool
        Whether its compiler takes schedules of real time (`every 6h`), or refuses them itself.
    """

    name: str
    title: str
    package: str
    compiles_itself: bool = False
    runs_images: bool = False
    has_pods: bool = False
    mounts: bool = False
    clock: Literal["any", "hourly", "outside", "daily", "utc"] = "daily"
    written_only: str = ""
    knows_the_past: bool = False
    takes_spans: bool = False

    @property
    def python_variable(self) -> str:
        """The environment variable that names the Python of its environment."""
        return f"MLKIT_{self.name.upper()}_PYTHON"

    @property
    def environment(self) -> str:
        """The folder of its virtual environment."""
        return f".venv-{self.name}"


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            name="airflow",
            title="Airflow",
            package="apache-airflow",
            knows_the_past=True,
            has_pods=True,
            mounts=True,
        ),
        Engine(
            name="kubeflow",
            title="Kubeflow Pipelines",
            package="kfp",
            compiles_itself=True,
            clock="utc",
            runs_images=True,
            has_pods=True,
            mounts=True,
        ),
        Engine(name="prefect", title="Prefect", package="prefect", mounts=True),
        Engine(
            name="argo",
            title="Argo Workflows",
            package="hera",
            runs_images=True,
            has_pods=True,
            mounts=True,
            clock="any",
            written_only="it runs in a Kubernetes cluster only, and mlkit starts and reaches none",
        ),
        Engine(
            name="dagster", title="Dagster", package="dagster", clock="hourly", takes_spans=True
        ),
        Engine(
            name="stepfunctions",
            title="Step Functions",
            package="localstack-core",
            clock="outside",
            takes_spans=True,
        ),
    )
}


def names(*, that_run: bool = False) -> str:
    """The engines as a sentence names them: `a, b or c`.

    Parameters
    ----------
    that_run : bool
        Leave out those whose files are only written.
    """
    *others, last = (e.name for e in ENGINES.values() if not (that_run and e.written_only))
    return f"{', '.join(others)} or {last}"


def engine_named(name: str) -> Engine:
    """Find an engine.

    Parameters
    ----------
    name : str
        The engine's name.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise UsageError(
            f"there is no engine '{name}'", remedy=did_you_mean(name, ENGINES), code="E101"
        )
    return ENGINES[name]


def compiler_of(engine: Engine) -> Compiler:
    """Import an engine's compiler: `compile_pipeline` of its `compiler.py`."""
    module = importlib.import_module(f"mlkit.engines.{engine.name}.compiler")
    compiler: Compiler = module.compile_pipeline
    return compiler


def launcher_of(engine: Engine) -> Launcher:
    """Import an engine's launcher: `launch` of its `launch.py`."""
    launcher: Launcher = importlib.import_module(f"mlkit.engines.{engine.name}.launch").launch
    return launcher
