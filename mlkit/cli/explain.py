"""`mlkit explain`: what an error means, and what helps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from mlkit.cli import candidates
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption
from mlkit.core.error_kinds import ERROR_KINDS, UnknownCodeError, find_kind, page_of
from mlkit.errors import UsageError
from mlkit.observe.layout import columns, paragraph, terminal_width

__all__ = ["explain"]


def explain(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE",
            help="The code behind an error, or the type of a stage's error (default: list all).",
            show_default=False,
            autocompletion=candidates.codes,
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    r"""Explain an error by its code: the cause, and what to do.

    Every error of mlkit ends with a code in brackets, such as [E205]; with --json it is found under
    "code". A failed stage's error has a type instead, such as MissingOutput.

    \b
    Examples
      mlkit explain E205
      mlkit explain MissingOutput
      mlkit explain                 all codes, a line each

    Exit codes: 0 done, 2 there is no such code.
    """
    if code is None:
        if as_json:
            print_json({"errors": [asdict(kind) for kind in ERROR_KINDS.values()]})
        else:
            rows = [(kind.code, kind.title) for kind in ERROR_KINDS.values()]
            typer.echo(columns(rows, terminal_width()))
        return
    try:
        kind = find_kind(code)
    except UnknownCodeError as error:
        raise UsageError(str(error), remedy=error.remedy, code="E101") from None
    if as_json:
        print_json(asdict(kind))
    else:
        width = terminal_width()
        parts = page_of(kind).split("\n\n")
        typer.echo("\n\n".join(paragraph(part, width) for part in parts))
