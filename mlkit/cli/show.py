"""`mlkit show`: one run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import InstancesOption, JsonOption, RunArgument, RunsDirOption
from mlkit.cli.sweep_display import show_sweep
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.record import RunRecord
from mlkit.core.suggesting import did_you_mean
from mlkit.errors import UsageError
from mlkit.observe.layout import terminal_width
from mlkit.reports.stage_text import stage_text
from mlkit.reports.text_tables import show_text, tracked_text
from mlkit.reports.trace_listing import trace_text
from mlkit.store.tracking import logged

__all__ = ["show"]


def show(
    run: RunArgument,
    first: Annotated[
        str | None,
        typer.Argument(
            metavar="[STAGE] [PIPELINE]",
            help="A stage, or STAGE[VALUE], with --value an artifact; then a pipeline.yaml or its "
            "folder.",
            show_default=False,
            autocompletion=candidates.stages,
        ),
    ] = None,
    second: Annotated[Path | None, typer.Argument(hidden=True)] = None,
    *,
    trace: Annotated[
        bool, typer.Option("--trace", help="List what the stage's result depends on.")
    ] = False,
    value: Annotated[
        bool, typer.Option("--value", help="Print the JSON value in an artifact, STAGE.OUTPUT.")
    ] = False,
    instances: InstancesOption = False,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show one run: how it ended, its stages and their outputs.

    First what to do next; then status, attempts, CPU seconds and the highest memory of each stage,
    the reason why it ran or was reused, its metrics, and each artifact with its size and digest.
    --json prints the whole record.

    With a stage: its parameters, inputs, outputs and attempts, and its error whole. With --trace:
    everything that its result depends on beside its code, parameters and inputs: files, names
    looked for and not found, listings, environment variables and packages.

    RUN may be a sweep, by its name: then its runs are shown below each other.

    With --value and an artifact: the value that it holds, fetched where it was made elsewhere. An
    engine's tasks read conditions and lists so.

    \b
    Examples
      mlkit show latest
      mlkit show latest train            one stage, its error with the traceback
      mlkit show latest train --trace
      mlkit show latest select.decision --value
      mlkit show latest --instances      each instance on its own line
      mlkit show 20260101-12 --json      the run whose id begins so, as a document
    """
    is_part = first is not None and (trace or value or second is not None or _is_stage(first))
    part = first if is_part else None
    named = second if is_part else None if first is None else Path(first)
    if (trace and value) or ((trace or value) and part is None):
        raise UsageError(
            "--trace goes with a stage, --value with an artifact, and a call with one of them",
            remedy="For example 'mlkit show latest train --trace'",
            code="E102",
        )
    folder = api.runs_folder(pipeline_path(named), runs_dir)
    if part is not None and value:
        _show_value(run, part, folder, as_json=as_json)
        return
    stage = part
    group = api.find_sweep(run, folder)
    if group is not None and stage is None:
        show_sweep(group, api.members(group, folder), as_json=as_json)
        return
    record = api.find_run(run, folder)
    tracked = logged(record)
    if stage is not None and not trace:
        _show_stages(record, stage, as_json=as_json)
    elif stage is not None:
        found = api.find_trace(record, stage, folder)
        print_json(dict(found)) if as_json else typer.echo(trace_text(stage, found))
    elif as_json:
        logs = [item.to_json() for item in tracked]
        whole = api.with_kept(record, record.to_full_json(exact=False))
        print_json({**whole, "mlflow": logs})
    else:
        here, width = Path.cwd(), terminal_width()
        kept = api.kept_clocks(record)
        typer.echo(show_text(record, folder=here, width=width, instances=instances, kept=kept))
        if tracked:
            typer.echo(tracked_text(tracked, width))


def _is_stage(word: str) -> bool:
    """Whether a word alone names a stage: a pipeline is a file, or a folder that has one."""
    looks_like_path = "/" in word or word in (".", "..") or word.endswith((".yaml", ".yml"))
    if looks_like_path:
        return False
    try:
        return not (Path(word).is_file() or Path(word, "pipeline.yaml").exists())
    except OSError:  # no name of a file: whoever reads the pipeline says so
        return False


def _show_stages(record: RunRecord, asked: str, *, as_json: bool) -> None:
    """Show a stage: one, or each of its instances."""
    found = [item for item in record.stages.values() if asked in (item.id, item.stage)]
    if not found:
        names = {name for item in record.stages.values() for name in (item.id, item.stage)}
        raise UsageError(
            f"run {record.run_id} has no stage '{asked}'",
            remedy=did_you_mean(asked, names) or f"See 'mlkit show {record.run_id}'",
            code="E101",
        )
    if as_json:
        stages = {item.id: item.to_json(exact=False) for item in found}
        print_json({"run_id": record.run_id, "stages": stages})
        return
    here, width = Path.cwd(), terminal_width()
    typer.echo("\n\n".join(stage_text(record, item, folder=here, width=width) for item in found))


def _show_value(run: str, reference: str, folder: Path, *, as_json: bool) -> None:
    """Print the value in an artifact; as a document it says whether there is one."""
    found = api.find_value(run, reference, folder)
    if as_json:
        print_json({"made": bool(found), "value": found[0] if found else None})
    elif found:
        typer.echo(json.dumps(found[0], ensure_ascii=False))
    else:
        raise UsageError(
            f"'{reference}' was not made in run {run}",
            remedy=_what_was_made(api.find_run(run, folder), run, reference),
            code="E101",
        )


def _what_was_made(record: RunRecord, run: str, reference: str) -> str:
    """Name an artifact that there is: of one value of a map, or of nearly the same name."""
    stage, _, output = reference.rpartition(".")
    made = [f"{s.id}.{name}" for s in record.stages.values() for name in s.artifacts]
    for each in record.stages.values():
        if each.id != stage and each.stage == stage and output in each.artifacts:
            one = shlex.quote(f"{each.id}.{output}")
            return f"Each value has its own: mlkit show {run} {one} --value"
    return did_you_mean(reference, made) or f"See 'mlkit show {run}'"
