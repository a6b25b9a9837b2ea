"""`mlkit schema`: JSON Schemas of what mlkit reads and writes, for editors and programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mlkit.cli import candidates
from mlkit.cli.output import print_json
from mlkit.cli.shared_options import JsonOption
from mlkit.core.schemas import SCHEMAS, name_of, schema_of
from mlkit.core.suggesting import did_you_mean
from mlkit.errors import UsageError

__all__ = ["schema"]


def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Of what: pipeline, record (run.json), event (a line of events.jsonl), error; or "
            "of what a command prints with --json, by its words: run, class-stats.",
            autocompletion=candidates.schemas,
        ),
    ] = "pipeline",
    *,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write it into a file.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Print the JSON Schema of pipeline.yaml, or of what mlkit writes.

    An editor that knows YAML completes and checks a pipeline.yaml whose first line names such a
    file: "# yaml-language-server: $schema=pipeline.schema.json".

    \b
    Examples
      mlkit schema                                  of pipeline.yaml
      mlkit schema --to pipeline.schema.json        for an editor
      mlkit schema record                           of run.json
      mlkit schema compare                          of what compare --json prints

    Exit codes: 0 done, 1 the file cannot be written, 2 there is no such schema.
    """
    name = name_of(name)
    if name not in SCHEMAS:
        remedy = did_you_mean(name, SCHEMAS) or f"There are: {', '.join(SCHEMAS)}"
        raise UsageError(f"there is no schema '{name}'", remedy=remedy, code="E101")
    document = schema_of(name)
    if to is None:
        print_json(document)
        return
    to.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json({"schema": name, "file": str(to)})
    else:
        typer.echo(f"Written: {to}")
