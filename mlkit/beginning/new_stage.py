"""A further stage of a pipeline: its notebook, and its lines in pipeline.yaml."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from keyword import iskeyword
from pathlib import Path, PurePosixPath
from typing import Any

from mlkit.beginning.notebook import Given, Wanted, stage_notebook
from mlkit.beginning.wiring import FlowStagesError, with_stage
from mlkit.core.outputs import Output
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.suggesting import did_you_mean
from mlkit.errors import MlkitError, UsageError
from mlkit.frozen import dataclass
from mlkit.load.pipeline_file import find_pipeline_file, load_pipeline
from mlkit.load.references import RUN_REMEDY, read_run_output
from mlkit.load.stage import STAGE_NAME
from mlkit.store.folder import RunsFolder
from mlkit.store.labels import FOLDER as LABELS
from mlkit.store.looking import known_run, looked_at

__all__ = ["Added", "NewStage", "add_stage", "check_and_keep", "exact_text"]

_REFERENCE = re.compile(r"(?P<node>[^.\[\]]+(?:\[.*\])?)\.(?P<output>[^.\[\]]+)", re.DOTALL)
_NUMBERED = re.compile(r"(\d+)-.+\.(ipynb|py|md)")
_SCRATCH = "scratch"
_IGNORE = "# Notebooks that are opened by hand write here; nothing of it is kept.\n*\n!.gitignore\n"


@dataclass(frozen=True, kw_only=True)
class NewStage:
    """A stage as it is asked for on a command line.

    Parameters
    ----------
    name : str
        Its name.
    after : sequence of str
        Stages that it waits for without reading from them.
    inputs : sequence of str
        `STAGE.OUTPUT`, `file:PATH` or `run:RUN/STAGE.OUTPUT`, or `NAME=` one of these.
    outputs : sequence of str
        `FILE`, or `NAME=FILE`.
    parameters : mapping
        Parameters that its notebook declares, with their defaults.
    notebook : str, optional
        The notebook's file; by default it is numbered where the others are.
    """

    name: str
    after: Sequence[str] = ()
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notebook: str | None = None


@dataclass(frozen=True, kw_only=True)
class Added:
    """What was written: the notebook (unless it was there), and the lines of pipeline.yaml."""

    stage: str
    pipeline: Path
    notebook: Path
    notebook_is_new: bool
    lines: tuple[str, ...]


def add_stage(pipeline_path: Path, new: NewStage) -> Added:
    """Add a stage behind the last one: write its notebook, and wire it.

    A notebook that is there already is only wired; it must declare what is named. Of pipeline.yaml
    only lines are added.

    Raises
    ------
    UsageError
        If the stage cannot be added so; then nothing is changed.
    PipelineError, NotebookError
        If the pipeline is invalid as it stands, or would be so with the stage.
    """
    file = find_pipeline_file(pipeline_path)
    pipeline = load_pipeline(file, may_be_empty=True)
    _check_name(new.name)
    if new.name in pipeline.stages:
        raise UsageError(
            f"there is a stage '{new.name}' already",
            file,
            pipeline.stages[new.name].line,
            "Choose another name",
            code="E105",
        )
    for name in new.after:
        _known(pipeline, name.partition("[")[0], file)
    inputs, outputs = _ports(new)
    notebook = file.parent / (new.notebook or _notebook_name(file.parent, pipeline, new.name))
    text = exact_text(file)
    changed = _wired(text, file, new, notebook, inputs, outputs)
    is_new = _is_new(notebook)
    if is_new:
        given = tuple(_given(pipeline, name, source, file) for name, source in inputs.items())
        written = {name: Output.of(spelling) for name, spelling in outputs.items()}
        wanted = tuple(
            Wanted(name=name, file=output.name)
            for name, output in written.items()
            if not output.is_notebook
        )
        document = stage_notebook(
            new.name, parameters=dict(new.parameters), inputs=given, outputs=wanted
        )
        _write(notebook, _as_text(document, notebook))
    check_and_keep(file, text, changed, notebook if is_new else None)
    _make_scratch(notebook.parent)
    lines = _further(text.splitlines(), changed.splitlines())
    return Added(
        stage=new.name, pipeline=file, notebook=notebook, notebook_is_new=is_new, lines=lines
    )


def _further(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """The lines that came; another stage may have the same ones."""
    pairs = zip(before, after, strict=False)
    start = next((at for at, (old, new) in enumerate(pairs) if old != new), len(before))
    return tuple(after[start : start + len(after) - len(before)])


def _check_name(name: str) -> None:
    """Refuse a name here: the loader would name a line that only the attempt has written."""
    if STAGE_NAME.fullmatch(name):
        return
    fitting = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")
    raise UsageError(
        f"'{name}' cannot be a stage's name: it holds letters, digits, '_' and '-' only, no digit "
        "first",
        remedy=f"Write {fitting}" if STAGE_NAME.fullmatch(fitting) else "Choose another name",
        code="E202",
    )


def _is_new(notebook: Path) -> bool:
    try:
        return not notebook.exists()
    except OSError as error:  # such as a name that is too long
        raise _unwritable(notebook, error) from None


def _ports(new: NewStage) -> tuple[dict[str, str], dict[str, str]]:
    """The inputs and the outputs by their names; a notebook has one variable of a name."""
    taken = {name: f"-p {name}" for name in new.parameters}
    found: tuple[dict[str, str], dict[str, str]] = ({}, {})
    sides = (
        ("--in", new.inputs, _source_name, found[0]),
        ("--out", new.outputs, _output_name, found[1]),
    )
    for option, texts, usual, named in sides:
        for text in texts:
            name, rest = _named(text, usual(text))
            if name in taken:
                raise UsageError(
                    f"'{taken[name]}' and '{option} {text}' would both be called '{name}'",
                    remedy=f"Give one of them another name: {option} NAME={rest}",
                )
            taken[name], named[name] = f"{option} {text}", rest
    return found


def _named(text: str, usual: str) -> tuple[str, str]:
    """Split `NAME=REST`; without a name it gets the usual one."""
    name, sign, rest = text.partition("=")
    if not sign:
        name, rest = re.sub(r"\W", "_", usual), text
    if not name.isidentifier() or iskeyword(name) or not rest:
        raise UsageError(
            f"'{text}': '{name}' cannot be the name of a variable",
            remedy="Give it a name: NAME=…, of letters, digits and '_'",
        )
    return name, rest


def _output_name(text: str) -> str:
    return PurePosixPath(Output.of(text).path).name.partition(".")[0]


def _source_name(text: str) -> str:
    if text.startswith("file:"):
        return PurePosixPath(text.removeprefix("file:")).name.partition(".")[0]
    match = _REFERENCE.fullmatch(text)
    by_run = read_run_output(text)
    return by_run.output if by_run else match["output"] if match else text


def _known(pipeline: Pipeline, name: str, file: Path) -> Stage:
    if name not in pipeline.stages:
        raise UsageError(
            f"there is no stage '{name}' in {pipeline.name}",
            file,
            remedy=did_you_mean(name, pipeline.stages)
            or f"There are {', '.join(pipeline.stages) or 'none yet'}",
            code="E101",
        )
    return pipeline.stages[name]


def _given(pipeline: Pipeline, name: str, source: str, file: Path) -> Given:
    """Where an input is found when the notebook is opened by hand."""
    if source.startswith("run:"):
        return _given_by_run(name, source, file)
    if source.startswith("file:"):
        return Given(name=name, path=source.removeprefix("file:"))
    match = _REFERENCE.fullmatch(source)
    if match is None:
        raise UsageError(
            f"'{source}' is not an input",
            remedy="Write STAGE.OUTPUT, file:PATH for a file from outside, or "
            "run:NAME/STAGE.OUTPUT for what another run has made",
        )
    stage, bracket, _ = match["node"].partition("[")
    upstream = _known(pipeline, stage, file)
    if match["output"] not in upstream.outputs:
        raise UsageError(
            f"stage '{stage}' writes no '{match['output']}'",
            file,
            upstream.line,
            did_you_mean(match["output"], upstream.outputs)
            or f"It writes {', '.join(upstream.outputs) or 'nothing'}",
            code="E101",
        )
    written = upstream.outputs[match["output"]]
    many = upstream.foreach is not None and not bracket
    path = f"runs/latest/{match['node']}/{written.path}"
    return Given(name=name, path=path, many=many, optional=written.optional and not many)


def _given_by_run(name: str, source: str, file: Path) -> Given:
    """Where what another run has made is found by hand: below `latest`, the run's name, or its id.

    Raises
    ------
    UsageError
        If that run has not made it; it tells what kind of file it is.
    """
    found = read_run_output(source)
    if found is None:
        raise UsageError(f"'{source}' is no output of a run", remedy=RUN_REMEDY, code="E205")
    base = file.parent / found.place
    is_runs = found.place and not (base / "pipeline.yaml").is_file()
    runs = RunsFolder(base if is_runs else base / "runs")
    run_id = runs.find(found.run).path.name
    with looked_at(runs) as database:
        record = known_run(runs, database, run_id)
    stages = [] if record is None else list(record.stages.values())
    made = [item for item in stages if found.node in (item.id, item.stage)]
    paths = [item.artifacts[found.output].path for item in made if found.output in item.artifacts]
    if record is None or not paths:
        raise UsageError(
            f"'{source}': run {run_id} has made no such thing",
            remedy=f"'mlkit show {found.run}' lists what it has made",
            code="E215",
        )
    named = runs.labels.run_id(found.run) is not None
    word = f"{LABELS}/{found.run}" if named else "latest" if found.run == "latest" else run_id
    below = Path(paths[0]).relative_to(Path(record.runs_dir) / run_id)
    path = Path(os.path.relpath(runs.path, file.parent)) / word / below
    return Given(name=name, path=path.as_posix(), many=made[0].id != found.node)


def _notebook_name(folder: Path, pipeline: Pipeline, stage: str) -> str:
    """Name a notebook as the others are named: numbered, if they are."""
    names = [Path(other.notebook).name for other in pipeline.stages.values()]
    matches = [_NUMBERED.fullmatch(name) for name in names]
    if not names or not all(matches):
        return f"{stage}.ipynb"
    taken = [_NUMBERED.fullmatch(path.name) for path in folder.iterdir()]
    number = 1 + max(int(match[1]) for match in [*matches, *taken] if match)
    return f"{number:02d}-{stage.replace('_', '-')}.ipynb"


def _wired(
    text: str,
    file: Path,
    new: NewStage,
    notebook: Path,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> str:
    entry: dict[str, Any] = {"notebook": Path(os.path.relpath(notebook, file.parent)).as_posix()}
    for key, value in (("after", list(new.after)), ("inputs", inputs), ("outputs", outputs)):
        if value:
            entry[key] = value
    try:
        return with_stage(text, new.name, entry)
    except FlowStagesError:
        raise UsageError(
            "'stages' is written in braces, where no line can be added",
            file,
            remedy="Write each stage on lines of its own, as README.md shows",
        ) from None


def _as_text(document: dict[str, Any], notebook: Path) -> str:
    if notebook.suffix == ".ipynb":
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if notebook.suffix not in (".py", ".md"):
        raise UsageError(
            f"'{notebook.name}' is no notebook",
            remedy="Name a file that ends with .ipynb, .py or .md",
        )
    import jupytext  # only a stage that is text needs it
    import nbformat

    form = {".py": "py:percent", ".md": "md:myst"}[notebook.suffix]
    read = nbformat.reads(json.dumps(document), as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    written: str = jupytext.writes(read, fmt=form)
    return written


def _write(file: Path, text: str) -> None:
    aside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(text.encode("utf-8"))
        if file.exists():
            aside.chmod(file.stat().st_mode)
        aside.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):  # its name may be what cannot be
            aside.unlink(missing_ok=True)
        raise _unwritable(file, error) from None


def _unwritable(file: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the file cannot be written: {error.strerror or error}",
        file,
        remedy="See that you may write in its folder, and that its name is not too long",
        code="E105",
    )


def exact_text(file: Path) -> str:
    """A file's text with the line ends that it has: what is written back changes no other line."""
    return file.read_bytes().decode("utf-8")


def check_and_keep(file: Path, text: str, changed: str, notebook: Path | None) -> None:
    """Write the pipeline; where it is none any more, put back what was there.

    Parameters
    ----------
    file : Path
        The pipeline.yaml.
    text, changed : str
        What is in it, and what is to be.
    notebook : Path or None
        A notebook that was made for it, which goes if it is put back.
    """
    try:
        _write(file, changed)
        load_pipeline(file)
    except MlkitError:
        if exact_text(file) == changed:
            _write(file, text)
        if notebook is not None:
            notebook.unlink(missing_ok=True)
        raise


def _make_scratch(folder: Path) -> None:
    """Where notebooks write that are opened by hand; git keeps the empty folder."""
    ignore = folder / _SCRATCH / ".gitignore"
    if not ignore.parent.exists():
        ignore.parent.mkdir()
        ignore.write_text(_IGNORE, encoding="utf-8")
