"""References from one stage to another's outputs, and the checks that need all stages at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import NoReturn

from mlkit.core.graph import find_cycle
from mlkit.core.instances import trouble_with_brackets
from mlkit.core.pipeline import ExternalFile, Node, RunOutput, Source, Stage, StageOutput
from mlkit.errors import PipelineError
from mlkit.frozen import dataclass, replace
from mlkit.load.brackets import BracketError, with_picks
from mlkit.load.section import Section, did_you_mean
from mlkit.load.several import Mistakes
from mlkit.load.yaml_tree import Entry

__all__ = [
    "RUN_REMEDY",
    "Lines",
    "check_references",
    "parse_node",
    "parse_output",
    "parse_source",
    "read_run_output",
    "resolved",
]

_NODE = re.compile(r"(?P<stage>[^.\[\]]+)(?:\[(?P<value>.*)\])?", re.DOTALL)
_RUN = re.compile(
    r"run:(?:(?P<place>.*)/)?(?P<run>[^/]+)/"
    r"(?P<node>[^/.\[\]]+(?:\[.*\])?)\.(?P<output>[^/.\[\]]+)",
    re.DOTALL,
)
_SOURCES = (
    "Write STAGE.OUTPUT, file:PATH for a file from outside, or run:NAME/STAGE.OUTPUT for what "
    "another run has made"
)
RUN_REMEDY = (
    "Write run:NAME/STAGE.OUTPUT, where NAME is a run's name, its id, or latest; of another "
    "pipeline run:FOLDER/NAME/STAGE.OUTPUT"
)
_OUTPUT = re.compile(r"(?P<node>[^.\[\]]+(?:\[.*\])?)\.(?P<output>[^.\[\]]+)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """The lines on which a stage's references stand, by the reference."""

    of: Mapping[str, int] = field(default_factory=dict)


def parse_node(section: Section, entry: Entry) -> Node:
    """Read `STAGE` or `STAGE[VALUE]`."""
    match = _NODE.fullmatch(entry.value)
    if match is None:
        trouble = trouble_with_brackets(entry.value)
        more = "" if trouble is None else f": {trouble}"
        section.fail(
            f"'{entry.value}' is not the name of a stage{more}",
            entry.line,
            None if trouble is None else "Write STAGE, or STAGE[VALUE] of a mapped one",
            code="E205",
        )
    return Node(stage=match["stage"], value=match["value"])


def parse_output(section: Section, text: str, line: int, remedy: str) -> StageOutput:
    """Read `STAGE.OUTPUT` or `STAGE[VALUE].OUTPUT`; the remedy says what else may stand there."""
    match = _OUTPUT.fullmatch(text)
    if match is None:
        named = text.rpartition(".")[0] if "." in text.rpartition("]")[2] else text
        trouble = trouble_with_brackets(named)
        more = "" if trouble is None else f": {trouble}"
        section.fail(
            f"'{text}' is not a reference to an output{more}",
            line,
            remedy,
            code="E205",
        )
    node = parse_node(section, Entry(value=match["node"], line=line))
    return StageOutput(node=node, output=match["output"])


def _as_file(file: Path, text: str) -> str | None:
    """The remedy where no output is meant but a file; any text may have been written."""
    found = os.path.isfile(file.parent / text)  # noqa: PTH113 - a name too long is False here
    return f"A file from outside is written 'file:{text}'" if found else None


def parse_source(section: Section, entry: Entry, folder: Path) -> Source:
    """Read the source of an input: `STAGE.OUTPUT`, `file:PATH`, `file:PATH/` or `run:…`."""
    if not isinstance(entry.value, str):
        section.fail(
            f"{entry.plain()!r} is not a reference to an output",
            entry.line,
            _SOURCES,
            code="E205",
        )
    if entry.value.startswith("file:"):
        path = entry.value.removeprefix("file:")
        if not path:
            section.fail("'file:' names no file", entry.line, code="E205")
        place = Path(path) if path.startswith("${") else folder / path
        return ExternalFile(path=place, is_folder=path.endswith("/"))
    if entry.value.startswith("run:"):
        return parse_run_output(section, entry)
    remedy = _as_file(section.file, entry.value) or _SOURCES
    return parse_output(section, entry.value, entry.line, remedy)


def parse_run_output(section: Section, entry: Entry) -> RunOutput:
    """Read `run:RUN/STAGE.OUTPUT`, or `run:PLACE/RUN/STAGE.OUTPUT` of another pipeline's run."""
    found = read_run_output(entry.value)
    if found is None:
        section.fail(f"'{entry.value}' is no output of a run", entry.line, RUN_REMEDY, code="E205")
    return replace(found, line=entry.line)


def read_run_output(text: str) -> RunOutput | None:
    """Read a reference to what another run has made; None if it is none."""
    match = _RUN.fullmatch(text)
    if match is None or "${" in text:
        return None
    place, run, node = match["place"] or "", match["run"], match["node"]
    return RunOutput(place=place, run=run, node=node, output=match["output"])


def check_references(
    stages: Mapping[str, Stage], lines: Mapping[str, Lines], file: Path, mistakes: Mistakes
) -> None:
    """Check that every reference leads somewhere and that there is no cycle.

    Raises
    ------
    PipelineError
        Naming the line and what was probably meant.
    """
    for stage in stages.values():
        with mistakes.noted():
            _Checker(stage, stages, lines[stage.name].of, file).check()
    mistakes.settle()
    graph = {name: {node.stage for node in stage.upstream} for name, stage in stages.items()}
    cycle = find_cycle(graph)
    if cycle is not None:
        start = min(range(len(cycle)), key=lambda i: stages[cycle[i]].line)
        turned = [*cycle[start:], *cycle[:start]]
        raise PipelineError(
            f"the stages form a cycle: {' → '.join([*turned, turned[0]])}",
            file,
            stages[turned[0]].line,
            "Take one of these references away",
            code="E206",
        )


def check_types_of_chains(
    stages: Mapping[str, Stage], lines: Mapping[str, Lines], file: Path
) -> None:
    """Check that a value of an artifact's list reads the same in every stage that maps over it.

    Such a value takes the declared type, and with it its place in ids: `1` is `1.0` for a float.

    Raises
    ------
    PipelineError
        If two stages that are chained declare different types.
    """
    for stage in stages.values():
        for node in stage.upstream:
            other = stages[node.stage]
            for pick in node.picks:
                axes = () if other.foreach is None else other.foreach.axes
                axis = next((a for a in axes if a.parameter == pick.parameter), None)
                if pick.value is not None or axis is None or axis.source is None:
                    continue
                mine, their = (s.type_of_values(pick.parameter) for s in (stage, other))
                if str(mine) != str(their):
                    raise PipelineError(
                        f"stage '{stage.name}': '{node}' means the same {pick.parameter} as mine, "
                        f"but {stage.notebook.name} declares {mine} and {other.notebook.name} "
                        f"{their}",
                        file,
                        _line_of(node, lines[stage.name].of, stage.line),
                        "Declare the same type in both notebooks",
                        code="E208",
                    )


def _line_of(node: Node, lines: Mapping[str, int], otherwise: int) -> int:
    """Where a node is referred to first, by itself or by one of its outputs."""
    named = (n for text, n in lines.items() if text == str(node) or text.startswith(f"{node}."))
    return min(named, default=otherwise)


def resolved(stages: Mapping[str, Stage]) -> dict[str, Stage]:
    """Give stages whose references say what their brackets mean; they have been checked."""
    return {stage.name: _resolved(stage, stages) for stage in stages.values()}


def _resolved(stage: Stage, stages: Mapping[str, Stage]) -> Stage:
    def known(node: Node) -> Node:
        return with_picks(node, stage, stages)

    def source(item: Source) -> Source:
        return replace(item, node=known(item.node)) if isinstance(item, StageOutput) else item

    return replace(
        stage,
        inputs={name: source(item) for name, item in stage.inputs.items()},
        after=tuple(map(known, stage.after)),
    )


class _Checker:
    """Checks the references of one stage."""

    def __init__(
        self, stage: Stage, stages: Mapping[str, Stage], lines: Mapping[str, int], file: Path
    ) -> None:
        self.stage = stage
        self.stages = stages
        self.lines = lines
        self.file = file

    def check(self) -> None:
        for name, source in self.stage.inputs.items():
            if isinstance(source, StageOutput):
                self.output(source, f"input '{name}'")
        for node in self.stage.after:
            self.node(node, str(node), "'after'")
        for condition in self.stage.when:
            self.output(condition.source, "'when'")
            self.unmapped(condition.source, "'when' reads")
        for listed in () if self.stage.foreach is None else self.stage.foreach.sources:
            self.output(listed, "'foreach'")
            self.unmapped(listed, "'foreach' reads")

    def output(self, source: StageOutput, what: str) -> None:
        written_by = self.node(source.node, str(source), what)
        if source.output not in written_by.outputs:
            self.fail(
                str(source),
                f"{what} reads '{source.output}', which stage '{written_by.name}' does not write",
                did_you_mean(source.output, written_by.outputs),
            )

    def node(self, node: Node, reference: str, what: str) -> Stage:
        other = self.stages.get(node.stage)
        if other is None:
            self.fail(
                reference,
                f"{what} names the stage '{node.stage}', which does not exist",
                _as_file(self.file, reference) or did_you_mean(node.stage, self.stages),
            )
        try:
            with_picks(node, self.stage, self.stages)
        except BracketError as error:
            self.fail(reference, f"{what} names '{node}', but {error.fact}", error.remedy)
        return other

    def unmapped(self, source: StageOutput, what: str) -> None:
        if self.stages[source.node.stage].foreach is not None:
            self.fail(
                str(source),
                f"{what} '{source}', an output of a mapped stage, which is a list of files",
                "Gather the list in a stage of its own and read that stage's output",
            )

    def fail(self, reference: str, fact: str, remedy: str | None) -> NoReturn:
        line = self.lines.get(reference, self.stage.line)
        raise PipelineError(
            f"stage '{self.stage.name}': {fact}", self.file, line, remedy, code="E205"
        )
