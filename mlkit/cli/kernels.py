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
from mlkit.notebook.kernels.zygotes import ZygoteSeen
from mlkit.observe.layout import counted, paragraph, terminal_width
from mlkit.observe.run_summary import command

__all__ = ["kernels"]


def kernels(
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="[stop]", help="End what is kept and what waits.", show_default=False
        ),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="With stop: these, not all.", show_default=False),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    r"""List the kernels that are kept or ready, or end what is kept and what waits.

    'mlkit run --keep-failed 30m' keeps the kernel of a stage that fails, and 'mlkit debug RUN STAGE
    --live' opens it. At most two are kept, and a quarter of the memory; the oldest ends first. One
    ends by its time, by 'stop', with its run by 'mlkit clean', and when its stage succeeds. Only
    your own are listed, those of all your pipelines, and the processes that fork kernels. Such a
    process waits ten minutes for the next run (off: MLKIT_NO_WARM=1).

    \b
    Examples
      mlkit kernels                  which there are, and until when
      mlkit kernels stop 3f9a61c2    end this one
      mlkit kernels stop             end all that are kept, and what waits
    """
    if action not in (None, "stop"):
        raise UsageError(
            f"'mlkit kernels' does not know '{action}'",
            remedy="It lists; 'mlkit kernels stop [ID]' ends",
            code="E101",
        )
    if action == "stop":
        _stop(names or [], as_json=as_json)
        return
    kept, zygotes = api.list_kernels()
    if as_json:
        documents = [each.shown() for each in zygotes]
        print_json({"kept": [each.shown() for each in kept], "zygotes": documents})
        return
    lines = _kept_lines(kept, terminal_width(), time.time())
    lines += [_zygote_line(each, time.time()) for each in zygotes]
    typer.echo("\n".join(lines))


def _stop(names: list[str], *, as_json: bool) -> None:
    """End what has these names, kernels and processes that wait, or all of them."""
    waiting = {str(each.pid) for each in api.list_kernels()[1] if each.is_warm}
    chosen = [name for name in names if name in waiting]
    rest = [name for name in names if name not in waiting]
    kept = api.end_kernels(rest) if rest or not names else ()
    zygotes = api.end_zygotes(chosen) if chosen or not names else ()
    if as_json:
        stopped = [each.shown() for each in kept]
        print_json({"stopped": stopped, "zygotes": [each.shown() for each in zygotes]})
        return
    lines = [f"{counted(len(kept), 'kernel')} ended."]
    for each in zygotes:
        when = "has ended" if each.until is not None else "ends with the run that uses it"
        lines.append(f"process {each.pid}, which forks kernels, {when}.")
    typer.echo("\n".join(lines))


def _zygote_line(each: ZygoteSeen, now: float) -> str:
    """One process that forks kernels: for whom, or until when it waits."""
    size = f"{each.memory_bytes / 1e6:,.0f} MB"
    at_work = f"{counted(each.kernels, 'kernel')}, {size}"
    if each.until is not None:
        left = format_duration(max(0, round(each.until - now)))
        return f"process {each.pid} waits for the next run ({left} left): {size}"
    whose = "what runs now" if each.is_warm else f"process {each.driver}"
    return f"process {each.pid} forks the kernels of {whose}: {at_work}"


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
