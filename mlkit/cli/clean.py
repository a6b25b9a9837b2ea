"""`mlkit clean`: remove old runs and artifacts that nothing refers to."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json, say
from mlkit.cli.run_options import run_option
from mlkit.cli.shared_options import JsonOption, PipelineArgument, RunsDirOption
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.core.durations import parse_duration
from mlkit.errors import UsageError
from mlkit.observe.layout import counted

if TYPE_CHECKING:
    from mlkit.store.cleaning import Cleaning

__all__ = ["clean"]


def clean(
    pipeline: PipelineArgument = None,
    *,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            min=0,
            metavar="N",
            help="Keep the newest N runs, beside those that have a name.",
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DURATION", help="Only runs older than 30d, 12h, …"),
    ] = None,
    unfinished: Annotated[
        str,
        typer.Option(
            "--unfinished",
            metavar="DURATION",
            help="How long a run that an orchestrator has not ended stays after its last sign.",
        ),
    ] = "7d",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    runs_dir: RunsDirOption = None,
    store: Annotated[str | None, run_option("store")] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Remove old runs, and artifacts that no run or result refers to.

    Runs are chosen by age or count. With them goes what 'mlkit debug' wrote of them in debug/, with
    all that was changed there. Shows first what would go, then asks; where nobody can answer,
    nothing is removed without --yes. Runs that have a name (see 'mlkit label'), the run that is
    latest and runs that are alive always stay; --keep counts runs without a name. One whose stages
    an orchestrator calls is alive until it has ended, or nothing has happened in it for 7 days.

    \b
    Examples
      mlkit clean                        artifacts that nothing refers to
      mlkit clean --keep 5               all but the newest five runs
      mlkit clean --older-than 30d --yes
    """
    try:
        option = "--older-than"
        older_than_s = None if older_than is None else parse_duration(older_than)
        option = "--unfinished"
        unfinished_s = parse_duration(unfinished)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", remedy="Write 30d, 12h or 10m") from None
    folder = api.runs_folder(pipeline_path(pipeline), runs_dir)
    clean_up = partial(
        api.clean,
        folder,
        keep=keep,
        older_than_s=older_than_s,
        store=store,
        unfinished_for_s=unfinished_s,
    )
    found = clean_up(dry_run=True)
    empty = not found.runs and not found.artifacts
    say(_text(found, "would go" if not empty else ""))
    asked = sys.stdin.isatty() and not as_json
    go = not dry_run and not empty and (yes or (asked and typer.confirm("Remove them?", err=True)))
    if go:
        found = clean_up(dry_run=False)
        say(_text(found, "removed"))
    elif not dry_run and not empty:
        say("Nothing was removed. Give --yes to remove.")
    if as_json:
        print_json(
            {
                "removed": go,
                "runs": list(found.runs),
                "named": list(found.named),
                "copies": list(found.copies),
                "artifacts": list(found.artifacts),
                "size_bytes": found.size_bytes,
            }
        )


def _text(found: Cleaning, word: str) -> str:
    kept = [f"{counted(len(found.named), 'run')} kept by name."] if found.named else []
    if not word:
        return "\n".join(["Nothing to remove.", *kept])
    size = f"{found.size_bytes / 1e6:,.1f} MB"
    runs, artifacts = counted(len(found.runs), "run"), counted(len(found.artifacts), "artifact")
    copies = f", {counted(len(found.copies), 'debug notebook')}" if found.copies else ""
    lines = [f"{runs}{copies} and {artifacts} {word} ({size})."]
    lines += [f"  {name}" for name in (*found.runs, *(f"debug/{copy}" for copy in found.copies))]
    return "\n".join([*lines, *kept])
