"""Compile a pipeline to an engine's files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from mlkit.api.choices import with_profile, with_values
from mlkit.api.runs_place import runs_folder, url_of_runs
from mlkit.core.configuration import Configuration
from mlkit.core.pipeline import Pipeline, Stage
from mlkit.core.values import decode
from mlkit.driver.options import RunOptions
from mlkit.engines.environments import core_executable, find_python
from mlkit.engines.export import Export, ExportSettings
from mlkit.engines.refusals import (
    composed_maps,
    long_files,
    refuse,
    without_handing_on,
    without_past,
)
from mlkit.engines.registry import compiler_of, engine_named
from mlkit.engines.schedules import other_schedules, with_cron
from mlkit.errors import EngineError, UnsupportedByEngineError, UsageError
from mlkit.load.lists import with_lists
from mlkit.load.merging import is_secret
from mlkit.load.parameters import (
    ENVIRONMENT_PREFIX,
    Layers,
    configure,
    parse_assignment,
    read_assignment,
)

__all__ = ["compile_export", "export", "export_settings", "secrets_in", "write_export"]


def export(  # noqa: PLR0913 - each is an option of the command
    pipeline: Pipeline | Path | str,
    engine: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    layers: Layers | None = None,
    runs_dir: Path | str | None = None,
    workers: int | None = None,
    options: RunOptions | None = None,
    mlkit: Path | None = None,
    pipeline_path: Path | None = None,
) -> Export:
    """Compile a pipeline to the files of an engine; nothing is written or run.

    Parameters
    ----------
    pipeline : Pipeline, Path or str
        The pipeline, its pipeline.yaml, or its folder.
    engine : str
        The engine's name.
    parameters, layers
        As for `run`; what they say becomes part of the files.
    runs_dir : Path or str, optional
        The runs folder that the tasks use.
    workers : int, optional
        How many tasks may run at once; by default as many as the engine lets.
    options : RunOptions, optional
        What every task is asked for.
    mlkit : Path, optional
        The `mlkit` that the tasks call; default: the one of this environment.
    pipeline_path : Path, optional
        The pipeline.yaml as the tasks find it; default: where it is here.

    Raises
    ------
    MlkitError
        If the pipeline or a parameter is invalid, or the engine cannot express the pipeline.
    """
    current, chosen = with_profile(pipeline, options or RunOptions())
    whole = replace(with_values(parameters, layers), needs_values=False)
    configuration = configure(current, whole)
    current = with_lists(current, configuration)
    chosen_engine = engine_named(engine)
    refuse(chosen_engine, current, other_schedules(current, chosen_engine))
    current = with_cron(current, chosen_engine)
    refuse(chosen_engine, current, without_past(chosen_engine, current))
    _refuse_secrets(current, whole, engine)
    where = url_of_runs(runs_dir) or runs_folder(current, runs_dir)
    settings = export_settings(configuration, current.file, where, chosen, workers)
    if mlkit is not None:
        settings = replace(settings, mlkit=mlkit)
    if pipeline_path is not None:
        settings = replace(settings, pipeline_file=pipeline_path)
        current = _moved(current, pipeline_path)
    refuse(chosen_engine, current, composed_maps(current))
    refuse(chosen_engine, current, without_handing_on(current, chosen_engine, settings.runs_dir))
    made = compiler_of(chosen_engine)(current, settings)
    refuse(chosen_engine, current, long_files(made))
    return made


def _moved(pipeline: Pipeline, file: Path) -> Pipeline:
    """Let sensors look beside the pipeline.yaml that the tasks find."""

    def moved(stage: Stage) -> Stage:
        wait = stage.wait_for
        if wait is None or not wait.path.is_relative_to(pipeline.folder):
            return stage
        path = file.parent / wait.path.relative_to(pipeline.folder)
        return replace(stage, wait_for=replace(wait, path=path))

    return replace(pipeline, stages={name: moved(stage) for name, stage in pipeline.stages.items()})


def export_settings(
    configuration: Configuration,
    pipeline_file: PurePath,
    runs_dir: Path | str,
    options: RunOptions,
    workers: int | None,
) -> ExportSettings:
    """What an engine's files say of this mlkit, the parameters and the options."""
    return ExportSettings(
        mlkit=core_executable(),
        pipeline_file=pipeline_file,
        runs_dir=runs_dir,
        parameters={name: decode(value) for name, value in configuration.overrides.items()},
        options=options.to_words("task"),
        workers=workers,
    )


def write_export(made: Export, folder: Path) -> list[Path]:
    """Write the files of an export into a folder, which is made; gives their paths.

    Parameters
    ----------
    made : Export
        What `compile_export` or `export` gave.
    folder : Path
        Where to.

    Raises
    ------
    UsageError
        If one cannot be written there, or stands there for another pipeline.
    """
    _refuse_another_pipelines(made, folder.absolute())
    paths = []
    for name, text in made.files.items():
        path = folder.absolute() / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"the file cannot be written: {error.strerror or error}",
                path,
                remedy="Name another folder with --to, or make room there",
                code="E105",
            ) from error
        paths.append(path)
    return paths


def _refuse_another_pipelines(made: Export, folder: Path) -> None:
    """Keep a file that bears no pipeline's name, such as `prefect.yaml`, for the one that it is of.

    Modules that stand beside the entry are the same for all. Where the entry is there, it is this
    pipeline that is exported again.
    """
    # Unlike pathlib's these say no to a name that no file can have.
    if os.path.exists(folder / made.entry):  # noqa: PTH110
        return
    own = made.entry.partition(".")[0]
    for name, text in made.files.items():
        path = folder / name
        if name.startswith(("mlkit_", own)) or not os.path.isfile(path):  # noqa: PTH113
            continue
        if path.read_bytes() != text.encode():
            raise UsageError(
                f"this folder has a {path.name} that is not of this pipeline, and would lose what "
                "it says",
                path,
                remedy="Name another folder with --to, or remove that file",
                code="E105",
            )


def compile_export(made: Export, folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """Have the engine itself compile what was written, where it can and is there.

    Parameters
    ----------
    made : Export
        What was written.
    folder : Path
        Where it was written to.
    environ : mapping of str to str
        Knows where the engine's environment is.

    Returns
    -------
    list of Path
        The files that came of it.

    Raises
    ------
    EngineError
        If the engine refuses the files.
    """
    engine = engine_named(made.engine)
    python = find_python(engine, environ) if engine.compiles_itself else None
    if python is None:
        return []
    done = subprocess.run(
        [python, "-W", "ignore", str(folder.absolute() / made.entry)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env={**environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise EngineError(f"{engine.title} does not compile {made.entry}: {last}", folder)
    compiled = (folder.absolute() / made.entry).with_suffix(".yaml")
    return [compiled] if compiled.exists() else []


def secrets_in(pipeline: Pipeline, layers: Layers) -> dict[str, str]:
    """Secrets given on the command line, as the variables by which tasks receive them."""
    found = {}
    for text in layers.assignments:
        given = parse_assignment(text)
        if is_secret(pipeline, given.name):
            value = read_assignment(pipeline, text).value
            found[ENVIRONMENT_PREFIX + given.name.upper()] = str(value)
    for name, value in layers.values.items():
        if is_secret(pipeline, name):
            found[ENVIRONMENT_PREFIX + name.upper()] = str(value)
    return found


def _refuse_secrets(pipeline: Pipeline, layers: Layers, engine: str) -> None:
    """Refuse to write a secret into a file."""
    for variable in secrets_in(pipeline, layers):
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        raise UnsupportedByEngineError(
            f"the secret '{name}' would stand in the files for {engine}",
            remedy=f"Leave it out, and set {variable} where the tasks run",
        )
