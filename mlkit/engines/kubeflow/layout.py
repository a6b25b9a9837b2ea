"""Where each stage stands in a Kubeflow pipeline: in the open, or within a branch. Pure.

A stage with `when` stands in a branch of a `dsl.If`, together with everything that is skipped when
the branch is not taken. What joins branches stands in the open. Whatever cannot be placed so
stands in the open, too: mlkit itself judges `when` and trigger when the task calls it, and the
task then ends as skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlkit.core.graph import edges, find_cycle, topological_order
from mlkit.core.pipeline import Node, Pipeline, Stage
from mlkit.core.triggers import TriggerRule

__all__ = [
    "Block",
    "Branch",
    "Fork",
    "Layout",
    "Path",
    "is_patient",
    "lay_out",
    "nodes_of",
    "plain_answer",
]

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


@dataclass(frozen=True, kw_only=True)
class Fork:
    """The branches that one question leads to, each with its blocks.

    Parameters
    ----------
    name : str
        The question, as in `Branch.fork`.
    branches : mapping of str to tuple of Block
        Answer to what then runs, in order.
    """

    name: str
    branches: Mapping[str, tuple[Block, ...]]

    @property
    def stages(self) -> Iterator[str]:
        """Every stage within it."""
        for blocks in self.branches.values():
            for block in blocks:
                yield from (block,) if isinstance(block, str) else block.stages


Block = str | Fork
"""A stage, by its name, or a fork."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All blocks of a pipeline, and the branch in which each stage stands.

    Parameters
    ----------
    blocks : tuple of Block
        In an order in which all that a block needs comes before it.
    paths : mapping of str to Path
        Stage to the branches around it, the outermost first.
    askers : frozenset of str
        The stages whose own `when` opens the branch in which they stand.
    """

    blocks: tuple[Block, ...]
    paths: Mapping[str, Path]
    askers: frozenset[str]

    def sees(self, stage: str, other: str) -> bool:
        """Whether a stage stands in the same branch as another, or further inside."""
        there = self.paths[other]
        return self.paths[stage][: len(there)] == there


def is_patient(stage: Stage) -> bool:
    """Whether a stage has to be asked although something upstream has failed.

    That is so under a trigger rule that allows it, and where it needs one instance of a mapped
    stage only: kfp knows the whole loop, mlkit each instance.
    """
    return stage.trigger not in _STRICT or any(node.value is not None for node in stage.upstream)


def lay_out(pipeline: Pipeline) -> Layout:
    """Place every stage.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.

    Returns
    -------
    Layout
        The layout.
    """
    for gathered in (True, False):
        paths, askers = _paths(pipeline, gathered=gathered)
        blocks = _blocks(pipeline, paths, list(pipeline.stages), 0)
        if blocks is not None:
            return Layout(blocks=blocks, paths=paths, askers=frozenset(askers))
    raise AssertionError("branches of one stage each make no circle")


def _paths(pipeline: Pipeline, *, gathered: bool) -> tuple[dict[str, Path], set[str]]:
    """Choose the branches around each stage, and say which stages open one.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    gathered : bool
        Put stages that ask the same into one fork, and what depends on a branch into it;
        otherwise each stage that asks has a fork of its own.
    """
    paths: dict[str, Path] = {}
    askers: set[str] = set()
    for name in topological_order(edges(pipeline)):
        stage = pipeline.stages[name]
        around = _around(stage, paths) if gathered else ()
        if _forks(stage, around, paths):
            askers.add(name)
            paths[name] = (*around, _branch(stage, around, gathered=gathered))
        else:
            paths[name] = around
    return paths, askers


def _around(stage: Stage, paths: Mapping[str, Path]) -> Path:
    """The branch that a stage is skipped with: the deepest that it needs, if that is one."""
    if stage.trigger is not TriggerRule.ALL_SUCCESS or is_patient(stage):
        return ()
    found = [paths[node.stage] for node in stage.upstream]
    deepest = max(found, key=len, default=())
    return deepest if all(deepest[: len(p)] == p for p in found) else _common(found)


def _common(paths: list[Path]) -> Path:
    shared: list[Branch] = []
    for steps in zip(*paths, strict=False):
        if len(set(steps)) > 1:
            break
        shared.append(steps[0])
    return tuple(shared)


def _forks(stage: Stage, around: Path, paths: Mapping[str, Path]) -> bool:
    """Whether a stage's `when` becomes a `dsl.If`: what it asks is known where it stands."""
    if not stage.when or stage.trigger is not TriggerRule.ALL_SUCCESS or is_patient(stage):
        return False
    asked = [paths[condition.source.node.stage] for condition in stage.when]
    return all(around[: len(path)] == path for path in asked)


def _branch(stage: Stage, around: Path, *, gathered: bool) -> Branch:
    answer = plain_answer(stage)
    if answer is None or not gathered:
        return Branch(fork=stage.name, answer=answer or "")
    within = "".join(f"{branch.fork}={branch.answer}/" for branch in around)
    return Branch(fork=f"{within}{stage.when[0].source}", answer=answer)


def plain_answer(stage: Stage) -> str | None:
    """The one plain word that a `when` asks for; None if it asks for more than that."""
    if len(stage.when) != 1 or len(stage.when[0].values) != 1:
        return None
    value = stage.when[0].values[0]
    is_word = isinstance(value, str) and value.isascii() and value.replace("-", "_").isidentifier()
    return value if is_word else None


def _blocks(
    pipeline: Pipeline, paths: Mapping[str, Path], names: list[str], depth: int
) -> tuple[Block, ...] | None:
    """Order the blocks of one branch; None if they wait for each other."""
    owner = {name: _owner(name, paths, depth) for name in names}
    graph: dict[str, list[str]] = {key: [] for key in owner.values()}
    for name in names:
        for node in pipeline.stages[name].upstream:
            above = owner.get(node.stage)
            if above is not None and above != owner[name]:
                graph[owner[name]].append(above)
    if find_cycle(graph) is not None:
        return None
    blocks: list[Block] = []
    for key in topological_order(graph):
        members = [name for name in names if owner[name] == key]
        block = _block(pipeline, paths, members, depth)
        if block is None:
            return None
        blocks.append(block)
    return tuple(blocks)


def _owner(name: str, paths: Mapping[str, Path], depth: int) -> str:
    """What orders a stage at some depth: itself, or the fork around it."""
    path = paths[name]
    return f"stage {name}" if len(path) <= depth else f"fork {path[depth].fork}"


def _block(
    pipeline: Pipeline, paths: Mapping[str, Path], members: list[str], depth: int
) -> Block | None:
    if len(paths[members[0]]) <= depth:
        return members[0]
    answers = dict.fromkeys(paths[name][depth].answer for name in members)
    branches = {}
    for answer in answers:
        inside = [name for name in members if paths[name][depth].answer == answer]
        blocks = _blocks(pipeline, paths, inside, depth + 1)
        if blocks is None:
            return None
        branches[answer] = blocks
    return Fork(name=paths[members[0]][depth].fork, branches=branches)


def nodes_of(stage: Stage) -> tuple[Node, ...]:
    """What a stage waits for in kfp: under `always`, only what it reads."""
    return stage.data_upstream if stage.trigger is TriggerRule.ALWAYS else stage.upstream
