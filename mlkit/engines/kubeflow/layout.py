"""Forks, branches and stages of a Kubeflow pipeline, in an order in which they can run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from mlkit.core.graph import find_cycle, topological_order
from mlkit.core.pipeline import Pipeline
from mlkit.engines.kubeflow.branches import Path, choose_branches
from mlkit.engines.questions import together
from mlkit.frozen import dataclass

__all__ = ["Block", "Fork", "Layout", "Loop", "lay_out"]


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


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Stages that one loop runs for each value of a list, one behind the other.

    Parameters
    ----------
    stages : tuple of str
        The stages, upstream first.
    """

    stages: tuple[str, ...]


Block = str | Fork | Loop
"""A stage, by its name, or a fork, or a loop of several stages."""


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

    @cached_property
    def forks(self) -> dict[str, Fork]:
        """Every fork, by its name."""
        return {fork.name: fork for fork in _forks(self.blocks)}

    def sees(self, stage: str, other: str) -> bool:
        """Whether a stage stands in the same branch as another, or further inside."""
        there = self.paths[other]
        return self.paths[stage][: len(there)] == there


def _forks(blocks: tuple[Block, ...]) -> Iterator[Fork]:
    for block in blocks:
        if isinstance(block, Fork):
            yield block
            for inner in block.branches.values():
                yield from _forks(inner)


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
        paths, askers = choose_branches(pipeline, gathered=gathered)
        blocks = _blocks(pipeline, paths, list(pipeline.stages), 0)
        if blocks is not None:
            return Layout(blocks=blocks, paths=paths, askers=frozenset(askers))
    raise AssertionError("branches of one stage each make no circle")


def _blocks(
    pipeline: Pipeline, paths: Mapping[str, Path], names: list[str], depth: int
) -> tuple[Block, ...] | None:
    """Order the blocks of one branch; None if they wait for each other."""
    loops = together(pipeline)
    owner = {name: _owner(name, paths, depth, loops) for name in names}
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


def _owner(
    name: str, paths: Mapping[str, Path], depth: int, loops: Mapping[str, tuple[str, ...]]
) -> str:
    """What orders a stage at some depth: itself, its loop, or the fork around it."""
    path = paths[name]
    if len(path) > depth:
        return f"fork {path[depth].fork}"
    return f"loop {loops[name][0]}" if name in loops else f"stage {name}"


def _block(
    pipeline: Pipeline, paths: Mapping[str, Path], members: list[str], depth: int
) -> Block | None:
    if len(paths[members[0]]) <= depth:
        loop = together(pipeline).get(members[0])
        return members[0] if loop is None else Loop(stages=loop)
    answers = dict.fromkeys(paths[name][depth].answer for name in members)
    branches = {}
    for answer in answers:
        inside = [name for name in members if paths[name][depth].answer == answer]
        blocks = _blocks(pipeline, paths, inside, depth + 1)
        if blocks is None:
            return None
        branches[answer] = blocks
    return Fork(name=paths[members[0]][depth].fork, branches=branches)
