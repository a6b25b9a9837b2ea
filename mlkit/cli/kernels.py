"""`mlkit kernels`: the kernels that are kept, and the processes that fork them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption
from mlkit.core.durations import format_duration
from mlkit.core.kept_kernel import KeptKernel
from mlkit.errors import UsageError
from mlkit.observe.layout import counted, paragraph, terminal_width
from mlkit.observe.run_summary import command

__all__ = ["kernels"]


def kernels(
    action: Annotated[
        str | None,
        typer.Argument(metavar="[stop]", help="End kernels that are kept.", show_default=False),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="With stop: these, not all.", show_default=False),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    r"""List the kernels that are kept or ready, or end those that are kept.

    'mlkit run --keep-failed 30m' keeps the kernel of a stage that fails, and 'mlkit debug RUN
    STAGE --live' opens it. At most two are kept, and a quarter of the memory; the oldest ends
    first. One ends by its time, by 'stop', with its run by 'mlkit clean', and when its stage
    succeeds. Listed are only your own, of all your pipelines, and the processes that fork the
    kernels of what runs now; these end with it.

    \b
    Examples
      mlkit kernels                  which there are, and until when
      mlkit kernels stop 3f9a61c2    end this one
      mlkit kernels stop             end all that are kept
    """
    if action not in (None, "stop"):
        raise UsageError(
            f"'mlkit kernels' does not know '{action}'",
            remedy="It lists; 'mlkit kernels stop [ID]' ends",
            code="E101",
        )
    if action == "stop":
        ended = api.end_kernels(names or ())
        if as_json:
            print_json({"stopped": [each.shown() for each in ended]})
        else:
            typer.echo(f"{counted(len(ended), 'kernel')} ended.")
        return
    kept, zygotes = api.list_kernels()
    if as_json:
        documents = [each.shown() for each in zygotes]
        print_json({"kept": [each.shown() for each in kept], "zygotes": documents})
        return
    lines = _kept_lines(kept, terminal_width(), time.time())
    for each in zygotes:
        size = f"{each.memory_bytes / 1e6:,.0f} MB"
        at_work = f"{counted(each.kernels, 'kernel')}, {size}"
        lines.append(f"process {each.pid} forks the kernels of process {each.driver}: {at_work}")
    typer.echo("\n".join(lines))


def _kept_lines(kept: Sequence[KeptKernel], width: int, now: float) -> list[str]:
    """What is kept: for each the id and what it is of, how long still, and how it is opened."""
    if not kept:
        return ["No kernel is kept."]
    lines = []
    for each in kept:
        words = ("debug", each.run_id, each.stage, "--live")
        left = format_duration(max(0.0, each.until - now))
        size = f"{each.memory_bytes / 1e6:,.0f} MB"
        head = f"{each.id}  {each.stage} of {each.pipeline}, after {each.error}"
        lines += [
            paragraph(head, width, hanging=" " * 10),
            f"          until {each.clock} ({left} left), {size}",
            f"          {command(each, *words, folder=Path.cwd())}",
        ]
    return lines
