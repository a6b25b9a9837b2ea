"""`mlkit graph`: the DAG as a picture."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from mlkit import api
from mlkit.cli import candidates
from mlkit.cli.output import is_utf8, print_json, say
from mlkit.cli.shared_options import JsonOption, OutOption, PipelineArgument, RunsDirOption
from mlkit.cli.which_pipeline import pipeline_path
from mlkit.observe.layout import terminal_width
from mlkit.reports.graph_forms import to_mermaid, to_svg, to_text
from mlkit.reports.page_file import write_text

__all__ = ["graph"]


class GraphFormat(StrEnum):
    """The forms that a graph can take."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


def graph(
    pipeline: PipelineArgument = None,
    *,
    to: Annotated[GraphFormat, typer.Option("--to", help="The form.")] = GraphFormat.TEXT,
    out: OutOption = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Show how its stages ended: a run's id, the start of one, or latest.",
            show_default=False,
            autocompletion=candidates.runs,
        ),
    ] = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Draw the pipeline's graph: which stage comes after which.

    Conditions are shown beside their stages. text draws rails in the terminal; mermaid is what
    JupyterLab and GitHub draw in Markdown; svg is a picture of its own, light and dark. Nothing is
    run.

    \b
    Examples
      mlkit graph                                       in the terminal
      mlkit graph notebooks/flights --to svg --out flights.svg
      mlkit graph --run latest                          with the states of a run
    """
    loaded = api.load_pipeline(pipeline_path(pipeline))
    record = api.find_run(run, api.runs_folder(loaded, runs_dir)) if run else None
    if to is GraphFormat.TEXT:
        content = to_text(loaded, record, width=80 if out or as_json else terminal_width())
    else:
        content = (to_mermaid if to is GraphFormat.MERMAID else to_svg)(loaded, record)
    if out is not None:
        write_text(f"{content}\n", out)
        say(f"The graph of {loaded.name} is in {out}.")
    if as_json:
        file = None if out is None else str(out.absolute())
        print_json({"pipeline": loaded.name, "format": to.value, "content": content, "file": file})
    elif out is None:
        escaped = to is GraphFormat.SVG and not is_utf8(sys.stdout)
        typer.echo(content.encode("ascii", "xmlcharrefreplace").decode() if escaped else content)
