"""The outputs of a stage: their names, and whether those who read them can take what they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from mlkit.core.outputs import NOTEBOOKS, Output
from mlkit.core.pipeline import Stage, StageOutput, gives_list
from mlkit.core.types import accepts
from mlkit.load.section import Section

__all__ = ["check_readers", "read_outputs"]

_LONGEST_NAME_BYTES = 200
_RESERVED = frozenset({"notebook.ipynb", "attempts"})
_ASIDE = re.compile(r"\..*\.part", re.DOTALL)
"""What a file is called while it is written."""


def read_outputs(section: Section) -> dict[str, Output]:
    """Read `outputs`: a name for each, of a file, of a folder, or of the executed notebook.

    Raises
    ------
    PipelineError
        If a name leads out of the stage's folder, is mlkit's own, or lies in another output.
    """
    inner = section.section("outputs")
    found: dict[str, Output] = {}
    for name, entry in ({} if inner is None else inner.entries).items():
        text = entry.value
        if not isinstance(text, str) or not text:
            section.fail(f"output '{name}' must name a file", entry.line, code="E202")
        output = Output.of(text)
        _check_name(section, name, text, output, entry.line)
        for other, earlier in found.items():
            _check_apart(section, (name, output), (other, earlier), entry.line)
        found[name] = output
    return found


def _check_name(section: Section, name: str, text: str, output: Output, line: int) -> None:
    path = PurePosixPath(output.path)
    if output.is_notebook:
        if text not in NOTEBOOKS:
            section.fail(
                f"output '{name}' is '{text}', and what begins with '@' is the executed notebook, "
                "which is always there",
                line,
                f"Write {' or '.join(map(repr, NOTEBOOKS))}",
                code="E209",
            )
        return
    if text.endswith("?/"):
        section.fail(
            f"output '{name}' is '{text}': the '?' of a folder that may be missing comes last",
            line,
            f"Write '{text[:-2]}/?'",
            code="E209",
        )
    if path.is_absolute() or ".." in path.parts or "\\" in text or "\0" in text:
        section.fail(
            f"output '{name}' leaves the stage's folder: '{text}'",
            line,
            "Name a file inside the stage's own folder",
            code="E209",
        )
    own = path.parts and (
        path.parts[0].startswith(".work-") or any(map(_ASIDE.fullmatch, path.parts))
    )
    if own:
        section.fail(
            f"output '{name}' would lie where mlkit works itself: '{text}'",
            line,
            "Choose a name that begins neither with '.work-' nor with '.' and ends in '.part'",
            code="E209",
        )
    too_long = any(len(part.encode()) > _LONGEST_NAME_BYTES for part in path.parts)
    if not path.parts or path.parts[0] in _RESERVED or too_long:
        remedy = "Choose another name"
        if path.parts and path.parts[0] == "notebook.ipynb":
            remedy = "The executed notebook is '@notebook.ipynb'; otherwise choose another name"
        section.fail(f"output '{name}' cannot be called '{text}'", line, remedy, code="E209")


def _check_apart(
    section: Section, one: tuple[str, Output], other: tuple[str, Output], line: int
) -> None:
    """Of two outputs neither may be the other one, or lie in it."""
    (name, output), (earlier_name, earlier) = one, other
    path, earlier_path = PurePosixPath(output.path), PurePosixPath(earlier.path)
    if path == earlier_path:
        section.fail(
            f"output '{name}' shares the file '{output.name}' with another output, "
            f"'{earlier_name}'",
            line,
            code="E209",
        )
    if path in earlier_path.parents or earlier_path in path.parents:
        inner, outer = (one, other) if earlier_path in path.parents else (other, one)
        section.fail(
            f"output '{inner[0]}' ('{inner[1]}') lies in output '{outer[0]}' ('{outer[1]}')",
            line,
            "Give each a place of its own: a folder is handed on as a whole",
            code="E209",
        )


def check_readers(stages: Mapping[str, Stage], sections: Mapping[str, Section]) -> None:
    """See that each reader of an output can take a folder, or nothing, where it may be that.

    Parameters
    ----------
    stages : mapping of str to Stage
        All stages, with their declarations.
    sections : mapping of str to Section
        Their places in pipeline.yaml.

    Raises
    ------
    PipelineError
        If a folder is read as JSON, or an input that may be missing is not declared so.
    """
    for name, stage in stages.items():
        section = sections[name]
        for condition in stage.when:
            _check_json(section, "when", condition.source, stages)
        for listed in () if stage.foreach is None else stage.foreach.sources:
            _check_json(section, "foreach", listed, stages)
        for key, source in stage.inputs.items():
            if isinstance(source, StageOutput):
                _check_input(section, stage, key, source, stages)


def _check_json(
    section: Section, key: str, source: StageOutput, stages: Mapping[str, Stage]
) -> None:
    output = stages[source.node.stage].outputs[source.output]
    if output.is_folder or output.is_notebook:
        kind = "a folder" if output.is_folder else "an executed notebook"
        section.fail(
            f"'{key}' reads '{source}', which is {kind} and no JSON value",
            section.line_of(key),
            "Have that stage write the value into a JSON file of its own",
            code="E208",
        )
    if output.optional and key == "foreach":
        section.fail(
            f"'foreach' reads '{source}', which may be missing ('{output}')",
            section.line_of(key),
            "Have that stage write a list in any case; an empty one skips what maps over it",
            code="E208",
        )


def _check_input(
    section: Section, stage: Stage, key: str, source: StageOutput, stages: Mapping[str, Stage]
) -> None:
    """An input that may be missing arrives as None; of a mapped stage's list it is left out."""
    output = stages[source.node.stage].outputs[source.output]
    in_list = gives_list(source.node, stages)
    declared = stage.declared[key].spec
    if not output.optional or in_list or accepts(declared, None):
        return
    inner = section.section("inputs")
    section.fail(
        f"input '{key}' reads '{source}', which may be missing ('{output}') and then arrives as "
        f"None, but {stage.notebook.name} declares {declared}",
        None if inner is None else inner.line_of(key),
        f"Declare it '{key}: {declared} | None'",
        code="E208",
    )
