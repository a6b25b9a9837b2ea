"""`mlkit compare`: two runs side by side in every detail, or many by what differs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import print_json, say
from mlkit.cli.shared_options import JsonOption, OutOption, RunsDirOption
from mlkit.cli.which_pipeline import pipeline_path, without_pipeline
from mlkit.errors import UsageError
from mlkit.observe.layout import terminal_width
from mlkit.reports.page_file import write_text

__all__ = ["compare"]


class ComparisonFormat(StrEnum):
    """The forms that a comparison can take."""

    TEXT = "text"
    HTML = "html"


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN... [PIPELINE]",
            help="Two runs or more: ids, the start of one, names, or latest; a sweep stands for "
            "its runs. Then a pipeline.yaml or its folder.",
            show_default=False,
            autocompletion=candidates.runs,
        ),
    ],
    *,
    to: Annotated[
        ComparisonFormat, typer.Option("--to", help="The form; html has pictures.")
    ] = ComparisonFormat.TEXT,
    out: OutOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Compare runs: parameters, code, artifacts, metrics.

    Of two runs everything is shown: code cell by cell, artifacts by their digests, metrics by their
    difference. Of more, and as a page, what differs: parameters, code, files, packages, metrics
    with their intervals; what is the same in all is left out.

    \b
    Examples
      mlkit runs                               which runs there are
      mlkit compare 20260101-12 latest         an earlier one and the latest
      mlkit compare baseline best latest       three, by their names
      mlkit compare depths                     the runs of a sweep
      mlkit compare baseline best --to html --out compared.html
    """
    words, place = without_pipeline(runs, least=2)
    folder = api.runs_folder(pipeline_path(place), runs_dir)
    names = api.names_of_runs(words, folder)
    if len(names) < 2:
        raise UsageError(
            "there is nothing to compare with", remedy="Name two runs or more: mlkit compare A B"
        )
    if len(names) == 2 and to is ComparisonFormat.TEXT:
        comparison = api.compare(names[0], names[1], folder)
        document, text = comparison.to_json(), comparison.to_text(terminal_width())
    else:
        records = api.find_several(names, folder)
        found = api.compare_several(records, folder)
        document, text = found.to_json(), ""
        if to is ComparisonFormat.HTML:
            # a comparison in the terminal need not wait for what makes pages
            from mlkit.reports.many_runs_page import many_runs_page

            text = many_runs_page(found, records)
        elif not as_json:
            text = found.to_text(terminal_width())
    if out is not None:
        write_text(f"{text}\n", out)
        say(f"The comparison of {len(names)} runs is in {out}.")
    if as_json:
        print_json(document)
    elif out is None:
        typer.echo(text)
