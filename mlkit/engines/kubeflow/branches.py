"""Which branches of a Kubeflow pipeline a stage stands in. Pure.

A stage with `when` stands in a branch of a `dsl.If`, together with what is skipped when the branch
is not taken. What joins branches stands in the open. kfp starts a branch when everything is there
that anything in it needs, and not at all if some of that has failed; so a stage stands in a branch
only if the branch waits for nothing more because of it. Whatever cannot be placed so stands in the
open: mlkit itself judges `when` and trigger when the task calls it, and the task ends as skipped.
"""

from __future__ import annotations

from itertools import takewhile

from mlkit.core.graph import edges, topological_order
from mlkit.core.pipeline import Node, Pipeline, Stage
from mlkit.core.triggers import TriggerRule
from mlkit.engines.questions import picked_label
from mlkit.frozen import dataclass

__all__ = ["Branch", "Path", "choose_branches", "is_patient", "nodes_of", "plain_answer"]

_STRICT = (
    TriggerRule.ALL_SUCCESS,
    TriggerRule.NONE_FAILED,
    TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
)


@dataclass(frozen=True, kw_only=True, order=True)
class Branch:
    """One branch of a fork.

    Parameters
    ----------
    fork : str
        What is asked: `STAGE.OUTPUT`, or the stage that asks alone.
    answer : str
        The value with which the branch is taken; empty where a fork has one branch only.
    """

    fork: str
    answer: str


Path = tuple[Branch, ...]
"""The branches around a stage, the outermost first."""


def is_patient(stage: Stage) -> bool:
    """Whether a stage has to be asked although something upstream has failed.

    That is so under a trigger rule that allows it, and where it needs one instance of a mapped
    stage only: kfp knows the whole loop, mlkit each instance.
    """
    return stage.trigger not in _STRICT or any(
        picked_label(node) is not None for node in stage.upstream
    )


def nodes_of(stage: Stage) -> tuple[Node, ...]:
    """What a stage waits for in kfp: under `always`, only what it reads."""
    return stage.data_upstream if stage.trigger is TriggerRule.ALWAYS else stage.upstream


def plain_answer(stage: Stage) -> str | None:
    """The one plain word that a `when` asks for; None if it asks for more than that."""
    if len(stage.when) != 1 or len(stage.when[0].values) != 1:
        return None
    value = stage.when[0].values[0]
    is_word = isinstance(value, str) and value.isascii() and value.replace("-", "_").isidentifier()
    return value if is_word else None


def choose_branches(pipeline: Pipeline, *, gathered: bool) -> tuple[dict[str, Path], set[str]]:
    """Choose the branches around each stage, and say which stages open one.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    gathered : bool
        Put stages that ask the same into one fork, and what depends on a branch into it;
        otherwise each stage that asks has a fork of its own.
    """
    choice = _Choice(pipeline)
    for name in topological_order(edges(pipeline)):
        choice.place(pipeline.stages[name], gathered=gathered)
    return choice.paths, choice.askers


class _Choice:
    """What has been chosen so far, upstream first."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.paths: dict[str, Path] = {}
        self.askers: set[str] = set()
        self.sure: dict[str, frozenset[str]] = {}
        self.awaited: dict[Branch, frozenset[str]] = {}

    def place(self, stage: Stage, *, gathered: bool) -> None:
        """Choose for one stage."""
        self.sure[stage.name] = self._sure(stage)
        around = self._around(stage) if gathered else ()
        if not self._forks(stage, around):
            self.paths[stage.name] = around
            return
        self.askers.add(stage.name)
        self.paths[stage.name] = (*around, self._branch(stage, around, gathered=gathered))

    def _sure(self, stage: Stage) -> frozenset[str]:
        """What has not failed if a stage is started."""
        if is_patient(stage):
            return frozenset()
        names = [node.stage for node in stage.upstream]
        return frozenset(names).union(*(self.sure[name] for name in names))

    def _around(self, stage: Stage) -> Path:
        """The innermost branch that a stage is skipped with and that need not wait for it."""
        if stage.trigger is not TriggerRule.ALL_SUCCESS or is_patient(stage):
            return ()
        found = [self.paths[node.stage] for node in stage.upstream]
        deepest = max(found, key=len, default=())
        agreed = deepest if all(deepest[: len(p)] == p for p in found) else _common(found)
        while agreed and not all(self._fits(stage, agreed[:n]) for n in range(1, len(agreed) + 1)):
            agreed = agreed[:-1]
        return agreed

    def _fits(self, stage: Stage, path: Path) -> bool:
        """Whether all that a stage needs is in a branch, or was there before the branch began."""
        return all(
            self.paths[node.stage][: len(path)] == path or node.stage in self.awaited[path[-1]]
            for node in stage.upstream
        )

    def _forks(self, stage: Stage, around: Path) -> bool:
        """Whether a stage's `when` becomes a `dsl.If`: what it asks is known where it stands."""
        if not stage.when or stage.trigger is not TriggerRule.ALL_SUCCESS or is_patient(stage):
            return False
        asked = [self.paths[condition.source.node.stage] for condition in stage.when]
        return all(around[: len(path)] == path for path in asked)

    def _branch(self, stage: Stage, around: Path, *, gathered: bool) -> Branch:
        """The branch that a stage opens, alone or with others that ask the same."""
        answer = plain_answer(stage)
        asked = stage.when[0].source
        within = "".join(f"{branch.fork}={branch.answer}/" for branch in around)
        shared = Branch(fork=f"{within}{asked}", answer=answer or "")
        awaited = self.sure[asked.node.stage] | {asked.node.stage}
        self.awaited.setdefault(shared, awaited)
        if gathered and answer is not None and self._fits(stage, (*around, shared)):
            return shared
        alone = Branch(fork=stage.name, answer=answer or "")
        self.awaited[alone] = self.sure[stage.name]
        return alone


def _common(paths: list[Path]) -> Path:
    together = takewhile(lambda steps: len(set(steps)) == 1, zip(*paths, strict=False))
    return tuple(steps[0] for steps in together)
