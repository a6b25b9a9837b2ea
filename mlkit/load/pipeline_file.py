"""Read a pipeline.yaml and everything it names into a checked `Pipeline`."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path
from typing import Any

from mlkit.core.pipeline import Declaration, ExternalFile, Kernel, Pipeline, Stage
from mlkit.core.pipeline_keys import keys_of
from mlkit.errors import NotebookError, PipelineError, why_unreadable
from mlkit.frozen import replace
from mlkit.load.contract import (
    check_parameter_defaults,
    fit_to_notebook,
    holds_variable,
    written_path,
)
from mlkit.load.declared_outputs import check_readers
from mlkit.load.outside import trouble_with_file, waits
from mlkit.load.profiles import check_profile, chosen_profile, profile_of, read_profiles
from mlkit.load.references import Lines, check_references, check_types_of_chains, resolved
from mlkit.load.schedule import read_schedule_keys
from mlkit.load.section import Section, did_you_mean
from mlkit.load.settings import read_settings
from mlkit.load.several import Mistakes
from mlkit.load.stage import read_defaults, read_stage
from mlkit.load.yaml_tree import read_yaml
from mlkit.notebook.declarations import declarations
from mlkit.notebook.kernelspecs import NoKernelError, find_kernel, kernel_of_notebook
from mlkit.notebook.source import SUFFIXES, read_notebook
from mlkit.store.typed_path import typed_path

__all__ = ["PIPELINE_FILE", "load_pipeline", "profile_names"]

PIPELINE_FILE = "pipeline.yaml"
_MOST_NAME = 60
_FIRST = (
    "It is empty: begin with 'name: …' and 'stages:', or let 'mlkit init DIR' write a first one"
)


def load_pipeline(
    path: Path | str, *, profile: str | None = None, may_be_empty: bool = False
) -> Pipeline:
    """Read a pipeline and check everything that can be checked without a kernel.

    Parameters
    ----------
    path : Path or str
        A pipeline.yaml, or the folder that holds one.
    profile : str, optional
        One of its profiles; default: the one that `MLKIT_PROFILE` names, if any. An empty text:
        none in any case.
    may_be_empty : bool
        Whether a pipeline without stages is one, too: there a first stage is to be added.

    Returns
    -------
    Pipeline
        Frozen; paths are absolute, durations are seconds.

    Raises
    ------
    PipelineError
        If the file is missing or breaks a rule; names the line, the fact and the remedy.
    NotebookError
        If a stage's notebook is missing or breaks the notebook's contract.
    """
    file = find_pipeline_file(typed_path(path))
    tree = read_yaml(_read(file), str(file), PipelineError)
    top = Section(tree, file, "the pipeline", _FIRST if tree.value is None else None)
    top.allow(keys_of("pipeline"), {"to a stage": keys_of("stage")})
    name = top.text("name")
    if not name:
        top.fail("'name' is missing", remedy="Give the pipeline a name: name: flights", code="E203")
    section = top.section("parameters", "the pipeline's parameters")
    parameters = {} if section is None else _plain(section)
    stages = top.section("stages", "stages")
    if may_be_empty and (stages is None or not stages.entries):
        return Pipeline(name=name, file=file, stages={})
    wanted = chosen_profile(profile)
    profiles, chosen = read_profiles(top, wanted)
    when = read_schedule_keys(top, profiles.values(), chosen)
    pipeline = Pipeline(
        name=name,
        file=file,
        description=top.text("description") or "",
        schedule=when.schedule,
        timezone=when.timezone,
        overlap=when.overlap,
        parameters=parameters,
        stages=_stages(top, file, parameters, profiles, chosen),
        profile=profile_of(wanted, chosen),
        lines=_lines_of_values(top, section),
    )
    check_parameter_defaults(pipeline, section)
    for key, said in profiles.items():
        check_profile(pipeline, key, said)
    return pipeline


def find_pipeline_file(path: Path) -> Path:
    """Give the absolute path of a pipeline.yaml, itself or its folder named."""
    try:
        return _found(Path(os.path.abspath(typed_path(path))))  # noqa: PTH100 - keeps links
    except OSError as error:  # a name that is too long, a folder that may not be entered
        name = str(path)
        shown = name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]}…"
        raise PipelineError(
            f"'{shown}' cannot be looked at: {error.strerror}",
            remedy="Name a pipeline.yaml that you may read, or its folder",
            code="E212",
        ) from None


def profile_names(path: Path | str) -> list[str]:
    """Read the names of all profiles; a pipeline that is loaded has one of them at most.

    Parameters
    ----------
    path : Path or str
        A pipeline.yaml, or the folder that holds one.

    Raises
    ------
    PipelineError
        If the file is missing or no YAML, or its profiles are no mapping.
    """
    file = find_pipeline_file(typed_path(path))
    tree = read_yaml(_read(file), str(file), PipelineError)
    section = Section(tree, file, "the pipeline").section("profiles", "the profiles")
    return [] if section is None else list(section.entries)


def _found(place: Path) -> Path:
    file = place / PIPELINE_FILE if place.is_dir() and place.name != PIPELINE_FILE else place
    if file.suffix in SUFFIXES and file.is_file():
        raise PipelineError(
            "this is no pipeline.yaml, it looks like a notebook",
            file,
            remedy="Name a pipeline.yaml or its folder; 'mlkit convert NOTEBOOK --to DIR' makes a "
            "pipeline of a notebook",
            code="E212",
        )
    if file.exists() and not file.is_file():
        raise PipelineError("this is not a file", file, remedy="Move it away", code="E212")
    if not file.is_file():
        is_any = file.name == PIPELINE_FILE and any(file.parent.glob("*.ipynb"))
        remedy = (
            "'mlkit convert FOLDER --to DIR' makes one of the notebooks that are there"
            if is_any
            else "Name a pipeline.yaml or its folder; 'mlkit init DIR' writes a first one"
        )
        raise PipelineError("there is no such pipeline", file, remedy=remedy, code="E212")
    return file


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fact, remedy = why_unreadable(error)
        raise PipelineError(f"the file cannot be read: {fact}", file, remedy=remedy) from None


def _plain(section: Section) -> dict[str, Any]:
    for name, entry in section.entries.items():
        if not name.isidentifier() or iskeyword(name):
            section.fail(f"'{name}' cannot be the name of a variable", entry.line, code="E202")
    return {name: entry.plain() for name, entry in section.entries.items()}


def _lines_of_values(top: Section, own: Section | None) -> dict[str, int]:
    """Where each parameter's value stands: the pipeline's by `NAME`, a stage's by `STAGE.NAME`."""
    lines = {} if own is None else {name: entry.line for name, entry in own.entries.items()}
    stages = top.section("stages")
    for stage in () if stages is None else stages.entries:
        section = stages and stages.section(stage)
        inner = section and section.section("parameters")
        if inner:
            lines |= {f"{stage}.{name}": entry.line for name, entry in inner.entries.items()}
    return lines


def _stages(
    top: Section,
    file: Path,
    parameters: Mapping[str, Any],
    profiles: Mapping[str, Section],
    chosen: Section | None,
) -> dict[str, Stage]:
    entries = top.section("stages", "stages")
    if entries is None or not entries.entries:
        top.fail(
            "there are no stages",
            top.line_of("stages"),
            "Add a stage with its notebook, as 'mlkit add NAME --out FILE' does",
            code="E203",
        )
    defaults_section = top.section("defaults", "defaults")
    if defaults_section is not None:
        defaults_section.allow(keys_of("defaults"))
    defaults, env = read_defaults(defaults_section), read_settings(top.section("env", "env"))
    for section in profiles.values():  # each is checked, also where another one is chosen
        read_defaults(section.section("defaults"), defaults)
        read_settings(section.section("env"))
    if chosen is not None:
        defaults = read_defaults(chosen.section("defaults"), defaults)
        env = {**env, **read_settings(chosen.section("env"))}
    sections = {
        name: Section(entry, file, f"stage '{name}'", f"Write {name}: {{notebook: {name}.ipynb}}")
        for name, entry in entries.entries.items()
    }
    stages: dict[str, Stage] = {}
    lines: dict[str, Lines] = {}
    mistakes = Mistakes()
    for name, section in sections.items():
        with mistakes.noted():
            stages[name], lines[name] = read_stage(name, section, defaults, parameters, env)
    mistakes.settle()
    check_references(stages, lines, file, mistakes)
    _check_files(stages, sections, mistakes)
    stages = _with_notebooks(resolved(stages), sections, mistakes)
    check_types_of_chains(stages, lines, file)
    return stages


def _check_files(
    stages: Mapping[str, Stage], sections: Mapping[str, Section], mistakes: Mistakes
) -> None:
    """Look at every file from outside; a path with a variable is known only to a run.

    A file may still come where the stage, or one before it, waits for something.
    """
    for name, stage in stages.items():
        for key, source in stage.inputs.items():
            if isinstance(source, ExternalFile):
                with mistakes.noted():
                    _check_file(name, key, source, stages, sections[name])
    mistakes.settle()


def _check_file(
    name: str, key: str, source: ExternalFile, stages: Mapping[str, Stage], section: Section
) -> None:
    if holds_variable(written_path(source, section.file.parent)):
        return
    inner = section.section("inputs")
    assert inner is not None
    text = str(inner.entries[key].value).removeprefix("file:")
    path, may_come = Path(source.path), waits(name, stages)
    trouble = trouble_with_file(text, path, may_come=may_come, folder=source.is_folder)
    if trouble is not None:
        fact, remedy = trouble
        section.fail(f"input '{key}': {fact}", inner.line_of(key), remedy, code="E211")


def _with_notebooks(
    stages: Mapping[str, Stage], sections: Mapping[str, Section], mistakes: Mistakes
) -> dict[str, Stage]:
    read: dict[tuple[Path, str | None], tuple[Kernel | None, Mapping[str, Declaration]]] = {}
    known = {}
    for name, stage in stages.items():
        notebook, section = Path(stage.notebook), sections[name]
        wanted = section.text("kernel")
        key = (notebook, wanted)
        with mistakes.noted():
            if key not in read:
                _check_notebook_file(notebook, section)
                source = read_notebook(notebook)
                kernel = kernel_of_notebook(source) if wanted is None else _kernel(wanted, section)
                language = "python" if kernel is None else kernel.language
                read[key] = (kernel, declarations(source, language))
            kernel, declared = read[key]
            known[name] = replace(stage, kernel=kernel, declared=declared)
    mistakes.settle()
    complete = {}
    for name, stage in known.items():
        with mistakes.noted():
            complete[name] = fit_to_notebook(stage, sections[name], known)
    mistakes.settle()
    check_readers(complete, sections)
    return complete


def _kernel(name: str, section: Section) -> Kernel | None:
    try:
        return find_kernel(name)
    except NoKernelError as missing:
        line = section.line_of("kernel")
        section.fail(f"there is no kernel '{name}'", line, f"{missing.choice}", code="E303")


def _check_notebook_file(notebook: Path, section: Section) -> None:
    """See that a notebook can be read; a pipe would be waited for without end."""
    line = section.line_of("notebook")
    try:
        mode = notebook.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        section.fail(
            f"the notebook '{notebook.name}' does not exist", line, _nearby(notebook), code="E207"
        )
    except (OSError, ValueError) as error:
        fact = getattr(error, "strerror", None) or str(error)
        name = notebook.name.replace("\0", "\\0")
        shown = name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]}…"
        section.fail(
            f"the notebook '{shown}' cannot be looked at: {fact}", line, "Name another", code="E207"
        )
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        section.fail(f"'{notebook.name}' is not a file", line, "Name a notebook", code="E207")


def _nearby(notebook: Path) -> str:
    folder = notebook.parent
    if not folder.is_dir():
        return f"There is no folder '{folder}'"
    names = sorted(p.name for p in folder.iterdir() if p.suffix in SUFFIXES and p.stem != "README")
    return did_you_mean(notebook.name, names) or ("Notebooks are named relative to this file")


__all__ += ["NotebookError", "find_pipeline_file"]
