"""What an engine's task says of itself in its environment, for the record."""

from __future__ import annotations

from collections.abc import Mapping

from mlkit.frozen import dataclass

__all__ = ["EngineIds", "engine_ids"]

NAME, RUN, TASK, NOTIFIES, WAITED, RETRIES_ALL, ROUND = (
    "MLKIT_ENGINE",
    "MLKIT_ENGINE_RUN_ID",
    "MLKIT_ENGINE_TASK_ID",
    "MLKIT_ENGINE_NOTIFIES",
    "MLKIT_ENGINE_WAITED",
    "MLKIT_ENGINE_RETRIES_ALL",
    "MLKIT_ENGINE_ROUND",
)


@dataclass(frozen=True, kw_only=True)
class EngineIds:
    """The engine that called, with its own names for the run and the task.

    Parameters
    ----------
    name : str
        The engine's name.
    run_id, task_id : str
        Empty where the engine did not say.
    notifies : bool
        Whether the engine tells people itself of a stage's end, by `mlkit notify`.
    waited : bool
        Whether the engine has waited for the stage's file as long as it may: a sensor then looks
        once more, and gives up.
    retries_all : bool
        Whether the engine repeats a failed call whatever failed; mlkit then refuses what the
        stage's policy does not retry.
    round : int
        A number that grows when a person has the engine do the task anew, and not when the engine
        retries it: a stage that has succeeded in an earlier round then runs once more.
    """

    name: str
    run_id: str = ""
    task_id: str = ""
    notifies: bool = False
    waited: bool = False
    retries_all: bool = False
    round: int = 1

    @property
    def run(self) -> dict[str, str]:
        """What the record of the run keeps."""
        return {"name": self.name, "run_id": self.run_id}


def engine_ids(environ: Mapping[str, str]) -> EngineIds | None:
    """Read the ids from the environment; None if no engine called."""
    name = environ.get(NAME)
    if not name:
        return None
    return EngineIds(
        name=name,
        run_id=environ.get(RUN, ""),
        task_id=environ.get(TASK, ""),
        notifies=environ.get(NOTIFIES) == "1",
        waited=environ.get(WAITED) == "1",
        retries_all=environ.get(RETRIES_ALL) == "1",
        round=int(environ.get(ROUND) or 1),
    )
